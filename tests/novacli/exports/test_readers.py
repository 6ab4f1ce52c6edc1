"""What other programs read from an image after ``--update``: astropy, and fitsverify where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import made_results as made
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame

from novacli.errors import UsageError
from novacli.exports.fits_copy import write_pixels
from novacli.exports.update import Stamp, update_in_place
from novacli.fits import celestial
from novacli.hints.cards import Cards
from novacli.hints.header_wcs import read_header_wcs
from novacli.solution import engine_comments
from novacli.solution.own_wcs import wcs_file
from novacli.wcs.sphere import separation_arcsec

from .conftest import origin

WIDTH, HEIGHT = 60, 40
CENTER = (83.2, 21.0)
SOLUTION = made.wcs_fits(WIDTH, HEIGHT, CRVAL1=CENTER[0], CRVAL2=CENTER[1], CRPIX1=30.5, CRPIX2=20.5)
PLAIN = made.wcs_fits(WIDTH, HEIGHT, sip=False, CRVAL1=CENTER[0], CRVAL2=CENTER[1], CRPIX1=30.5, CRPIX2=20.5)
SOLVED = made.solution_of(SOLUTION)

PLATE = {
    "PLTRAH": 10, "PLTRAM": 0, "PLTRAS": 0.0, "PLTDECSN": "+", "PLTDECD": 40, "PLTDECM": 0, "PLTDECS": 0.0,
    "XPIXELSZ": 25.28, "YPIXELSZ": 25.28, "CNPIX1": 7000, "CNPIX2": 7000,
    "PPO1": 0.0, "PPO2": 0.0, "PPO3": 177500.0, "PPO4": 0.0, "PPO5": 0.0, "PPO6": 177500.0,
    **{f"AMDX{n}": 67.2 if n == 1 else 0.0 for n in range(1, 21)},
    **{f"AMDY{n}": 67.2 if n == 1 else 0.0 for n in range(1, 21)},
}  # fmt: skip
_SURFACE = '"3. 3. 3. 2. -0.3 0.3 -0.3 0.3 0.01 0.1 0. 0. 0. 0. "'
TAN = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 40.0, "CD1_1": 0.001, "CD2_2": 0.001}
OLD_FORMS: dict[str, dict[str, Any]] = {
    "DSS plate": PLATE,
    **{f"{word} alone": {word: PLATE[word]} for word in ("PLTRAH", "XPIXELSZ", "CNPIX1", "PPO3", "AMDX1", "AMDY13")},
    "TNX": {
        **TAN, "CTYPE1": "RA---TNX", "CTYPE2": "DEC--TNX", "WAT0_001": "system=image",
        "WAT1_001": f"wtype=tnx axtype=ra lngcor = {_SURFACE}", "WAT2_001": f"wtype=tnx axtype=dec latcor = {_SURFACE}",
    },
    "ZPX": {
        **TAN, "CTYPE1": "RA---ZPX", "CTYPE2": "DEC--ZPX", "WAT0_001": "system=image",
        "WAT1_001": "wtype=zpx axtype=ra projp1=1.0 projp3=300.0",
        "WAT2_001": "wtype=zpx axtype=dec projp1=1.0 projp3=300.0",
    },
    "TPV": {**TAN, "CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "PV1_1": 1.1, "PV2_1": 0.9, "PV1_4": 0.1},
    "SIP": {**TAN, "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 3, "A_3_0": 1e-3, "B_ORDER": 3},
    "PinPoint": {**TAN, "TR1_0": 5.0, "TR1_1": 2.0, "TR2_0": 3.0, "TR2_14": 1.0},
    "wcstools plate": {**TAN, "CO1_1": 5.0, "CO2_1": 2.0, "CO1_13": 1.0},
    "solve-field's size": {**TAN, "IMAGEW": 600, "IMAGEH": 400},
    "old words": {**TAN, "EPOCH": 1950.0, "RADECSYS": "FK4", "LONGPOLE": 90.0, "PROJP1": 2.0, "PC001001": 2.0},
    "FK4": {**TAN, "RADESYS": "FK4", "EQUINOX": 1950.0},
    "ICRS": {**TAN, "RADESYS": "ICRS"},
    "name and errors": {**TAN, "WCSNAME": "old fit", "CNAME1": "x", "CRDER1": 0.1, "CSYER2": 0.2},
}  # fmt: skip
"""What may describe the sky before, by the programs that write it."""

KEPT = {"OBJCTRA": "10 00 00", "PLTSCALE": 67.2, "PIXSCALE": 3.0, "LTV1": 4.0, "LTM1_1": 0.5, "WCSDIM": 2,
        "XPIXSZ": 3.76, "CTYPE1A": "LINEAR", "CRPIX1A": 2.0, "CD1_1A": 2.0, "DATE-OBS": "2026-01-01"}  # fmt: skip
"""What does not describe the sky, or not in the primary description."""


@pytest.fixture(autouse=True)
def _quiet_readers() -> Any:
    """Readers warn about the old headers; what they read is what counts here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def write_image(path: Path, cards: dict[str, Any], shape: tuple[int, ...] = (HEIGHT, WIDTH)) -> Path:
    hdu = fits.PrimaryHDU(np.ones(shape, "u1"))
    for keyword, value in cards.items():
        hdu.header[keyword] = value
    hdu.writeto(path, checksum=True)
    return path


