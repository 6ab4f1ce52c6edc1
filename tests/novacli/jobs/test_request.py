"""``job.json`` comes back as it was written; what is damaged in it counts as not said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novacli.jobs.request import Request, read_request
from novacli.records.params import SolveParams
from solvehost.formats.jobdir import JobDir

WHOLE = Request(
    input="a.fits", created="2026-03-03T21:58:00+00:00", source={"path": "/a.fits", "kind": "image"}, sha256="ab",
    timeout_s=12.5, params=SolveParams(blind=True).to_json(), hints=[{"kind": "wcs", "source": "WCS"}], notes=["dim"],
    is_fits_like=False, place="solve1",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_it_comes_back_as_it_was_written() -> None:
    kept = json.loads(json.dumps(WHOLE.to_json()))
    assert Request.from_json(kept).to_json() == kept
    assert Request.from_json(WHOLE.to_json()) == WHOLE


@pytest.mark.parametrize("key", [key for key in WHOLE.to_json() if key != "format"])
def test_each_damaged_value_counts_as_not_said(key: str) -> None:
    unsaid = Request.from_json({k: v for k, v in WHOLE.to_json().items() if k != key})
    assert unsaid != WHOLE
    assert Request.from_json({**WHOLE.to_json(), key: None}) == unsaid


@given(st.dictionaries(st.sampled_from(sorted(WHOLE.to_json())), JSON))
def test_no_json_is_a_fault(value: dict[str, Any]) -> None:
    request = Request.from_json(value)
    assert request.draft(JobDir(Path("a"))).job == "a"
    assert Request.from_json(request.to_json()) == request


def test_a_job_without_one_has_none(tmp_path: Path) -> None:
    assert read_request(JobDir(tmp_path)) is None
