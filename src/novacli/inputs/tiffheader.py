"""The directories of a TIFF file, which camera raw files have too, as header entries."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import tifffile

from novacli.inputs import exif
from novacli.records.field import HeaderValue

if TYPE_CHECKING:
    from novacli.inputs.source import Source

# Without a handler Python prints tifffile's log of a damaged file on standard error; our error says it in one line.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

#: Keeps tifffile from asking for the file's name, which a file opened by its descriptor lacks.
ANONYMOUS = "input"


def read_header(source: Source) -> dict[str, HeaderValue]:
    """Return the ``EXIF …`` entries of a file with a TIFF's directories; an empty header for any other file."""
    source.file.seek(0)
    try:
        with tifffile.TiffFile(source.file, name=ANONYMOUS) as tiff:
            return page_header(tiff.pages[0])
    except Exception:  # A header only gives hints: the reader of the pixels finds out if the file is damaged.
        return {}


def page_header(page: Any) -> dict[str, HeaderValue]:
    """Return the ``EXIF …`` entries of a page of tifffile."""
    tags = {tag.name: tag.value for tag in page.tags}
    exif_tags = tags.get("ExifTag")
    return exif.header_from_names({**tags, **(exif_tags if isinstance(exif_tags, dict) else {})})