def update(path: Path, wcs_fits: bytes = SOLUTION) -> fits.Header:
    update_in_place(origin(path), wcs_fits, Stamp.of(str(path)))
    return fits.getheader(path)


def place_at(header: fits.Header, x: float, y: float) -> tuple[float, float]:
    """Return (ra, dec) of a pixel as ``WCS(header)`` has it, without any other argument."""
    wcs = WCS(header)
    ra, dec = wcs.celestial.all_pix2world(x, y, 1) if wcs.naxis == 2 else wcs.all_pix2world([[x, y, 1]], 1)[0][:2]
    return float(ra), float(dec)


def assert_solved_sky(header: fits.Header) -> None:
    """astropy reads the solution from the header, distortion included, on a pixel grid."""
    for x in np.linspace(1, WIDTH, 5):
        for y in np.linspace(1, HEIGHT, 4):
            assert separation_arcsec(place_at(header, x, y), SOLVED.pixel_to_sky(x, y)) < 1e-5


@pytest.mark.parametrize("name", OLD_FORMS)
def test_no_old_description_is_read(tmp_path: Path, name: str) -> None:
    """After --update the drawn field is where it was solved; before, astropy had another place or an error."""
    path = write_image(tmp_path / "a.fits", {**OLD_FORMS[name], **KEPT})
    try:
        before = place_at(fits.getheader(path), 30.5, 20.5)
    except Exception:
        before = (0.0, 0.0)
    assert separation_arcsec(before, CENTER) > 60
    header = update(path)
    assert_solved_sky(header)
    left = [word for word in OLD_FORMS[name] if word in header and word not in TAN and word != "RADESYS"]
    assert left in ([], ["A_ORDER", "B_ORDER"])
    assert {word: header[word] for word in KEPT} == KEPT


@pytest.mark.parametrize("name", ["FK4", "ICRS", "old words", "DSS plate"])
def test_the_frame_is_the_icrs(tmp_path: Path, name: str) -> None:
    """RADESYS says so, and neither EQUINOX nor EPOCH says anything else."""
    header = update(write_image(tmp_path / "a.fits", OLD_FORMS[name]))
    assert header["RADESYS"] == "ICRS"
    assert not {"EQUINOX", "EPOCH", "RADECSYS"} & set(header)
    assert wcs_to_celestial_frame(WCS(header)).name == "icrs"


def test_the_frame_of_a_new_file_is_the_icrs(tmp_path: Path) -> None:
    write_pixels(np.ones((HEIGHT, WIDTH), "u1"), SOLUTION, tmp_path / "new.fits")
    assert wcs_to_celestial_frame(WCS(fits.getheader(tmp_path / "new.fits"))).name == "icrs"


def test_nova_believes_its_own_solution_of_a_crop(tmp_path: Path) -> None:
    """IMAGEW and IMAGEH of the whole image, left by solve-field, do not make the new description one of a part."""
    header = update(write_image(tmp_path / "a.fits", {**TAN, "IMAGEW": 600, "IMAGEH": 400}))
    found = read_header_wcs(Cards({k: v for k, v in header.items() if k}), WIDTH, HEIGHT)
    assert found.wcs is not None


# --- More than two axes -------------------------------------------------------------------------------------------

