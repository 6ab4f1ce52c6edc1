"""Write a drawing: ``OUT.fits`` as a camera would write it, and the truth beside it in ``OUT.fits.truth.json``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from novacli.demo.drawing import Drawing
from novacli.demo.scene import Scene
from novacli.errors import OutputError
from novacli.files.atomic import as_output_error, replacing
from novacli.text.angles import format_dec_dms, format_ra_hms
from solvehost.formats import fitsfile

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Unsigned 16-bit numbers are stored as signed ones with this offset.  Source: FITS Standard 4.0, section 5.2.5.
_BZERO = 32_768


def truth_path(target: Path) -> Path:
    """Return the path of the file with the truth about a drawing."""
    return target.with_name(target.name + ".truth.json")


def check_target(target: Path, *, overwrite: bool) -> None:
    """Check that a target can be written, before any work is done for it.

    Raises
    ------
    OutputError
        If its directory is missing, or a file exists and must not be replaced.
    """
    try:
        target.parent.stat()
        taken = [p for p in (target, truth_path(target)) if os.path.lexists(p)]
    except OSError as exc:
        raise as_output_error(target, exc) from exc
    if taken and not overwrite:
        raise OutputError(f"{taken[0]} exists already: give another name, or use --overwrite")


def write(drawing: Drawing, scene: Scene, target: Path, *, overwrite: bool = False) -> None:
    """Write a drawing and its truth, both or neither.

    Raises
    ------
    OutputError
        If a file cannot be written, or exists and must not be replaced.
    """
    check_target(target, overwrite=overwrite)
    truth = json.dumps(drawing.truth.as_json(), indent=2) + "\n"
    with replacing(target) as image:
        image.write(fits_bytes(drawing.pixels, scene))
        # A full disk is noticed here, before the file with the truth gets its name.
        image.flush()
        try:
            os.fsync(image.fileno())
        except OSError as exc:
            raise as_output_error(target, exc) from exc
        with replacing(truth_path(target)) as stream:
            stream.write(truth.encode())


def fits_bytes(pixels: NDArray[np.uint16], scene: Scene) -> bytes:
    """Return a FITS file with a camera's keywords and without world coordinates; pixels have shape (height, width)."""
    height, width = pixels.shape
    structure = [
        _card("SIMPLE", True), _card("BITPIX", 16), _card("NAXIS", 2), _card("NAXIS1", width), _card("NAXIS2", height),
        _card("BZERO", float(_BZERO), "unsigned 16-bit counts"), _card("BSCALE", 1.0),
    ]  # fmt: skip
    stored = (pixels.astype(np.int32) - _BZERO).astype(">i2")
    return fitsfile.end_header(structure + _camera_cards(scene)) + fitsfile.pad_data(stored.tobytes())


def _camera_cards(scene: Scene) -> list[bytes]:
    camera = scene.camera
    cards = [
        _card("OBJECT", scene.object_name),
        _card("IMAGETYP", "Light Frame"),
        _card("DATE-OBS", scene.date_obs, "not observed: drawn"),
        _card("EXPTIME", camera.exposure_s, "[s]"),
        _card("INSTRUME", camera.name),
        _card("FOCALLEN", round(scene.focal_length_mm, 4), "[mm]"),
        _card("XPIXSZ", camera.pixel_um, "[um]"),
        _card("YPIXSZ", camera.pixel_um, "[um]"),
        _card("XBINNING", 1),
        _card("YBINNING", 1),
        _card("EGAIN", camera.gain_e_per_adu, "[electron/adu]"),
        _card("RDNOISE", camera.read_noise_e, "[electron]"),
        _card("PEDESTAL", camera.bias_adu, "[adu]"),
    ]
    if scene.states_pointing:
        cards += [
            _card("OBJCTRA", format_ra_hms(scene.ra_deg).replace(":", " "), "[h m s] of the centre"),
            _card("OBJCTDEC", format_dec_dms(scene.dec_deg).replace(":", " "), "[deg m s] of the centre"),
        ]
    return [*cards, _card("CREATOR", "nova demo")]


def _card(keyword: str, value: fitsfile.CardValue, comment: str = "") -> bytes:
    """Return a card with its comment."""
    card = fitsfile.card(keyword, value)
    return (card.rstrip() + f" / {comment}".encode("ascii")).ljust(fitsfile.CARD) if comment else card
