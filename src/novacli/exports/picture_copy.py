"""Copy a JPEG, PNG or TIFF with an XMP packet in it; every byte of the pixels stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from novacli.errors import DataError, UsageError
from novacli.exports import xmp_jpeg, xmp_png, xmp_tiff
from novacli.exports.xmp import merged_packet
from novacli.files.atomic import replacing
from novacli.inputs import FileInput
from novacli.inputs.limits import DEFAULT_LIMITS
from novacli.inputs.opening import open_input
from novacli.records.field import Origin
from novacli.text.printable import shown_name

_FORMATS: dict[str, ModuleType] = {"JPEG": xmp_jpeg, "PNG": xmp_png, "TIFF": xmp_tiff}


def write_copy(
    origin: Origin,
    fields: Mapping[str, str | Sequence[str]],
    target: Path,
    suffixes: Mapping[str, tuple[str, ...]],
) -> None:
    """Copy a solved picture to ``target`` with AVM fields merged into its XMP metadata.

    Parameters
    ----------
    origin
        Where the solved picture came from.
    fields
        The AVM fields.
    target
        The file to write.
    suffixes
        The suffixes that the file may have, by the picture's format.

    Raises
    ------
    UsageError
        If the picture is not a JPEG, PNG or TIFF file, or the suffix is that of another format.
    DataError, InputMissingError, DeniedError, TransferError
        If the picture cannot be read again, or its metadata cannot be understood.
    OutputError
        If the file cannot be written.
    """
    shown = shown_name(origin.name)
    if origin.path is None or origin.format not in _FORMATS:
        kind = "was not read from a file" if origin.path is None else f"is a {origin.format} file"
        raise UsageError(
            f"{shown} {kind}, and AVM goes into JPEG, PNG and TIFF files: name the file .xmp for a sidecar"
        )
    if target.suffix.lower() not in suffixes[origin.format]:
        endings = " or ".join(suffixes[origin.format])
        raise UsageError(f"{shown} is a {origin.format} file: name its copy {endings}, or .xmp for a sidecar")
    kind_module = _FORMATS[origin.format]
    with open_input(FileInput(origin.path), DEFAULT_LIMITS) as source, replacing(target) as out:
        try:
            packet = merged_packet(kind_module.read_packet(source.file), fields)
            kind_module.copy(source.file, packet, out)
        except DataError as exc:
            raise DataError(f"{source.shown}: {exc}: name the file .xmp for a sidecar") from exc
