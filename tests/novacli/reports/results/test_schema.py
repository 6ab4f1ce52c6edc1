"""The JSON Schema: it is valid, agrees with code and documentation, and refuses everything else."""

from __future__ import annotations

import copy
import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from made_lines import SCHEMA, problems

from novacli.errors import NotSolvedError, NovaError
from novacli.records.calibration import Calibration
from novacli.records.result import SCHEMA as SCHEMA_VERSION
from novacli.records.result import Result
from novacli.records.status import FAILED, SOLVED, UNSOLVED
from novacli.strategy.portfolio import BLIND, POINTED, PROPOSED, SCALED
from solvehost.engine import records

DOCS = Path(__file__).parents[4] / "docs" / "reference" / "json.md"

CALIBRATION = {
    "ra": 187.18, "dec": 56.7, "radius": 20.7, "pixscale": 169.7, "orientation": 118.4, "parity": 1.0,
    "width_arcsec": 122017.8, "height_arcsec": 86040.3, "up_deg_e_of_n": 238.3,
}  # fmt: skip
MATCH = {
    "index": "index-4117.fits", "n": 47, "rms_arcsec": 115.0, "heldout_rms_arcsec": 120.0,
    "corner_error_arcsec": 240.0, "logodds": 226.7,
    "sip_order": 0, "attempt": "by flux (blind)",
}  # fmt: skip
SOURCE = {"path": "/a.jpg", "format": "JPEG", "hdu": None, "kind": "image", "width": 719, "height": 507}
TIMING = {"total_s": 1.0, "attempts": [{"label": "a", "outcome": "stopped", "seconds": 0.1, "cpu_s": 0.1}]}
HINTS = [
    {"kind": "scale", "low_arcsec": 1.0, "high_arcsec": 2.0, "source": "PIXSCALE", "provenance": "header"},
    {"kind": "position", "ra": 10.0, "dec": -5.0, "radius": 15.0, "source": "--ra/--dec", "provenance": "user"},
    {"kind": "wcs", "source": "CRVAL", "provenance": "header"},
    {"kind": "parity", "parity": -1.0},
]
ERROR = {"message": "a.jpg is empty", "exit_code": 65, "retry_is_safe": False}


def make(status: str = SOLVED, /, **changes: Any) -> dict[str, Any]:
    """Return a valid line of that status, with ``changes``."""
    solved = {"calibration": CALIBRATION, "match": MATCH, "files": {"directory": "/j/a1", "wcs": "/j/a1/wcs.fits"}}
    more: dict[str, Any] = {SOLVED: solved, UNSOLVED: {"reason": "exhausted"}, FAILED: {"error": ERROR}}[status]
    common = {"job": "a1", "timing": TIMING, "hints": HINTS, "source": SOURCE, "created": "2026-01-02T03:04:05Z"}
    line = {"input": "a.jpg", "status": status, **common, **more}
    return {**copy.deepcopy(Result.from_json(line).to_json()), **changes}


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("status", [SOLVED, UNSOLVED, FAILED])
def test_each_status_passes(status: str) -> None:
    assert problems(make(status)) == []


def test_a_failure_before_anything_was_read_passes() -> None:
    assert problems(make(FAILED, job=None, files={}, hints=[], source={})) == []


def test_a_solved_frame_whose_job_was_not_kept_passes() -> None:
    assert problems(make(SOLVED, job=None, files={"wcs": "/night/a.wcs"})) == []
    assert problems(make(SOLVED, job=None, files={})) == []


def test_a_solved_image_whose_output_failed_passes() -> None:
    assert problems(make(SOLVED, error=ERROR)) == []


