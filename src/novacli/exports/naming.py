"""Names of output files, made from the name of the image."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from novacli.exports.registry import Export
from novacli.files.compression import PACKED_SUFFIXES, READ_ONLY_SUFFIXES
from novacli.inputs.kinds import FileInput, Input, StreamInput

_FITS_SUFFIXES = (".fits", ".fit", ".fts")
_TILE_COMPRESSED_SUFFIX = ".fz"
_STREAM_STEM, _DOWNLOAD_STEM = "stdin", "download"


def stem(path: str) -> str:
    """Return a FITS image's path without its suffixes, and any other path unchanged.

    ``a/img.fits.gz`` becomes ``a/img``; ``a/img.jpg`` stays ``a/img.jpg``.
    """
    bare, lower = path, path.lower()
    for suffix in (*PACKED_SUFFIXES, _TILE_COMPRESSED_SUFFIX):
        if lower.endswith(suffix):
            bare, lower = bare[: -len(suffix)], lower[: -len(suffix)]
    found = next((suffix for suffix in _FITS_SUFFIXES if lower.endswith(suffix)), None)
    return path if found is None else bare[: -len(found)]


def frame_file(export: Export, base: str, base_stem: str, *, is_below_out: bool) -> str:
    """Return the path of the file that a batch writes for a frame.

    Parameters
    ----------
    export
        What is written.
    base
        The frame's path, beside the frame or below the folder of ``--out``.
    base_stem
        The path to which the export's ending is added.
    is_below_out
        True if the files go below a folder of their own, where an image copy has the frame's name.
    """
    if export.is_image_copy and is_below_out:
        is_kept = stem(base) != base and not base.lower().endswith(READ_ONLY_SUFFIXES)
        return base if is_kept else f"{stem(base)}.fits"
    return base_stem + export.ending


def input_stem(given: Input) -> str:
    """Return the path to which endings are added for an input; standard input and URLs have no folder in it."""
    if isinstance(given, FileInput):
        return stem(given.path)
    if isinstance(given, StreamInput):
        return _STREAM_STEM
    last = os.path.basename(unquote(urlsplit(given.url).path))  # noqa: PTH119 - not a path of this system
    return stem(last) or _DOWNLOAD_STEM


def standard_files(
    given: Input, exports: tuple[Export, ...], directory: Path | None, base: str | None
) -> dict[str, Path]:
    """Return the files that ``--dir`` and ``--out`` write for an input, by the names of the exports.

    Parameters
    ----------
    given
        The input.
    exports
        The exports to write.
    directory
        Folder for the files; None for the image's own folder (the current one for standard input and URLs).
    base
        Name to which the endings are added; None for the image's own.
    """
    start = Path(input_stem(given))
    folder = start.parent if directory is None else directory
    return {export.name: folder / f"{base or start.name}{export.ending}" for export in exports}
