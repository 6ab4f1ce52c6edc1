"""TPV headers and text headers, read by astropy and compared with the SIP solution on a grid of pixels."""

from __future__ import annotations

from pathlib import Path

import made_results as made
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from novacli.errors import UsageError

from .conftest import export, farthest_arcsec, grid, solved_field

WIDE = made.wcs_fits()
ORDER_5 = made.wcs_fits(A_ORDER=5, A_5_0=3e-13, A_2_3=-2e-13, A_0_4=1e-10, B_ORDER=5, B_1_4=4e-13, B_0_3=-1e-8)
PLAIN = made.wcs_fits(sip=False)


def _sky(header: fits.Header) -> object:
    header["NAXIS"] = 2  # without an image, astropy warns that there is none
    return WCS(header).all_pix2world(*grid(719, 507), 1)


@pytest.mark.parametrize("wcs", [WIDE, ORDER_5, PLAIN], ids=["order 2", "order 5", "no distortion"])
@pytest.mark.parametrize("name", ["tpv", "head"])
def test_tpv_equals_sip(name: str, wcs: bytes, tmp_path: Path) -> None:
    """At most 1e-6 arcsec apart, up to the outer corners of a field of 34 degrees."""
    field = solved_field(tmp_path, wcs)
    target = tmp_path / f"img.{name}"
    assert export(field, name, target) == ()
    header = fits.getheader(target) if name == "tpv" else fits.Header.fromtextfile(target)
    assert not [key for key in header if key.startswith(("A_", "B_", "AP_", "BP_"))]
    assert farthest_arcsec(_sky(header), field.solution.wcs.all_pix2world(*grid(719, 507), 1)) < 1e-6


def test_a_text_header_has_a_card_a_line_and_ends_with_end(tmp_path: Path) -> None:
    """As SWarp and SCAMP read it: their parser takes lines of at most 80 characters up to END."""
    export(solved_field(tmp_path, WIDE), "head", tmp_path / "img.head")
    lines = (tmp_path / "img.head").read_text(encoding="ascii").splitlines()
    assert lines[-1] == "END"
    assert lines[0] == "CTYPE1  = 'RA---TPV'"
    assert max(map(len, lines)) <= 80


def test_a_distortion_above_the_order_of_tpv_is_refused(tmp_path: Path) -> None:
    field = solved_field(tmp_path, made.wcs_fits(A_ORDER=8, A_8_0=1e-22))
    with pytest.raises(UsageError, match=r"order 8 cannot be written as TPV.*--tweak-order 7"):
        export(field, "tpv", tmp_path / "img.tpv")
    assert not (tmp_path / "img.tpv").exists()