@pytest.mark.parametrize("key", ["rms_arcsec", "heldout_rms_arcsec", "corner_error_arcsec", "logodds", "attempt"])
def test_unknown_values_may_be_null(key: str) -> None:
    assert problems(make(match={**MATCH, key: None})) == []


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (SOLVED, {"calibration": None}),
        (SOLVED, {"match": None}),
        (SOLVED, {"job": None}),
        (SOLVED, {"reason": "exhausted"}),
        (SOLVED, {"files": {"directory": "/j/a1"}}),
        (SOLVED, {"calibration": {**CALIBRATION, "parity": 0.5}}),
        (SOLVED, {"calibration": {**CALIBRATION, "dec": 95.0}}),
        (SOLVED, {"calibration": {**CALIBRATION, "parity": True}}),
        (SOLVED, {"calibration": {k: v for k, v in CALIBRATION.items() if k != "up_deg_e_of_n"}}),
        (SOLVED, {"match": {**MATCH, "n": 4.5}}),
        (SOLVED, {"match": {**MATCH, "sip_order": None}}),
        (SOLVED, {"match": {**MATCH, "index": None}}),
        (UNSOLVED, {"reason": None}),
        (UNSOLVED, {"reason": "tired"}),
        (UNSOLVED, {"error": ERROR}),
        (UNSOLVED, {"calibration": CALIBRATION}),
        (FAILED, {"error": None}),
        (FAILED, {"error": {**ERROR, "exit_code": 255}}),
        (FAILED, {"error": {**ERROR, "traceback": "…"}}),
        (FAILED, {"match": MATCH}),
        (FAILED, {"status": "running"}),
        (UNSOLVED, {"weather": "fine"}),
        (UNSOLVED, {"hints": [{"kind": "scale", "low_arcsec": 1.0}]}),
        (UNSOLVED, {"hints": [{"kind": "guess", "source": "me"}]}),
        (UNSOLVED, {"timing": {}}),
        (UNSOLVED, {"timing": {"total_s": -1.0}}),
        (UNSOLVED, {"source": {"path": "/a.jpg"}}),
        (UNSOLVED, {"notes": [""]}),
        (UNSOLVED, {"input": None}),
        (UNSOLVED, {"schema": 2}),
        (UNSOLVED, {"hints": [{**HINTS[0], "provenance": "hearsay"}]}),
    ],
)
def test_anything_else_is_refused(status: str, changes: dict[str, Any]) -> None:
    assert problems(make(status, **changes))


@pytest.mark.parametrize("key", ["schema", *(f.name for f in dataclasses.fields(Result))])
def test_every_key_is_required(key: str) -> None:
    line = make()
    del line[key]
    assert problems(line)


def test_it_agrees_with_the_code() -> None:
    """Keys, outcomes and exit codes; a new one must be added to the schema."""
    defs = SCHEMA["$defs"]
    assert list(SCHEMA["properties"]) == SCHEMA["required"] == ["schema", *(f.name for f in dataclasses.fields(Result))]
    assert SCHEMA["properties"]["schema"]["const"] == SCHEMA_VERSION
    assert defs["calibration"]["required"] == [f.name for f in dataclasses.fields(Calibration)]
    outcomes = {records.SOLVED, records.EXHAUSTED, records.CRASHED, records.NO_INDEX, records.STOPPED, records.DOUBTFUL}
    assert set(defs["attempt"]["properties"]["outcome"]["enum"]) == outcomes
    codes = {c.exit_code for c in NovaError.__subclasses__() if c is not NotSolvedError}
    assert set(defs["error"]["properties"]["exit_code"]["enum"]) == codes


def test_every_key_is_documented() -> None:
    if not DOCS.is_file():
        pytest.skip(f"{DOCS} is not part of this copy of the tests")
    text = DOCS.read_text(encoding="utf-8").partition("## nova jobs")[0]
    words = set(re.findall(r"`(\w+)`", text))
    keys = set(SCHEMA["properties"])
    for part in SCHEMA["$defs"].values():
        for form in (part, *part.get("oneOf", ()), *part.get("anyOf", ())):
            keys |= set(form.get("properties", {}))
    assert keys <= words


def test_labels_of_attempts_fit_their_card() -> None:
    """The axy has room for 60 ASCII characters; those of members with hints name the hints as well."""
    for member in (*BLIND, *SCALED, *POINTED, *PROPOSED):
        assert member.label.isascii()
    assert all(len(f"{member.label} (blind)") <= 60 for member in BLIND)
    assert all(len(f"{member.label} (star pattern)") <= 60 for member in PROPOSED)
    assert all(len(member.label) < 30 for member in (*SCALED, *POINTED))
