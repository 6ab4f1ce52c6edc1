"""``nova-astap``: the calls of N.I.N.A. and CCDCiel as their sources write them, answered as their readers expect."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import made_results as made
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from made_sky import DrawnField
from PIL import Image

from novacli.cli import astap
from novacli.cli.astap import AstapCall, main, parse_call
from novacli.errors import UnavailableError, UsageError
from novacli.pipeline.context import Solved
from novacli.records.result import Result
from novacli.records.status import SOLVED, UNSOLVED
from novacli.solution.reading import Unsolved, read_solution
from novacli.wcs.sphere import separation_arcsec

WIDTH, HEIGHT = 60, 40
WCS_FITS = made.wcs_fits(WIDTH, HEIGHT, CRPIX1=31.5, CRPIX2=19.25)
Run = Callable[..., int]


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``nova-astap`` in the home, and return its exit code."""
    monkeypatch.chdir(home)

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["nova-astap", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0)

    return call


def _stand_in(
    monkeypatch: pytest.MonkeyPatch, folder: Path, outcome: str = SOLVED, reason: str | None = None
) -> list[Any]:
    """Replace the solve by an outcome; return the list of the parameters that it is called with."""
    calls: list[Any] = []
    (folder / "job").mkdir()
    (folder / "job" / "wcs.fits").write_bytes(WCS_FITS)

    def solve(field: Any, params: Any) -> Solved:
        calls.append(params)
        result = Result("x", outcome, reason=reason)
        if outcome != SOLVED:
            return Solved(result, Unsolved(reason or "", 1, 1.0), origin=field.origin)
        return Solved(result, read_solution(folder / "job", is_fits_like=field.is_fits_like), origin=field.origin)

    monkeypatch.setattr(astap, "_solve", solve)
    return calls


@pytest.fixture
def image(home: Path) -> Path:
    path = home / "light 1.fits"
    fits.writeto(path, np.ones((HEIGHT, WIDTH), np.uint16))
    return path


def _read_as_nina(path: Path) -> dict[str, str]:
    """Split every line that is not blank at the first equals sign, as ASTAPSolver.ReadResult does."""
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    pairs = [line.split("=", 1) for line in lines]
    assert len({pair[0] for pair in pairs}) == len(pairs)  # ToDictionary raises for a key that is repeated
    return dict(pairs)


def _read_as_ccdciel(path: Path) -> fits.Header:
    """Make each line a card of 80 characters, as TAstrometry_engine.AstapWcs does."""
    cards = [f"{line:<80}"[:80] for line in path.read_text().splitlines()]
    return fits.Header.fromstring("".join(cards))


