"""The record of one input's result, and its JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novacli.errors import OutputError, RetryLaterError
from novacli.records.calibration import Calibration, Match
from novacli.records.diagnosis import Cause, Diagnosis, RejectedMatch
from novacli.records.hints import ParityHint, PositionHint, ScaleHint, WcsHint
from novacli.records.params import Position
from novacli.records.parity import Parity
from novacli.records.provenance import Provenance
from novacli.records.result import SCHEMA, ErrorRecord, Result, SourceRecord, error_of, hint_from_json
from novacli.records.status import FAILED, SOLVED, UNSOLVED
from novacli.records.timing import AttemptTiming, Timing

GOLDEN = Path(__file__).parent / "golden"
KEYS = (
    "schema", "input", "status", "job", "reason", "calibration", "match", "hints", "timing", "files", "error", "notes",
    "source", "created", "server", "diagnosis",
)  # fmt: skip
WHOLE = Result(
    "a.fits", SOLVED, job="a1",
    calibration=Calibration(84.0, -3.0, 6.0, 60.0, -0.5, -1.0, 36000.0, 24000.0, 359.5),
    match=Match("index-4114.fits", None, 33, 9.1, 164.5, 3, 9.3, 18.5, "by peak (--ra/--dec)"),
    hints=(
        ScaleHint(58.0, 62.0, "earlier frames of this camera", Provenance.EARLIER),
        PositionHint(Position(84.0, -3.0, 15.0), "--ra/--dec", Provenance.USER),
        WcsHint("WCS (CD matrix)"),
        ParityHint(Parity.NEGATIVE),
    ),
    timing=Timing(1.5, read_s=0.5, engine_cpu_s=0.25, attempts=(AttemptTiming("by peak", "solved", 0.5, 0.25),)),
    files={"directory": "/j/a1", "wcs": "/j/a1/wcs.fits"},
    error=ErrorRecord("a.wcs: the disk is full", 73, retry_is_safe=True),
    notes=("dropped RA = 654",),
    source=SourceRecord("/a.fits", "FITS", 0, "image", 600, 400),
    created="2026-11-30T18:57:30.103+00:00", server="solve1",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_every_key_is_always_there_in_this_order() -> None:
    assert tuple(Result("a.fits", FAILED).to_json()) == KEYS
    assert Result("a.fits", FAILED).to_json()["schema"] == SCHEMA == 1


DIAGNOSIS = Diagnosis(
    9, (Cause.FEW_STARS,), RejectedMatch(83.2, -5.1, 12.0, 18.5, 29.9, "by peak (blind)"), ((0.7, 180.0),)
)


@pytest.mark.parametrize(
    "result",
    [
        WHOLE,
        Result("a.fits", UNSOLVED, reason="exhausted"),
        Result("a.fits", UNSOLVED, reason="exhausted", diagnosis=DIAGNOSIS),
        Result("a.fits", UNSOLVED, reason="exhausted", diagnosis=Diagnosis(60)),
    ],
)
def test_a_record_survives_json(result: Result) -> None:
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_unknown_keys_are_ignored() -> None:
    assert Result.from_json({"input": "a", "status": SOLVED, "weather": "fine"}) == Result("a", SOLVED)


@pytest.mark.parametrize("name", ["result", "unsolved", "failed"])
def test_a_result_of_an_earlier_version_is_read_whole(name: str) -> None:
    """Golden files, written before the schema version, the provenance of hints, corner errors and diagnoses existed."""
    old = json.loads((GOLDEN / f"{name}.json").read_text())
    new = Result.from_json(old).to_json()
    for hint in new["hints"]:
        hint.pop("provenance", None)
    if new["match"] is not None:
        assert new["match"].pop("corner_error_arcsec") is None
    assert new == {"schema": 1, **old, "diagnosis": None}


def test_a_cause_that_a_later_version_has_added_is_left_out() -> None:
    new = Result("a.fits", UNSOLVED, diagnosis=DIAGNOSIS).to_json()
    new["diagnosis"]["causes"].append("comets")
    assert Result.from_json(new).diagnosis == DIAGNOSIS


@pytest.mark.parametrize("widths", [[[1.0]], [[1.0, "2"]], [3.0], [None]])
def test_widths_that_are_no_ranges_are_refused(widths: object) -> None:
    new = Result("a.fits", UNSOLVED, diagnosis=DIAGNOSIS).to_json()
    new["diagnosis"]["widths_deg"] = widths
    with pytest.raises(ValueError, match="no range of widths"):
        Result.from_json(new)


def test_the_provenance_of_old_hints_follows_from_their_source() -> None:
    old = json.loads((GOLDEN / "result.json").read_text())
    found = [getattr(hint, "provenance", None) for hint in Result.from_json(old).hints]
    assert found == [Provenance.EARLIER, Provenance.HEADER, Provenance.HEADER, Provenance.USER, None]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"input": None}, "input is missing"),
        ({"status": 7}, "status is not a string"),
        ({"calibration": {**WHOLE.to_json()["calibration"], "ra": "x"}}, "calibration.ra is not a number"),
        ({"calibration": {**WHOLE.to_json()["calibration"], "dec": True}}, "calibration.dec is not a number"),
        ({"calibration": {**WHOLE.to_json()["calibration"], "pixscale": -1}}, "calibration.pixscale is not a number"),
        ({"calibration": {"ra": 1.0}}, "calibration.dec is missing"),
        ({"match": {"n": 1}}, "match.index is missing"),
        ({"match": []}, "match is not a JSON object"),
        ({"match": {"index": "i", "n": 1.5}}, "match.n is not a whole number"),
        ({"hints": [1]}, "a hint is not a JSON object"),
        ({"hints": [{"kind": "scale", "source": "x"}]}, "a hint.low_arcsec is missing"),
        ({"hints": [{"kind": "guess", "source": "x"}]}, "'guess' is no kind of hint"),
        ({"hints": [{"kind": "wcs", "source": "x", "provenance": "y"}]}, "'y' is not a valid Provenance"),
        ({"hints": "x"}, "hints is not a list"),
        ({"timing": {"total_s": "1"}}, "timing.total_s is not a number"),
        ({"timing": {"attempts": [{"label": 1}]}}, "an attempt.label is not a string"),
        ({"files": {"wcs": 3}}, "files.wcs is not a string"),
        ({"files": ["wcs"]}, "files is not a JSON object"),
        ({"error": {}}, "error.message is missing"),
        ({"error": {"message": "m", "exit_code": "x", "retry_is_safe": True}}, "error.exit_code is not a whole number"),
        ({"notes": [{}]}, "is not a string"),
        ({"source": {"format": 3}}, "source.format is not a string"),
    ],
)
def test_a_damaged_value_is_one_clear_error(damage: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Result.from_json({**WHOLE.to_json(), **damage})


@given(st.dictionaries(st.sampled_from(KEYS), JSON) | JSON)
def test_any_json_gives_a_result_or_a_value_error(value: Any) -> None:
    try:
        result = Result.from_json(value)
    except ValueError:
        return
    assert Result.from_json(json.loads(json.dumps(result.to_json(), allow_nan=False))) == result


@given(JSON)
def test_any_json_gives_a_hint_or_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError):
        hint_from_json(value)


@pytest.mark.parametrize(("status", "code"), [(SOLVED, 0), (UNSOLVED, 1), (FAILED, 70)])
def test_the_exit_code_follows_the_status(status: str, code: int) -> None:
    assert Result("a.fits", status).exit_code == code


def test_an_error_decides_even_if_the_image_was_solved() -> None:
    """An output that could not be written is a failure of the call."""
    assert Result("a.fits", SOLVED, error=error_of(OutputError("out.wcs: the disk is full"))).exit_code == 73


def test_an_error_says_if_a_retry_is_safe() -> None:
    assert error_of(RetryLaterError("a.fits: busy")) == ErrorRecord("a.fits: busy", 75, retry_is_safe=True)
