"""``--new-fits``: the image as a new FITS file with the solution in its header."""

from __future__ import annotations

from pathlib import Path

from novacli.exports.registry import Export, Need, SolvedField


def _write(field: SolvedField, target: Path) -> None:
    from novacli.exports.fits_copy import new_fits

    new_fits(field.origin, field.solution.files.wcs, target)


EXPORT = Export(
    "new_fits", ".new.fits", "the image with the solution in its header", _write,
    needs=Need.IMAGE, short="-N", is_image_copy=True, is_standard=True,
)  # fmt: skip
