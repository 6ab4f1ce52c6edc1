"""Star lists as programs write them: IRAF, DAOPHOT, AstroImageJ, Siril, SExtractor, and lists with a running number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fitsio
import numpy as np
import pytest

from novacli.errors import DataError
from novacli.inputs import FileInput, open_field
from novacli.records.field import StarList

#: x, y, flux and magnitude of stars, which are not in the order of their brightness.
STARS = [(10.5, 301.25, 500.0, -6.75), (20.0, 2.0, 9000.0, -9.89), (300.0, 30.0, 70.0, -4.61), (40.0, 40.0, 8.0, -2.26)]
X, Y, FLUX, MAG = (list(column) for column in zip(*STARS, strict=True))
#: The same, brightest first.
RANKED_X = [20.0, 10.5, 300.0, 40.0]

IRAF_HEAD = (
    "#K IRAF       = NOAO/IRAFV2.16          version    %-23s\n#K IMAGE      = a.fits          imagename  %-23s\n"
)
COO = (
    IRAF_HEAD + "#\n#N XCENTER   YCENTER   MAG      SHARPNESS   SROUND      GROUND      ID         \\\n"
    "#U pixels    pixels    #        #           #           #           #          \\\n"
    "#F %-13.3f   %-10.3f   %-9.3f   %-12.3f     %-12.3f     %-12.3f     %-6d       \\\n#\n"
    + "".join(f"   {x:<10} {y:<10} {m:<9} 0.5  0.0  0.1  {n}\n" for n, (x, y, _, m) in enumerate(STARS, 1))
)
PHOT = (
    IRAF_HEAD + "#N IMAGE               XINIT     YINIT     ID    COORDS                 LID    \\\n"
    "#N XCENTER    YCENTER    XSHIFT  YSHIFT  XERR    YERR            CIER CERROR   \\\n"
    "#N RAPERT   SUM           AREA       FLUX          MAG    MERR   PIER PERROR   \\\n#\n"
    + "".join(
        f"a.fits 1.0 1.0 {n} a.coo.1 {n} \\\n  {x} {y} 0.0 0.0 0.1 0.1 0 NoError \\\n"
        f"  3.00 {f + 1} 28.2 {f} {m if n > 1 else 'INDEF'} 0.01 0 NoError *\\\n  5.00 1 2 3 4 5 0 NoError\n"
        for n, (x, y, f, m) in enumerate(STARS, 1)
    )
)
ALS = (
    IRAF_HEAD + "#N ID    XCENTER   YCENTER   MAG         MERR          MSKY           NITER    \\\n"
    "#N         SHARPNESS   CHI         PIER  PERROR                                \\\n#\n"
    + "".join(f"{n} {x} {y} {m} 0.1 12.0 4 \\\n      0.1 0.9 0 No_error\n" for n, (x, y, _, m) in enumerate(STARS, 1))
)
DAOPHOT = " NL   NX   NY  LOWBAD HIGHBAD  THRESH     AP1  PH/ADU  RNOISE    FRAD\n"
DAOPHOT_ALS = f"{DAOPHOT}  1  640  480   -50.0 60000.0   20.00    3.00    1.70    4.10    5.00\n\n" + "".join(
    f" {n} {x} {y} {m} 0.01 120.1 3. 1.0 0.02\n" for n, (x, y, _, m) in enumerate(STARS, 1)
)
DAOPHOT_AP = f"{DAOPHOT}  2  640  480   -50.0 60000.0   20.00    3.00    1.70    4.10    5.00\n\n" + "".join(
    f"\n {n} {x} {y} {m}\n  120.1 3.2 0.01 0.002\n" for n, (x, y, _, m) in enumerate(STARS, 1)
)
AIJ_BY_STAR = "\tLabel\tslice\tX(FITS)_T1\tY(FITS)_T1\tSource-Sky_T1\tX(IJ)_T1\tY(IJ)_T1\n" + "".join(
    f"{n}\tim.fits\t1\t{x}\t{y}\t{f}\t1\t1\n" for n, (x, y, f, _) in enumerate(STARS, 1)
)
APERTURES = ("T1", "C2", "C3", "T4")
AIJ_BY_IMAGE = (
    "\tLabel\tJD_UTC\trel_flux_T1\t"
    + "\t".join(f"X(FITS)_{a}\tY(FITS)_{a}\tSource-Sky_{a}" for a in APERTURES)
    + "\n1\tim_1.fits\t2459000.5\t0.2\t"
    + "\t".join(f"{x}\t{y}\t{f}" for x, y, f, _ in STARS)
    + "\n2\tim_2.fits\t2459000.6\t0.2\t"
    + "\t".join("7\t7\t7" for _ in STARS)
    + "\n"
)
SIRIL = (
    "# 4 stars found using the following parameters:\n# sigma=1.00 roundness=0.50 radius=10 auto_adjust=1\n"
    "# star#\tlayer\tB\tA\tbeta\tX\tY\tFWHMx [px]\tFWHMy [px]\t"
    'FWHMx ["]\tFWHMy ["]\tangle\tRMSE\tmag\tProfile\tRA\tDec\n'
    + "".join(
        f"{n}\t0\t0.001\t0.7\t-1\t{x}\t{y}\t2.3\t2.3\t0\t0\t12\t0.1\t{m}\tGaussian\t0.0\t0.0\n"
        for n, (x, y, _, m) in enumerate(STARS, 1)
    )
)
ASCII_HEAD = (
    "#   1 NUMBER          Running object number\n#   2 FLUX_APER       Flux vector within fixed apertures  [count]\n"
    "#   5 X_IMAGE         Object position along x  [pixel]\n#   6 Y_IMAGE         Object position along y  [pixel]\n"
    + "".join(f" {n} {f} {f + 1} {f + 2} {x} {y}\n" for n, (x, y, f, _) in enumerate(STARS, 1))
)
PHOTUTILS_PSF = "id x_fit y_fit flux_fit x_err flux_err\n" + "".join(
    f"{n} {x} {y} {f} 0.1 0.1\n" for n, (x, y, f, _) in enumerate(STARS, 1)
)
INSTRUMENTAL = "x y e_mag inst_mag mag_err\n" + "".join(f"{x} {y} 0.1 {m} 0.1\n" for x, y, _, m in STARS)
TEXTS = {
    "IRAF coo": COO,
    "IRAF phot": PHOT,
    "IRAF als": ALS,
    "DAOPHOT als": DAOPHOT_ALS,
    "DAOPHOT ap": DAOPHOT_AP,
    "AstroImageJ, a star a row": AIJ_BY_STAR,
    "AstroImageJ, an image a row": AIJ_BY_IMAGE,
    "AstroImageJ, CSV": AIJ_BY_IMAGE.replace("\t", ","),
    "Siril": SIRIL,
    "SExtractor": ASCII_HEAD,
    "photutils PSF": PHOTUTILS_PSF,
    "instrumental magnitudes": INSTRUMENTAL,
}


def read_stars(path: Path) -> StarList:
    field = open_field(FileInput(str(path)))
    assert isinstance(field, StarList)
    return field


def ranked_x(stars: StarList) -> list[float]:
    """Return x of the stars, brightest first."""
    assert stars.flux is not None
    return [float(stars.x[row]) for row in np.argsort(-stars.flux, kind="stable")]


@pytest.mark.parametrize("name", TEXTS)
def test_a_list_of_a_program_is_read_brightest_first(tmp_path: Path, name: str) -> None:
    path = tmp_path / "stars.lst"
    path.write_text(TEXTS[name], encoding="utf-8")
    stars = read_stars(path)
    assert ranked_x(stars) == RANKED_X
    assert sorted(stars.y.tolist()) == sorted(Y)


def test_a_header_of_daophot_has_the_size_of_the_image(tmp_path: Path) -> None:
    (tmp_path / "a.als").write_text(DAOPHOT_ALS, encoding="utf-8")
    stars = read_stars(tmp_path / "a.als")
    assert (stars.width, stars.height, stars.size_is_guessed) == (640, 480, False)


def test_a_note_says_where_siril_counts_from(tmp_path: Path) -> None:
    (tmp_path / "a.lst").write_text(SIRIL, encoding="utf-8")
    assert read_stars(tmp_path / "a.lst").notes[0] == (
        "Siril counts y from the top of the picture: so does the solution"
    )


@pytest.mark.parametrize(("columns", "end"), [(3, "x and y"), (4, "x, y and flux"), (5, "x, y and flux")])
@pytest.mark.parametrize("start", [0, 1])
def test_a_running_number_is_not_taken_for_x(tmp_path: Path, columns: int, end: str, start: int) -> None:
    rows = [[str(n), *map(str, star)][:columns] for n, star in enumerate(STARS, start)]
    (tmp_path / "a.txt").write_text("\n".join(map(" ".join, rows)), encoding="utf-8")
    stars = read_stars(tmp_path / "a.txt")
    assert (stars.x.tolist(), stars.y.tolist()) == (X, Y)
    last = min(columns, 4)
    assert stars.notes[0] == f"took columns 2 to {last} of {columns} columns without names as {end}: " + (
        "name them in a first line"
    )


def test_whole_pixels_in_the_first_column_are_x(tmp_path: Path) -> None:
    """They do not count up by one."""
    (tmp_path / "a.txt").write_text("1 5 9\n2 6 8\n4 7 7\n5 8 6\n", encoding="utf-8")
    assert read_stars(tmp_path / "a.txt").x.tolist() == [1, 2, 4, 5]


def test_a_table_of_a_program_without_positions_names_its_columns(tmp_path: Path) -> None:
    (tmp_path / "a.tbl").write_text("\tLabel\tJD\tSource-Sky_T1\n1\tim\t2\t3\n2\tim\t2\t3\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"without columns x and y: it has , Label, JD, Source-Sky_T1; rename the two"):
        read_stars(tmp_path / "a.tbl")


# --- Catalogues of SExtractor in FITS ------------------------------------------------------------------------------


def image_header_cards(**cards: Any) -> str:
    """Return the header of an image as LDAC_IMHEAD has it: one text of cards of 80 characters."""
    texts = [f"{key:8}= {value!s:>20}".ljust(80) for key, value in cards.items()]
    return "".join([*texts, "END".ljust(80)])


def objects() -> np.ndarray[Any, Any]:
    table = np.zeros(len(STARS), dtype=[("NUMBER", "i4"), ("X_IMAGE", "f4"), ("Y_IMAGE", "f8"), ("FLUX_APER", "f4", 3)])
    table["NUMBER"], table["X_IMAGE"], table["Y_IMAGE"] = range(1, 5), X, Y
    table["FLUX_APER"] = np.array(FLUX)[:, None] * (1, 0, -1)
    return table


@pytest.fixture
def write_catalogue(tmp_path: Path) -> Callable[[str | None], Path]:
    """Return a function that writes a catalogue: FITS_LDAC with the text of an image's header, FITS_1.0 without."""

    def write(header: str | None) -> Path:
        path = tmp_path / "a.cat"
        with fitsio.FITS(str(path), "rw", clobber=True) as file:
            file.write(None)
            if header is not None:
                text = np.zeros(1, dtype=[("Field Header Card", f"S{len(header)}")])
                text["Field Header Card"] = header.encode("latin-1")
                file.write(text, extname="LDAC_IMHEAD")
            file.write(objects(), extname="OBJECTS" if header is None else "LDAC_OBJECTS")
        return path

    return write


