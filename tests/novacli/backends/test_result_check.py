"""Result files of a server, checked against the stars that were sent and written anew."""

from __future__ import annotations

import io
import tempfile
import warnings
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from made_results import SIP, corr_fits, solution_of, table_fits, wcs_fits

from novacli.backends.result_check import check_and_rewrite, check_matches
from novacli.errors import NovaError
from novacli.exports.fits_copy import write_pixels
from novacli.solution.reading import read_solution
from solvehost.errors import DataError
from solvehost.formats import fitsfile
from solvehost.formats.axy import Attempt
from solvehost.formats.star_table import Stars

WIDTH, HEIGHT = 60, 40
PLACES = [(5.0 + 7 * n, 3.0 + 5 * n) for n in range(8)]
STARS = Stars(*(array("f", column) for column in (*zip(*PLACES, strict=True), range(8))))
SENT = [Attempt(WIDTH, HEIGHT, STARS)]
TAN = {"CRPIX1": 31.5, "CRPIX2": 19.25}
HONEST = wcs_fits(WIDTH, HEIGHT, **TAN)
MARKER = b"LIAR!"


def pairs_of(places: list[tuple[float, float]], wcs: bytes = HONEST, shift_deg: float = 0.0) -> list[Any]:
    sky = [solution_of(wcs).pixel_to_sky(*place) for place in places]
    rows = [(x, y, ra, dec + shift_deg) for (x, y), (ra, dec) in zip(places, sky, strict=True)]
    return [np.array(column) for column in zip(*rows, strict=True)]


def test_matches_of_the_stars_that_were_sent_are_believed() -> None:
    """Positions are sent as float32, and a few reference stars may be far off."""
    check_matches(pairs_of(PLACES), [STARS], solution_of(HONEST))
    x, y, ra, dec = pairs_of(PLACES)
    dec[:3] += 5.0
    check_matches([x + 1e-4, y - 1e-4, ra, dec], [STARS], solution_of(HONEST))


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        (pairs_of([(x + 0.2, y) for x, y in PLACES]), "it matches a star at 5.2, 3.0, where none was sent"),
        (pairs_of([*PLACES, (1e8, 1e8)]), "where none was sent"),
        (pairs_of(PLACES[:3]), "it matches 3 stars, too few"),
        (pairs_of(PLACES[:2] * 4), "it matches 2 stars, too few"),
        (pairs_of(PLACES, shift_deg=1.0), "pixels from their reference stars by the solution"),
    ],
)
def test_other_matches_are_not_believed(pairs: list[Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        check_matches(pairs, [STARS], solution_of(HONEST))


_NUMBERS = st.one_of(
    st.floats(-1e4, 1e4), st.floats(-1e-3, 1e-3), st.floats(allow_nan=False, allow_infinity=False), st.integers(-9, 400)
)
_WORDS = [
    *("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD2_2", "LONPOLE", "LATPOLE", "WCSAXES", "EQUINOX", "PV1_1"),
    *("PV2_1", "PC1_1", "CDELT1", "CROTA2", "PLTRAH", "AMDX1", "A_0_0", "A_1_0", "B_3_0", "AP_1_1", "BP_0_2", "A_DMAX"),
    *("IMAGEW", "NAXIS", "NAXIS1", "BITPIX", "CO1_1", "TR1_1", *SIP),
]
_CARDS = st.one_of(
    st.builds(fitsfile.card, st.sampled_from(_WORDS), _NUMBERS),
    st.builds(lambda word, text: f"{word:<8}= '{text}'".encode(), st.sampled_from(_WORDS), st.just("LIAR!")),
    st.builds(
        lambda start, more: start + MARKER + more,
        st.sampled_from([b"COMMENT ", b"HISTORY ", b"CPDIS1  = ", b""]), st.binary(max_size=30),
    ),
    st.sampled_from([b"CPDIS1  = 'LOOKUP' / LIAR!", b"CTYPE1  = 'RA---TPV' / LIAR!", b"CTYPE1A = 'LIAR!'",
                     b"CONTINUE 'LIAR!'", b"CUNIT1  = 'rad' / LIAR!", b"RADESYS = 'GALACTIC' / LIAR!",
                     b"WCSNAME = 'LIAR!\0\x1b'"]),
)  # fmt: skip


@given(st.lists(_CARDS, max_size=6), st.booleans(), st.dictionaries(st.sampled_from(sorted(SIP)), _NUMBERS, max_size=3))
@settings(max_examples=150, deadline=None)
def test_whatever_a_server_sends_the_files_are_nova_s_own(cards: list[bytes], first: bool, sip: dict[str, Any]) -> None:
    """A reply is refused, or the files hold no text of it and describe the reported solution to every pixel."""
    wcs = wcs_fits(WIDTH, HEIGHT, **TAN, **sip)
    at = 160 if first else wcs.index(b"END     ")
    end = wcs.index(b"END     ")
    content = fitsfile.end_header([wcs[:at], *(card[:80].ljust(80) for card in cards), wcs[at:end]])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            (folder / "corr.fits").write_bytes(corr_fits(content, PLACES, OBJECT="LIAR!") + MARKER.ljust(2880))
            (folder / "wcs.fits").write_bytes(content)
            (folder / "rdls.fits").write_bytes(table_fits({"RA": "D", "DEC": "D", "LIAR!": "D"}, [(1.0, 2.0, 3.0)]))
            check_and_rewrite(folder, SENT, needs_matches=True)
        except (NovaError, ArithmeticError, ValueError):
            return
        reported = read_solution(folder, is_fits_like=True)
        write_pixels(np.zeros((HEIGHT, WIDTH), "u1"), reported.files.wcs, folder / "new.fits")
        for path in folder.iterdir():
            assert MARKER not in path.read_bytes()
        assert_same_sky(folder / "new.fits", reported)
        assert_same_sky(folder / "wcs.fits", reported)


def assert_same_sky(path: Path, reported: Any) -> None:
    content = path.read_bytes()
    header = content[: fitsfile.read_header(io.BytesIO(content)).size]
    assert header.isascii()
    assert header.decode().isprintable()
    seen = fits.Header.fromstring(header)
    seen["NAXIS"] = 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sky = WCS(seen)
    for x in (1, WIDTH / 2, WIDTH):
        for y in (1, HEIGHT / 2, HEIGHT):
            ra, dec = np.radians([float(v) for v in sky.all_pix2world(x, y, 1)])
            own_ra, own_dec = np.radians(reported.tan_sip.pixel_to_sky(x, y))
            half = np.sin((dec - own_dec) / 2) ** 2 + np.cos(dec) * np.cos(own_dec) * np.sin((ra - own_ra) / 2) ** 2
            assert np.degrees(2 * np.arcsin(np.sqrt(half))) * 3600 < 1e-6
