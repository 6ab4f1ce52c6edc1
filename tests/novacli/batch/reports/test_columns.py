"""Each column has the value of the frame's JSON line, and the documentation lists all columns."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import made_entries as made
import pytest
from made_sky import DrawnField

from novacli.batch.records import SOLVED, LedgerEntry
from novacli.batch.reports.columns import COLUMNS, NAMES, Value, values
from novacli.inputs import from_array
from novacli.pipeline.context import Context
from novacli.pipeline.solve import solve_field
from novacli.records.field import Field
from novacli.records.params import SolveParams

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "batch-report.md"


def cells(entry: LedgerEntry) -> dict[str, Value]:
    return dict(zip(NAMES, values(entry), strict=True))


def known(entry: LedgerEntry) -> dict[str, Value]:
    return {name: value for name, value in cells(entry).items() if value is not None}


def test_solved_frame() -> None:
    assert known(made.solved("/n/a.fits")) == {
        "path": "/n/a.fits", "fate": "solved", "present": "no", "ra": 187.1955123456789, "dec": -56.7023,
        "pixscale": 170.4, "width_deg": 122520.6 / 3600, "height_deg": 86394.9 / 3600, "orientation": -118.35,
        "parity": -1, "stars": 49, "rms_arcsec": 85.2, "rms_px": 0.5, "heldout_rms_arcsec": 92.25,
        "corner_error_arcsec": 120.5, "logodds": 248.5,
        "sip_order": 2, "attempt": "by flux", "time_s": 1.25, "engine_cpu_s": 0.75, "server": "north", "tries": 2,
        "finished": "2026-03-04T05:06:07Z", "job": "0123", "log": "/jobs/0123/log",
    }  # fmt: skip


def test_unsolved_frames_have_their_known_values() -> None:
    common = {"present": "no", "tries": 2, "finished": "2026-03-04T05:06:07Z"}
    unsolved = {"path": "/n/b.fits", "fate": "unsolved", "reason": "no-stars", "time_s": 30.5}
    assert known(made.unsolved("/n/b.fits", "no-stars")) == unsolved | common
    failed = {"path": "/n/c.fits", "fate": "failed", "error": "/n/c.fits: it is no image"}
    assert known(made.failed("/n/c.fits")) == failed | common
    retriable = {"path": "/n/d.fits", "fate": "retriable", "error": "/n/d.fits: disk full"}
    assert known(made.retriable("/n/d.fits")) == retriable | common
    new = {"present": "no", "tries": 0}
    assert known(made.waiting("/n/e.fits")) == {"path": "/n/e.fits", "fate": "waiting"} | new
    assert known(made.gone("/n/f.fits")) == {"path": "/n/f.fits", "fate": "gone"} | new


def test_present_states_whether_the_file_exists(tmp_path: Path) -> None:
    path = tmp_path / "\udcff a.fits"
    assert known(made.solved(str(path)))["present"] == "no"
    path.touch()
    assert known(made.solved(str(path)))["present"] == "yes"
    path.rename(tmp_path / "b.fits")
    assert known(made.solved(str(path)))["present"] == "no"


def test_unknown_residual_is_empty_in_both_units() -> None:
    entry = made.solved("/n/a.fits", match={**made.MATCH, "rms_arcsec": None, "logodds": None})
    assert {"rms_arcsec", "rms_px", "logodds"} & set(known(entry)) == set()


@pytest.mark.parametrize("line", ["", "{", "[]", '{"status": "solved"}'])
def test_damaged_line_is_reported_in_the_frames_row(line: str) -> None:
    found = known(made.entry("/n/a.fits", SOLVED, line))
    assert found["path"] == "/n/a.fits"
    assert found["error"] == "its line in the ledger is damaged: solve it again with --force"


def test_text_is_one_printable_line() -> None:
    found = cells(made.failed("/n/\udcff\n\x1b[2J.fits"))
    assert found["path"] == r"/n/\xff\x0a\x1b[2J.fits"
    assert found["error"] == r"/n/\xff\x0a\x1b[2J.fits: it is no image"


def test_types_are_those_that_the_columns_state() -> None:
    kinds = {"string": str, "float64": float, "int64": int}
    given = values(made.solved("/n/a.fits", calibration={**made.CALIBRATION, "ra": 12}))
    for column, value in zip(COLUMNS, given, strict=True):
        assert value is None or type(value) is kinds[column.datatype], column.name


def test_documentation_lists_all_columns() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(column.name, column.unit or "", column.meaning) for column in COLUMNS]


@pytest.mark.engine
def test_real_result_fills_the_columns(drawn: DrawnField, real_context: Context) -> None:
    """Every column of a solved frame has the value of the pipeline's result."""
    field: Field = from_array(drawn.pixels)
    solved = solve_field(field, SolveParams(), real_context).result
    line: dict[str, Any] = json.loads(json.dumps(solved.to_json()))
    found = cells(made.entry("/n/drawn.fits", SOLVED, line))
    empty = {name for name, value in found.items() if value is None}
    assert empty <= {"server", "reason", "error", "heldout_rms_arcsec", "corner_error_arcsec"}
    calibration, match = line["calibration"], line["match"]
    assert {name: found[name] for name in ("ra", "dec", "pixscale", "orientation", "parity")} == {
        name: calibration[name] for name in ("ra", "dec", "pixscale", "orientation", "parity")
    }
    assert found["width_deg"] == pytest.approx(drawn.width_deg, rel=0.02)
    assert found["height_deg"] == pytest.approx(calibration["pixscale"] * 600 / 3600)
    assert (found["stars"], found["logodds"], found["attempt"]) == (match["n"], match["logodds"], match["attempt"])
    assert found["rms_px"] == pytest.approx(match["rms_arcsec"] / calibration["pixscale"])
    assert (found["time_s"], found["engine_cpu_s"]) == (line["timing"]["total_s"], line["timing"]["engine_cpu_s"])
    assert (found["job"], found["log"]) == (line["job"], line["files"]["log"])