def test_the_first_aperture_of_a_fits_catalogue_gives_the_flux(write_catalogue: Callable[..., Path]) -> None:
    stars = read_stars(write_catalogue(None))
    assert ranked_x(stars) == RANKED_X
    assert stars.size_is_guessed


def test_the_image_header_of_an_ldac_catalogue_gives_size_and_hints(write_catalogue: Callable[..., Path]) -> None:
    cards = image_header_cards(SIMPLE="T", BITPIX=16, NAXIS=2, NAXIS1=640, NAXIS2=480, FOCALLEN=200.0, OBJECT="'M 42'")
    stars = read_stars(write_catalogue(cards))
    assert ranked_x(stars) == RANKED_X
    assert (stars.width, stars.height, stars.size_is_guessed, stars.notes) == (640, 480, False, ())
    assert (stars.header["FOCALLEN"], stars.header["OBJECT"]) == (200.0, "M 42")


@pytest.mark.parametrize("header", ["", "no card at all", "NAXIS1  = many", "NAXIS1  = -5".ljust(80), "é" * 81])
def test_a_damaged_image_header_is_ignored(write_catalogue: Callable[..., Path], header: str) -> None:
    stars = read_stars(write_catalogue(header or " "))
    assert (ranked_x(stars), stars.size_is_guessed) == (RANKED_X, True)
