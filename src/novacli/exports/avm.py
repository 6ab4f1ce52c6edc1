"""``--avm``: Astronomy Visualization Metadata, by which Aladin, WorldWide Telescope and others place a picture.

A file that is named like the picture (JPEG, PNG, TIFF) is a copy of the picture with the metadata in it; its pixels are
untouched, and other metadata stay.  A file of any other name is a sidecar, an XMP file beside the picture.

Source: Astronomy Visualization Metadata (AVM) Standard, version 1.2.
"""

from __future__ import annotations

from pathlib import Path

from novacli.exports.registry import Export, SolvedField

#: Suffixes of pictures that hold metadata, by the format as results name it.
SUFFIXES = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "TIFF": (".tif", ".tiff")}
_ALL_SUFFIXES = tuple(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)


def _write(field: SolvedField, target: Path) -> tuple[str, ...]:
    from novacli.exports.linear import as_displayed, is_fits_like, nearest_tan
    from novacli.exports.xmp import avm_fields, merged_packet

    linear = nearest_tan(field.solution.tan_sip)
    fields = avm_fields(as_displayed(linear.tan, is_fits_like=is_fits_like(field)), linear.remark)
    if EXPORT.copies_image(target):
        from novacli.exports.picture_copy import write_copy

        write_copy(field.origin, fields, target, SUFFIXES)
    else:
        from novacli.files.atomic import write_file

        write_file(target, merged_packet(None, fields))
    return linear.notes(target)


EXPORT = Export(
    "avm", ".xmp", "the place on the sky as AVM, in a copy of the JPEG, PNG or TIFF or in an .xmp sidecar", _write,
    image_suffixes=_ALL_SUFFIXES,
)  # fmt: skip
