"""``job.json`` is read back as it was written; damaged values fall back to their defaults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novacli.jobs.request import JobRequest, read_request
from novacli.records.hints import ScaleHint, WcsHint
from novacli.records.params import SolveParams
from novacli.records.provenance import Provenance
from novacli.records.result import Result, SourceRecord
from solvehost.formats.jobdir import REQUEST, JobDir

WHOLE = JobRequest(
    input="a.fits", created="2026-03-03T21:58:00+00:00", source=SourceRecord("/a.fits", "FITS", 0, "image", 9, 8),
    sha256="ab", timeout_s=12.5, params=SolveParams(blind=True),
    hints=(WcsHint("WCS"), ScaleHint(1.0, 2.0, "--scale-low", Provenance.USER)), notes=("dim",), is_fits_like=False,
    place="solve1",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_a_request_is_read_back_as_it_was_written() -> None:
    kept = json.loads(json.dumps(WHOLE.to_json()))
    assert JobRequest.from_json(kept) == WHOLE
    assert json.loads(json.dumps(JobRequest.from_json(kept).to_json())) == kept


@pytest.mark.parametrize("key", [key for key in WHOLE.to_json() if key != "format"])
def test_a_damaged_value_falls_back_to_its_default(key: str) -> None:
    without = JobRequest.from_json({k: v for k, v in WHOLE.to_json().items() if k != key})
    assert without != WHOLE
    assert JobRequest.from_json({**WHOLE.to_json(), key: None}) == without


@pytest.mark.parametrize(
    "damage",
    [
        {"hints": [{"kind": "scale", "source": "x"}]},
        {"hints": ["x"]},
        {"hints": [{"kind": "scale", "low_arcsec": True, "high_arcsec": 2.0, "source": "x"}]},
        {"hints": [{"kind": "position", "ra": 400.0, "dec": 0.0, "radius": 1.0, "source": "x"}]},
        {"notes": [{}]},
        {"timeout_s": True},
        {"timeout_s": -5},
        {"timeout_s": 1e300},
        {"source": {"path": 3}},
        {"params": {"timeout_s": True}},
        {"params": {"blind": "yes"}},
        {"params": ["x"]},
        {"is_fits_like": 1},
        {"backend": ""},
    ],
)
def test_damage_inside_a_value_falls_back_too(damage: dict[str, Any], tmp_path: Path) -> None:
    """These ended ``nova retry`` in a KeyError, after the engine had solved."""
    request = JobRequest.from_json(damage)
    assert request == JobRequest()
    result = request.draft(JobDir(tmp_path))
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_only_the_damaged_items_of_a_list_are_left_out() -> None:
    damaged = {**WHOLE.to_json(), "hints": ["x", *WHOLE.to_json()["hints"]], "notes": [{}, "dim", 7]}
    assert JobRequest.from_json(damaged) == WHOLE


@given(st.dictionaries(st.sampled_from(sorted(WHOLE.to_json())), JSON))
def test_any_json_object_gives_a_request(value: dict[str, Any]) -> None:
    request = JobRequest.from_json(value)
    assert request.draft(JobDir(Path("a"))).job == "a"
    assert JobRequest.from_json(request.to_json()) == request


def test_a_job_without_the_file_has_no_request(tmp_path: Path) -> None:
    assert read_request(JobDir(tmp_path)) is None


def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """Golden file, written before hints had a provenance."""
    golden = Path(__file__).parents[1] / "records" / "golden" / "job.json"
    (tmp_path / REQUEST).write_bytes(golden.read_bytes())
    request = read_request(JobDir(tmp_path))
    assert request is not None
    assert request.source == SourceRecord("/data/old.fits", "FITS", 0, "image", 600, 400)
    assert (request.sha256 or "")[:8] == "e0247a85"
    assert request.params is not None
    assert request.params.position is not None
    assert request.params.position.ra_deg == 84.0
    assert [getattr(hint, "provenance", None) for hint in request.hints] == [
        Provenance.EARLIER, Provenance.HEADER, Provenance.HEADER, Provenance.USER, None,
    ]  # fmt: skip
