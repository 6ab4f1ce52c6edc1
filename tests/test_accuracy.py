"""The accuracy benchmark: errors of known size are measured correctly, and its report runs on stand-ins."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
sys.path.append(str(Path(__file__).parent / "novacli"))

import accuracy
from made_results import wcs_fits

from novacli.wcs.header import from_header, read_wcs
from novacli.wcs.tansip import TanSip

TRUTH = TanSip((80.0, 20.0), (500.5, 400.5), ((-0.01, 0.0), (0.0, 0.01)), 1000, 800)
PIXEL_ARCSEC = 36.0
CARDS = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 80.0, "CRVAL2": 20.0, "CRPIX1": 500.5, "CRPIX2": 400.5,
    "CD1_1": -0.01, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.01,
}  # fmt: skip


def test_truth_has_no_error() -> None:
    a = accuracy.accuracy_of(TRUTH, TRUTH)
    assert (a.center_px, a.scale, a.sip_order) == (0, 0, 0)
    assert a.grid_worst_px < 1e-6


def test_shift_is_the_same_everywhere() -> None:
    moved = replace(TRUTH, crpix=(503.5, 404.5))
    a = accuracy.accuracy_of(moved, TRUTH)
    assert a.center_px == pytest.approx(5, rel=1e-3)
    assert a.center_arcsec == pytest.approx(5 * PIXEL_ARCSEC, rel=1e-3)
    assert a.grid_rms_px == pytest.approx(5, rel=0.02)


def test_wrong_scale_shows_at_the_edges() -> None:
    larger = replace(TRUTH, cd=((-0.0101, 0.0), (0.0, 0.0101)))
    a = accuracy.accuracy_of(larger, TRUTH)
    assert a.center_px < 1e-6
    assert a.scale == pytest.approx(0.01)
    assert a.grid_worst_px == pytest.approx(0.01 * math.hypot(500, 400), rel=0.03)


def test_spurious_distortion_shows_in_the_corners() -> None:
    k = 2e-8
    bent = replace(TRUTH, sip_order=3, a=((3, 0, k), (1, 2, k)), b=((2, 1, k), (0, 3, k)))
    a = accuracy.accuracy_of(bent, TRUTH)
    assert (a.center_px, a.scale, a.sip_order) == (pytest.approx(0, abs=1e-6), 0, 3)
    assert a.grid_worst_px == pytest.approx(k * math.hypot(500, 400) ** 3, rel=0.03)
    assert a.grid_rms_px < a.grid_worst_px / 2


@pytest.mark.parametrize(
    ("values", "share", "expected"), [([3, 1, 2], 0.5, 2), ([3, 1, 2, 4], 0.9, 4), (range(10), 0.9, 8), ([5], 1, 5)]
)
def test_quantiles(values: list[float], share: float, expected: float) -> None:
    assert accuracy.quantile(values, share) == expected


def test_quantile_of_no_values_is_nan() -> None:
    assert math.isnan(accuracy.quantile([], 0.5))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture, as far as the benchmark looks at it: its name and the truth beside it."""
    path = tmp_path / "drawn.fits"
    path.write_bytes(b"")
    place = {"ra": 80.0, "dec": 20.0, "pixscale_arcsec": PIXEL_ARCSEC, "parity": -1, "width_deg": 9.9}
    (tmp_path / "drawn.fits.truth.json").write_text(json.dumps({**place, "size": [1000, 800], "wcs": CARDS}))
    return path


def made_nova(folder: Path, **changes: float) -> str:
    """Return a command that answers as nova does, with a solution that differs from the truth by ``changes``."""
    (folder / "wcs.fits").write_bytes(wcs_fits(1000, 800, sip=False, **{**CARDS, **changes}))
    result = {"status": "solved", "files": {"wcs": str(folder / "wcs.fits")}, "match": {"rms_arcsec": 18.0}}
    program = folder / "nova.py"
    program.write_text(f"print({json.dumps(json.dumps(result))})\n")
    return f"{sys.executable} {program}"


@pytest.fixture(autouse=True)
def no_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy.reporting, "installed_indexes", list)


def test_report_states_the_errors(picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = made_nova(tmp_path, CRPIX1=501.5)
    files = ["--json", str(tmp_path / "out.json"), "--markdown", str(tmp_path / "out.md")]
    assert accuracy.main([str(picture), "--nova", command, *files]) == 0
    (held,) = json.loads((tmp_path / "out.json").read_text())["pictures"]["nova"]
    assert held["accuracy"]["center_px"] == pytest.approx(1, rel=1e-3)
    assert held["rms_px"] == pytest.approx(0.5)
    assert "| 3° to 10° | 1 | 36.00 / 36.00 / 36.00 |" in (tmp_path / "out.md").read_text()
    assert "1 of 1 fields solved, 0 wrong answers" in capsys.readouterr().out


@pytest.mark.parametrize("changes", [{"CRVAL2": 21.0}, {"CD1_1": 0.01}], ids=["elsewhere", "mirrored"])
def test_wrong_answer_is_counted_and_left_out_of_means(
    picture: Path, tmp_path: Path, changes: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    assert accuracy.main([str(picture), "--nova", made_nova(tmp_path, **changes)]) == 0
    assert "0 of 1 fields solved, 1 wrong answers" in capsys.readouterr().out


def test_unsolved_image_is_reported(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert accuracy.main([str(picture), "--nova", "false"]) == 0
    assert "unsolved" in capsys.readouterr().out


def test_truth_file_round_trip(picture: Path, tmp_path: Path) -> None:
    width_deg, truth = accuracy.truth_of(picture)
    assert width_deg == 9.9
    assert truth == from_header({**CARDS, "IMAGEW": 1000, "IMAGEH": 800})
    made_nova(tmp_path)
    assert read_wcs(tmp_path / "wcs.fits") == truth
