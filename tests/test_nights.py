"""The drawn nights and the benchmark that has batches do them."""

from __future__ import annotations

import importlib.util
import itertools
import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from made_cluster import KILLER

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import nights  # noqa: E402
from truths import Place  # noqa: E402


def _benchmark() -> ModuleType:
    """Return benchmarks/batch.py, by another name than that of the folder with the tests of batches."""
    spec = importlib.util.spec_from_file_location("batch_benchmark", ROOT / "benchmarks" / "batch.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


batch = _benchmark()


def test_equal_seeds_plan_equal_nights() -> None:
    assert nights.plan(90, 7) == nights.plan(90, 7)
    assert nights.plan(90, 7) != nights.plan(90, 8)


@pytest.mark.parametrize("count", [1, 41, 300])
def test_a_plan_has_as_many_files_as_were_asked_for(count: int) -> None:
    """Each by a name of its own."""
    planned = nights.plan(count, 1)
    assert len({one.name for one in planned}) == count


def test_three_nights_have_all_that_goes_wrong() -> None:
    """Two cameras a night, six widths, a flip half way, clouds in one night, files that are no images, one killer."""
    planned = nights.plan(300, 1)
    assert {one.width_deg for one in planned} == {4, 6, 8, 12, 16, 20}
    kinds = Counter(one.kind for one in planned)
    assert kinds[nights.KILLER] == 1
    assert kinds[nights.NO_IMAGE] >= 5
    assert 15 <= kinds[nights.CLOUDED] <= 25
    assert [Path(one.name).name for one in planned if one.kind == nights.KILLER] == [KILLER]
    assert {one.name.split("/")[0] for one in planned if one.kind == nights.CLOUDED} == {"night-3"}
    for night in range(3):
        of_camera = [one for one in planned if one.name.startswith(f"night-{night + 1}")][::2]
        turned = [one.rotation_deg for one in of_camera]
        assert sorted(turned) == turned
        assert {b - a for a, b in itertools.pairwise(turned)} == {0.0, 180.0}
        assert [one.date_obs for one in of_camera] == sorted(one.date_obs for one in of_camera)


@pytest.mark.engine
def test_nights_are_drawn_as_planned(tmp_path: Path) -> None:
    """Pictures are FITS files whose headers name camera and time; the truth stands in nights.json."""
    import fitsio

    planned = [*nights.plan(2, 1), nights._as(nights.plan(1, 1)[0], nights.KILLER)]
    nights.draw(planned, tmp_path)
    rows = json.loads((tmp_path / "nights.json").read_text())
    assert [row["name"] for row in rows] == [one.name for one in planned]
    header = fitsio.read_header(str(tmp_path / planned[0].name))
    assert (header["INSTRUME"], header["DATE-OBS"]) == (planned[0].camera, planned[0].date_obs)
    assert rows[0]["pixscale_arcsec"] == pytest.approx(planned[0].width_deg * 3600 / planned[0].width_px, rel=0.01)
    assert (tmp_path / planned[2].name).read_text() == "The disk was full.\n"


def test_two_ways_are_compared_pair_by_pair() -> None:
    compared = batch.Compared("c", 8, (4.0, 8.0), (2.0, 2.0))
    assert compared.ratio == pytest.approx(8**0.5)
    assert compared.row() == ["c", "8", "1.33", "4.00", "2.83×"]


def test_frames_are_grouped_by_width_and_clouded_ones_apart() -> None:
    """Only those that both solve count, the clouded ones whatever comes of them."""
    rows = {
        "a": {"width_deg": 4.0, "kind": nights.CLEAR},
        "b": {"width_deg": 4.0, "kind": nights.CLEAR},
        "c": {"width_deg": 20.0, "kind": nights.CLOUDED},
        "d": {"width_deg": 20.0, "kind": nights.NO_IMAGE},
    }
    groups = dict(batch._groups(rows, frozenset({"a"})))
    assert groups == {"4° wide": ["a"], "clouded, whatever comes of them": ["c"]}


def test_wrong_answers_are_named() -> None:
    truth = {
        "kind": nights.CLEAR,
        "ra_deg": 10.0,
        "dec_deg": 0.0,
        "pixscale_arcsec": 10.0,
        "parity": -1,
        "width_px": 100,
    }
    right, wrong = Place(10.0, 0.0, 10.0, -1.0), Place(11.0, 0.0, 10.0, -1.0)
    ours = batch.Pass(1.0, {"/n/a.fits": right, "/n/b.fits": wrong}, {"/n/a.fits": "solved", "/n/b.fits": "solved"})
    theirs = batch.Pass(2.0, {"/n/a.fits": right, "/n/b.fits": None}, {})
    told = list(batch._sentences({"/n/a.fits": truth, "/n/b.fits": truth}, ours, theirs))
    assert told == [
        "nova: 2 clear solved.",
        "nova: 2 solved in 1 s, wrong: b.fits.",
        "solve-field: 1 solved in 2 s, wrong: none.",
        "Solved by nova alone: b.fits.",
        "Solved by solve-field alone: none.",
    ]
