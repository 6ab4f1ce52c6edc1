"""Real images with known answers, one of each format, through the whole pipeline with the real engine."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from made_lines import read_lines
from made_sky import distance_deg

from novacli.inputs import FileInput
from novacli.pipeline.context import Context
from novacli.pipeline.solve import solve_input
from novacli.records.params import SolveParams
from novacli.records.progress import Progress

pytestmark = [pytest.mark.engine, pytest.mark.corpus]

#: JPEG, PNG with alpha, 16-bit TIFF, GIF, colour cube, Bayer mosaic (packed), several HDUs.
SOLVED = (
    "apod4.jpg", "oresat_mock.png", "tetra3_a.tiff", "pleiades.gif", "ppa_cube.fits", "panoptes_unsolved.fits.gz",
    "panoptes_mef.fits",
)  # fmt: skip
#: Image → exit code: a dark frame and a black picture are tried honestly, the others cannot be read.
FAILED = {
    "huntsman_dark0.fits": 1, "fail_black.png": 1, "fail_empty.fits": 65, "fail_text.fits": 65,
    "fail_truncated.jpg": 65,
}  # fmt: skip


@pytest.fixture(scope="module")
def corpus() -> Path:
    """The folder of real images."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("NOVA_TEST_CORPUS", beside))
    if not (folder / "manifest.json").is_file():
        pytest.skip(f"no corpus of real images: NOVA_TEST_CORPUS is not set and {folder} is absent")
    return folder


def entry_of(corpus: Path, name: str) -> dict[str, Any]:
    found = {e["name"]: e for e in json.loads((corpus / "manifest.json").read_text(encoding="utf-8"))}
    if name not in found or not (corpus / name).is_file():
        pytest.skip(f"{corpus} has no {name}")
    return found[name]


def solved_line(path: Path, params: SolveParams, context: Context) -> dict[str, Any]:
    result = solve_input(FileInput(str(path)), params, context).result
    (line,) = read_lines(json.dumps(result.to_json(), allow_nan=False))
    return line


@pytest.mark.parametrize("name", SOLVED)
def test_a_real_image_is_solved_as_the_manifest_has_it(name: str, corpus: Path, real_context: Context) -> None:
    """Centre within 1 % of the field's width, scale within 1 %, parity."""
    entry = entry_of(corpus, name)
    line = solved_line(corpus / name, SolveParams(timeout_s=60), real_context)
    assert line["status"] == "solved", line
    calibration = line["calibration"]
    apart_deg = distance_deg(calibration["ra"], calibration["dec"], entry["ra"], entry["dec"])
    assert apart_deg < 0.01 * calibration["width_arcsec"] / 3600
    assert math.isclose(calibration["pixscale"], entry["pixscale_arcsec"], rel_tol=0.01)
    assert calibration["parity"] == entry["parity"]


@pytest.mark.skipif(importlib.util.find_spec("xisf") is None, reason="needs the extra: pip install 'novacli[xisf]'")
def test_an_xisf_image_is_solved_to_the_place_of_its_fits_twin(corpus: Path, real_context: Context) -> None:
    """The manifest has no answer for it; the pixels are those of the FITS image."""
    entry_of(corpus, "panoptes_unsolved.xisf")
    twin = entry_of(corpus, "panoptes_unsolved.fits")
    calibration = solved_line(corpus / "panoptes_unsolved.xisf", SolveParams(timeout_s=60), real_context)["calibration"]
    assert distance_deg(calibration["ra"], calibration["dec"], twin["ra"], twin["dec"]) < 0.02
    assert math.isclose(calibration["pixscale"], twin["pixscale_arcsec"], rel_tol=0.01)


@pytest.mark.parametrize("name", FAILED)
def test_what_must_fail_fails_cleanly(name: str, corpus: Path, real_context: Context) -> None:
    """Never with a false answer."""
    entry_of(corpus, name)
    result = solve_input(FileInput(str(corpus / name)), SolveParams(timeout_s=5), real_context).result
    assert result.exit_code == FAILED[name]
    assert result.calibration is None


def test_a_picture_without_its_hints_is_solved_all_the_same(corpus: Path, real_context: Context) -> None:
    """The header's hints of this one are off by a degree or so; blind does without."""
    name = "panoptes_unsolved.fits"
    entry = entry_of(corpus, name)
    line = solved_line(corpus / name, SolveParams(blind=True, timeout_s=60), real_context)
    assert line["hints"] == []
    assert distance_deg(line["calibration"]["ra"], line["calibration"]["dec"], entry["ra"], entry["dec"]) < 0.02


def test_progress_names_what_is_tried(corpus: Path, real_context: Context) -> None:
    entry_of(corpus, "apod4.jpg")
    words: list[str] = []
    solved_line(
        corpus / "apod4.jpg",
        SolveParams(timeout_s=60),
        dataclasses.replace(real_context, progress=Progress(words.append)),
    )
    assert words[:2] == [f"reading {corpus / 'apod4.jpg'}", "looking for stars"]
    assert len(words) > 2