FURTHER_AXES: dict[str, dict[str, Any]] = {
    "no description": {},
    "spectrum": {"CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CRPIX3": 1.0, "CDELT3": 1e6},
    "spectrum first": {"CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CRPIX3": 1.0, "CDELT3": 1e6, **TAN},
    "alternate first": {"CTYPE1A": "LINEAR", "CTYPE2A": "LINEAR", "CRPIX1A": 1.0, "CD1_1A": 1.0, "CD2_2A": 1.0, **TAN},
    "WCSAXES": {"WCSAXES": 3, **TAN},
    "sky on other axes": {"CTYPE1": "FREQ", "CTYPE2": "RA---TAN", "CTYPE3": "DEC--TAN", "CRVAL3": 5.0, "CD3_3": 0.1},
}


@pytest.mark.parametrize("wcs_fits", [SOLUTION, PLAIN], ids=["distorted", "plain"])
@pytest.mark.parametrize("name", FURTHER_AXES)
def test_a_cube_opens_without_arguments(tmp_path: Path, name: str, wcs_fits: bytes) -> None:
    """WCSAXES stands before all other WCS cards, and the third axis is whole; its own description stays."""
    old = FURTHER_AXES[name]
    header = update(write_image(tmp_path / "a.fits", old, (3, HEIGHT, WIDTH)), wcs_fits)
    wcs = WCS(header)
    assert wcs.naxis == 3
    if wcs_fits is SOLUTION:
        assert_solved_sky(header)
    words = list(header)
    first = min(n for n, word in enumerate(words) if celestial._ANY_WCS.fullmatch(word))
    assert words[first] == "WCSAXES"
    assert {"CTYPE3", "CRPIX3", "CRVAL3", "CD3_3"} <= set(words)
    if old.get("CTYPE3") == "FREQ":
        assert wcs.all_pix2world([[1, 1, 3]], 1)[0][2] == pytest.approx(1.4e9 + 2e6)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_a_colour_picture_opens_without_arguments(tmp_path: Path, dtype: str) -> None:
    write_pixels(np.ones((HEIGHT, WIDTH, 3), dtype), SOLUTION, tmp_path / "new.fits")
    assert_solved_sky(fits.getheader(tmp_path / "new.fits"))


def test_a_distortion_that_has_no_form_beside_further_axes(tmp_path: Path) -> None:
    """The convention ends at order 7; the message says what to do."""
    order = made.wcs_fits(WIDTH, HEIGHT, A_ORDER=8, A_8_0=1e-20)
    with pytest.raises(UsageError, match=r"a distortion of order 8 cannot be written .*--tweak-order 7, or use --wcs"):
        write_pixels(np.ones((HEIGHT, WIDTH, 3), "u1"), order, tmp_path / "new.fits")
    assert list(tmp_path.iterdir()) == []


# --- fitsverify ---------------------------------------------------------------------------------------------------


def complaints(path: Path) -> set[str]:
    """Return the errors and warnings of fitsverify about a file."""
    program = shutil.which("fitsverify")
    if program is None:
        pytest.skip("fitsverify is not installed (Debian: apt install fitsverify)")
    said = subprocess.run([program, "-l", str(path)], capture_output=True, text=True, check=False).stdout
    return {line for line in said.splitlines() if line.startswith("***") and not line.startswith("**** Verif")}


@pytest.mark.fitsverify
@pytest.mark.parametrize("name", [*OLD_FORMS, *FURTHER_AXES])
def test_fitsverify_has_no_new_complaint(tmp_path: Path, name: str) -> None:
    shape = (3, HEIGHT, WIDTH) if name in FURTHER_AXES else (HEIGHT, WIDTH)
    path = write_image(tmp_path / "a.fits", {**OLD_FORMS, **FURTHER_AXES}[name], shape)
    before = complaints(path)
    update(path)
    assert complaints(path) - before == set()


@pytest.mark.fitsverify
@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 3)])
def test_fitsverify_has_nothing_to_say_of_a_new_file(tmp_path: Path, shape: tuple[int, ...]) -> None:
    write_pixels(np.ones(shape, "u2"), SOLUTION, tmp_path / "new.fits")
    assert complaints(tmp_path / "new.fits") == set()
    (tmp_path / "wcs.fits").write_bytes(wcs_file(SOLVED, engine_comments.read(())))
    assert complaints(tmp_path / "wcs.fits") == set()
