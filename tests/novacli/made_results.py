"""Result files as the engine lays them out, made byte by byte for the tests of whatever reads them."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Sequence

from novacli.wcs.header import from_header
from novacli.wcs.tansip import TanSip
from solvehost.formats import fitsfile

INDEX_LINES = ("Index(0):", "  /usr/share/astrometry/index-tycho2-19.littleendian.fits",
               "Index(1):", "  /usr/share/astrometry/index-tycho2-17.littleendian.fits")  # fmt: skip
QUAD_LINES = ("index id: 4117", "index healpix: -1", "log odds: 226.735", "nmatch: 47", "parity: 1")

SIP = {
    "A_ORDER": 2, "A_0_2": -2.39541367779e-06, "A_1_1": -1.76246968357e-05, "A_2_0": -5.09126404231e-05,
    "B_ORDER": 2, "B_0_2": -1.72540906584e-05, "B_1_1": -4.93700983225e-05, "B_2_0": 2.04742263188e-07,
    "AP_ORDER": 2, "AP_0_0": 0.0264901995887, "AP_0_1": 0.000153877148833, "AP_0_2": 2.32945103395e-06,
    "AP_1_0": 0.000397852946655, "AP_1_1": 1.72170659778e-05, "AP_2_0": 5.00536794672e-05,
    "BP_ORDER": 2, "BP_0_0": 0.00979056343558, "BP_0_1": 0.000230759459769, "BP_0_2": 1.7019566901e-05,
    "BP_1_0": 6.03545363488e-05, "BP_1_1": 4.87099986676e-05, "BP_2_0": -3.14747159872e-07,
}  # fmt: skip
"""The distortion that the engine found in a picture of Ursa Major, 719 x 507 pixels of 170 arcsec."""


def wcs_fits(width: int = 719, height: int = 507, *, sip: bool = True, comments: tuple[str, ...] | None = None,
             **changes: fitsfile.CardValue | None) -> bytes:  # fmt: skip
    """Return a wcs.fits; ``changes`` set cards, None leaves one out."""
    kind = "-SIP" if sip else ""
    values: dict[str, fitsfile.CardValue | None] = {
        "SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True, "WCSAXES": 2,
        "CTYPE1": f"RA---TAN{kind}", "CTYPE2": f"DEC--TAN{kind}", "EQUINOX": 2000.0, "LONPOLE": 180.0, "LATPOLE": 0.0,
        "CRVAL1": 190.909712733, "CRVAL2": 55.2199660721, "CRPIX1": 409.140828451, "CRPIX2": 276.5399882,
        "CUNIT1": "deg", "CUNIT2": "deg",
        "CD1_1": 0.022400872134, "CD1_2": 0.0416802407893, "CD2_1": -0.0416252040894, "CD2_2": 0.0225578196343,
        "IMAGEW": width, "IMAGEH": height, **(SIP if sip else {}),
    }  # fmt: skip
    values.update(changes)
    cards = [fitsfile.card(key, value) for key, value in values.items() if value is not None]
    cards.append(b"HISTORY Created by the Astrometry.net suite.".ljust(80))
    texts = (*INDEX_LINES, "Field name: job.axy", *QUAD_LINES) if comments is None else comments
    cards += [f"COMMENT {text}".encode().ljust(80) for text in texts]
    return fitsfile.end_header(cards)


def solution_of(wcs: bytes) -> TanSip:
    """Return the solution in the content of a wcs.fits."""
    return from_header(fitsfile.read_header(io.BytesIO(wcs)))


def table_fits(columns: dict[str, str], rows: list[tuple[float, ...]], **changes: fitsfile.CardValue) -> bytes:
    """Return a FITS file with one binary table; ``columns`` maps names to forms (E, D, J)."""
    codes = "".join({"E": "f", "D": "d", "J": "i"}[form] for form in columns.values())
    values: dict[str, fitsfile.CardValue] = {
        "XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": struct.calcsize(">" + codes), "NAXIS2": len(rows),
        "PCOUNT": 0, "GCOUNT": 1, "TFIELDS": len(columns),
    }  # fmt: skip
    for n, (name, form) in enumerate(columns.items(), 1):
        values |= {f"TTYPE{n}": name, f"TFORM{n}": f"1{form}"}
    values |= changes
    primary = [fitsfile.card(k, v) for k, v in {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True}.items()]
    body = b"".join(struct.pack(">" + codes, *row) for row in rows)
    header = fitsfile.end_header([fitsfile.card(k, v) for k, v in values.items()])
    return fitsfile.end_header(primary) + header + fitsfile.pad_data(body)


CORR_COLUMNS = {"field_x": "D", "field_y": "D", "index_ra": "D", "index_dec": "D", "index_id": "J"}
RDLS_COLUMNS = {"MAG_VT": "E", "RA": "D", "DEC": "D"}
AXY_COLUMNS = {"X": "E", "Y": "E", "FLUX": "E"}

Place = tuple[float, float]


def corr_fits(wcs: bytes, stars: Sequence[Place], **changes: fitsfile.CardValue) -> bytes:
    """Return a corr.fits in which the solution of a wcs.fits maps image stars (FITS pixels) exactly to the sky."""
    solution = solution_of(wcs)
    rows = [(x, y, *solution.pixel_to_sky(x, y), n) for n, (x, y) in enumerate(stars)]
    return table_fits(CORR_COLUMNS, rows, **changes)


def shifted_north(place: Place, arcsec: float) -> Place:
    """Return the place ``arcsec`` further north."""
    return place[0], place[1] + arcsec / 3600


def assert_same_angle(one: float, other: float, tolerance: float) -> None:
    """Compare degrees across 0 = 360."""
    apart = (one - other + 180) % 360 - 180
    assert math.fabs(apart) <= tolerance, (one, other)
