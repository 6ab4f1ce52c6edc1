"""Header cards to a solution and back: refused headers, and the frame that is written."""

from __future__ import annotations

import io
import math
from pathlib import Path

import made_results as made
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novacli.errors import DataError
from novacli.wcs.header import Header, cards, from_header, read_wcs
from novacli.wcs.tansip import TanSip
from solvehost.formats import fitsfile


def read(tmp_path: Path, content: bytes) -> TanSip:
    path = tmp_path / "wcs.fits"
    path.write_bytes(content)
    return read_wcs(path)


def _header(content: bytes) -> Header:
    return fitsfile.read_header(io.BytesIO(content))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"CD1_1": None}, "CD1_1 is None, not a number"),
        ({"CRVAL1": "abc"}, "CRVAL1 is 'abc', not a number"),
        ({"CRVAL2": True}, "CRVAL2 is True, not a number"),
        ({"CRVAL2": 95.0}, "is not on the sky"),
        ({"CRPIX1": 1e30}, "too far away"),
        ({"CD1_1": 0, "CD1_2": 0}, "CD matrix is singular"),
        ({"CD1_1": 1e-12, "CD1_2": 0, "CD2_1": 0, "CD2_2": 1e-12}, "pixel scale of .* is impossible"),
        ({"IMAGEW": 0}, "IMAGEW = 0 cannot be the side of an image"),
        ({"IMAGEH": 10**12}, "IMAGEH = 1e[+]12 cannot be the side of an image"),
        ({"A_ORDER": 10**9}, "A_ORDER = 1e[+]09 is outside 0 to 9"),
        ({"CTYPE1": "RA---ZEA"}, "projection is 'RA---ZEA'"),
    ],
)
def test_unusable_header_is_reported(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    """The DataError names the file, the card and what to do next."""
    with pytest.raises(DataError, match=rf"wcs\.fits: .*{says}.*; solve the image again"):
        read(tmp_path, made.wcs_fits(**changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e400"])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, text: str) -> None:
    """NaN and infinity are refused in every spelling."""
    content = made.wcs_fits().replace(b"CD1_1   =       0.022400872134", f"CD1_1   = {text:>20}".encode())
    with pytest.raises(DataError, match="CD1_1 is not a finite number"):
        read(tmp_path, content)


def test_missing_and_truncated_files_are_reported(tmp_path: Path) -> None:
    """The DataError names the file, once, and what to do next."""
    with pytest.raises(DataError, match=r"none\.fits: No such file.*solve the image again"):
        read_wcs(tmp_path / "none.fits")
    with pytest.raises(DataError, match=rf"^{tmp_path}/wcs\.fits: a FITS header .*cut short.*; solve the image again$"):
        read(tmp_path, made.wcs_fits()[:1000])


@given(st.binary(max_size=4000))
def test_any_bytes_are_a_data_error_or_a_solution(junk: bytes) -> None:
    """Arbitrary bytes in the middle of a header raise DataError or nothing."""
    content = bytearray(made.wcs_fits())
    content[640 : 640 + len(junk)] = junk[: 5760 - 640]
    try:
        solution = from_header(_header(bytes(content)))
    except DataError:
        return
    assert all(map(math.isfinite, solution.pixel_to_sky(1, 1)))


@pytest.mark.parametrize("sip", [True, False])
def test_cards_describe_the_same_solution_on_the_icrs(sip: bool) -> None:
    """Written cards read back as the same solution; astropy takes them for ICRS, not for FK5."""
    from astropy.io import fits
    from astropy.wcs import WCS
    from astropy.wcs.utils import wcs_to_celestial_frame

    solution = from_header(_header(made.wcs_fits(sip=sip)))
    written = cards(solution)
    header = fits.Header.fromstring(b"".join(written).decode("ascii"))
    size = {"IMAGEW": solution.width, "IMAGEH": solution.height}
    assert from_header({**{card.keyword: card.value for card in header.cards}, **size}) == solution
    assert wcs_to_celestial_frame(WCS(header)).name == "icrs"