def test_the_call_of_nina(run: Run, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """-f, the height of the field, downsampling, stars, radius, RA in hours, south pole distance."""
    calls = _stand_in(monkeypatch, image.parent)
    arguments = (
        "-f",
        str(image),
        "-fov",
        "1.5",
        "-z",
        "2",
        "-s",
        "500",
        "-r",
        "30",
        "-ra",
        "5.588139",
        "-spd",
        "84.608889",
    )
    assert run(*arguments) == 0
    (params,) = calls
    assert params.position.ra_deg == pytest.approx(83.822085)
    assert params.position.dec_deg == pytest.approx(-5.391111)
    assert params.position.radius_deg == 30
    low, high = params.scale.arcsec_per_pixel(WIDTH)
    assert low < 1.5 * 3600 / HEIGHT < high
    found = _read_as_nina(image.with_suffix(".ini"))
    solution = made.solution_of(WCS_FITS)
    center = solution.pixel_to_sky(*solution.center_px)
    assert found["PLTSOLVD"] == "T"
    assert separation_arcsec((float(found["CRVAL1"]), float(found["CRVAL2"])), center) < 1e-6
    assert np.hypot(float(found["CD1_2"]), float(found["CD2_2"])) * 3600 == pytest.approx(170.4, rel=0.02)
    assert -180 <= float(found["CROTA2"]) <= 180
    assert "WARNING" not in found


def test_the_call_of_nina_without_a_position(run: Run, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = _stand_in(monkeypatch, image.parent)
    assert run("-f", str(image), "-fov", "0", "-z", "0", "-s", "500", "-r", "180") == 0
    assert (calls[0].position, calls[0].scale) == (None, None)


def test_the_call_of_ccdciel(run: Run, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """-z, -r, -f; it reads the .wcs line by line."""
    _stand_in(monkeypatch, image.parent)
    assert run("-z", "0", "-r", "30", "-f", str(image)) == 0
    header = _read_as_ccdciel(image.with_suffix(".wcs"))
    assert header["PLTSOLVD"] is True
    solution = made.solution_of(WCS_FITS)
    x, y = solution.center_px
    ra, dec = WCS(header).wcs_pix2world(x, y, 1)
    assert separation_arcsec((float(ra), float(dec)), solution.pixel_to_sky(x, y)) < 1e-6


@pytest.mark.parametrize("kind", ["fits", "png"])
def test_the_header_in_fits_format_with_distortion(
    kind: str, run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """-wcs -sip: the whole solution; the rows of a picture count from the bottom."""
    path = home / f"img.{kind}"
    if kind == "fits":
        fits.writeto(path, np.ones((HEIGHT, WIDTH), np.uint8))
    else:
        Image.new("L", (WIDTH, HEIGHT)).save(path)
    _stand_in(monkeypatch, home)
    assert run("-f", str(path), "-wcs", "-sip") == 0
    data = (home / "img.wcs").read_bytes()
    assert len(data) % 2880 == 0
    wcs = WCS(fits.Header.fromstring(data.decode("ascii")))
    solution = made.solution_of(WCS_FITS)
    for x, y in ((1.0, 1.0), (60.0, 40.0), (10.0, 33.0)):
        row = y if kind == "fits" else HEIGHT + 1 - y
        ra, dec = wcs.all_pix2world(x, row, 1)
        assert separation_arcsec((float(ra), float(dec)), solution.pixel_to_sky(x, y)) < 1e-6


@pytest.mark.parametrize(("reason", "code", "words"), [
    ("exhausted", 1, "No solution found."), ("no-stars", 2, "Not enough stars."),
])  # fmt: skip
def test_an_unsolved_image(
    reason: str, code: int, words: str, run: Run, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(monkeypatch, image.parent, UNSOLVED, reason)
    assert run("-f", str(image)) == code
    found = _read_as_nina(image.with_suffix(".ini"))
    assert (found["PLTSOLVD"], found["ERROR"]) == ("F", words)
    assert not image.with_suffix(".wcs").exists()


def test_errors_have_the_codes_of_astap(run: Run, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """16 for an image that cannot be read, 32 without index files; the .ini says why."""
    assert run("-f", "none.fits") == 16
    assert "none.fits" in _read_as_nina(Path("none.ini"))["ERROR"]
    Path("text.fits").write_text("no image")
    assert run("-f", "text.fits") == 16

    def without_index(*_args: object) -> None:
        raise UnavailableError("there is no index file")

    monkeypatch.setattr(astap, "_solve", without_index)
    assert run("-f", str(image)) == 32
    assert _read_as_nina(image.with_suffix(".ini"))["ERROR"] == "there is no index file"


def test_results_are_named_by_o(run: Run, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in(monkeypatch, image.parent)
    assert run("-f", str(image), "-o", "result.x") == 0
    assert Path("result.ini").exists()
    assert Path("result.wcs").exists()
    assert not image.with_suffix(".ini").exists()


def test_earlier_results_are_replaced_but_no_image(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in(monkeypatch, home)
    for name in ("img.png", "img.ini"):
        Image.new("L", (WIDTH, HEIGHT)).save(home / name, format="PNG")
    before = (home / "img.ini").read_bytes()
    assert run("-f", "img.png") == 1
    assert (home / "img.ini").read_bytes() == before
    (home / "img.ini").write_text("old result")
    assert run("-f", "img.png") == 0
    assert _read_as_nina(home / "img.ini")["PLTSOLVD"] == "T"


def test_update_writes_into_fits_and_beside_other_pictures(
    run: Run, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(monkeypatch, image.parent)
    assert run("-f", str(image), "-update") == 0
    assert fits.getheader(image)["CTYPE1"] == "RA---TAN-SIP"
    Image.new("L", (WIDTH, HEIGHT)).save("img.png")
    assert run("-f", "img.png", "-update") == 0
    assert fits.getheader("img.fits")["CTYPE1"] == "RA---TAN-SIP"
    assert run("-f", "img.png", "-update") == 0
    assert "img.fits: the file exists already" in _read_as_nina(Path("img.ini"))["WARNING"]


@pytest.mark.parametrize(("arguments", "call"), [
    (["-f", "a.b.fits"], AstapCall("a.b.fits", Path("a.b"))),
    (["--f", "a.fits", "-check", "y", "-wcs", "-unknown"],
     AstapCall("a.fits", Path("a"), flags=frozenset({"check", "wcs", "unknown"}))),
    (["-ra", "-0.1", "-spd", "0", "-f", "a.fits", "-D", "d50", "-d", "/x", "-speed", "auto", "-t", "0.007"],
     AstapCall("a.fits", Path("a"), center_deg=(358.5, -90))),
    (["-f", "a.fits", "-fov", "1,5", "-ra", "1"], AstapCall("a.fits", Path("a"), fov_deg=1.5)),
])  # fmt: skip
def test_command_lines_are_understood(arguments: list[str], call: AstapCall) -> None:
    assert parse_call(arguments) == call


@pytest.mark.parametrize(("arguments", "words"), [
    (["-r", "3"], "give -f FILE"), (["-f", "a", "-fov", "x"], "-fov 'x' is not a number"),
    (["-f", "a", "-fov", "nan"], "is not a number"), (["-f", "a", "-analyse", "30"], "-analyse is not supported"),
])  # fmt: skip
def test_what_cannot_be_done_is_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_call(arguments)


def test_without_arguments_it_prints_help(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert "-spd  DEGREES" in capsys.readouterr().out


@pytest.mark.engine
@pytest.mark.parametrize("kind", ["fits", "jpg"])
def test_a_drawn_field_is_solved(kind: str, run: Run, home: Path, drawn: DrawnField) -> None:
    """By the real engine, with the hints as N.I.N.A. gives them."""
    path = home / f"img.{kind}"
    (drawn.write_fits if kind == "fits" else drawn.write_jpeg)(path)
    hints = ("-fov", "9", "-r", "30", "-ra", str(drawn.ra_deg / 15), "-spd", str(drawn.dec_deg + 90), "-log")
    assert run("-f", str(path), *hints) == 0
    found = _read_as_nina(home / "img.ini")
    center = float(found["CRVAL1"]), float(found["CRVAL2"])
    assert separation_arcsec(center, (drawn.ra_deg, drawn.dec_deg)) < 2 * drawn.pixscale_arcsec
    # The drawing is not mirrored, and the rows of both files count from the bottom.
    assert float(found["CDELT1"]) < 0 < float(found["CDELT2"])
    assert (home / "img.log").stat().st_size > 0
