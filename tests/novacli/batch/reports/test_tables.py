"""CSV read by the standard library and ECSV read by astropy: values survive the round trip."""

from __future__ import annotations

import csv
import string
from pathlib import Path

import made_entries as made
import numpy as np
import pytest
from astropy import units
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from novacli.batch.records import LedgerEntry
from novacli.batch.reports import Summary, write_report
from novacli.batch.reports.columns import COLUMNS, NAMES, values

SUMMARY = Summary('/data: "a" #b\n', 12.5, made_s=made.FINISHED_S)
HOSTILE = (
    '/n/a "b", c;d.fits', "/n/ lead and trail ", "/n/#.fits", "/n/é Ω 星.fits", "/n/\udcff.fits", "/n/<script>&amp;",
    "/n/a\r\nb\tc", "/n/'quoted'", "/n/null", "/n/nan", "/n/\\x41", "#n", " ", "''", '"', "--", "nan", "0",
)  # fmt: skip


def read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, strict=True))


def as_written(entries: list[LedgerEntry], directory: Path) -> Table:
    path = directory / "report.ecsv"
    write_report(entries, SUMMARY, path)
    return Table.read(path, format="ascii.ecsv")


def rows_of(table: Table) -> list[list[object]]:
    """Return the cells as Python values; None for masked ones."""
    columns = [[None if cell is np.ma.masked else cell.item() for cell in table[name]] for name in table.colnames]
    return [list(row) for row in zip(*columns, strict=True)]


def as_read_by_astropy(entries: list[LedgerEntry]) -> list[list[object]]:
    """Return the written cells without blanks at the ends of text, which astropy drops in all formats."""
    cells = [[value.strip() if isinstance(value, str) else value for value in values(entry)] for entry in entries]
    return [[None if value == "" else value for value in row] for row in cells]


# --- CSV ----------------------------------------------------------------------------------------------------------


def test_csv_has_a_header_and_one_row_per_frame(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    entries = [*made.every_fate()[:-1], *(made.unsolved(name) for name in HOSTILE)]
    write_report(entries, SUMMARY, path)
    header, *rows = read_csv(path)
    assert header == list(NAMES)
    expected = [["" if value is None else str(value) for value in values(entry)] for entry in entries]
    expected[6 + HOSTILE.index("--")][0] = "'--"
    assert rows == expected
    raw = path.read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n") == len(rows) + 1
    assert not raw.startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "＝", "＋", "－", "＠"])
def test_text_is_never_a_formula(start: str, tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    name = f'{start}HYPERLINK("http://192.0.2.1/","x")'
    write_report([made.failed(name)], SUMMARY, path)
    cells = dict(zip(NAMES, read_csv(path)[1], strict=True))
    assert cells["path"] == f"'{name}"
    assert cells["error"] == f"'{name}: it is no image"


def test_negative_numbers_stay_numbers(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    write_report([made.solved("/n/a.fits")], SUMMARY, path)
    cells = dict(zip(NAMES, read_csv(path)[1], strict=True))
    assert (cells["dec"], cells["parity"]) == ("-56.7023", "-1")


# --- ECSV ---------------------------------------------------------------------------------------------------------


def test_ecsv_states_units_types_and_meanings(tmp_path: Path) -> None:
    table = as_written(made.every_fate(), tmp_path)
    assert table.colnames == list(NAMES)
    for column in COLUMNS:
        found = table[column.name]
        assert found.unit == (None if column.unit is None else units.Unit(column.unit)), column.name
        assert found.description == column.meaning
        assert found.dtype.kind == {"string": "U", "float64": "f", "int64": "i"}[column.datatype], column.name
    assert dict(table.meta) == {"title": r'/data: "a" #b\x0a', "made": "2026-03-04T05:06:07Z", "elapsed_s": 12.5}


def test_ecsv_round_trip(tmp_path: Path) -> None:
    entries = [*made.every_fate()[:-1], *(made.unsolved(name) for name in HOSTILE)]
    assert rows_of(as_written(entries, tmp_path)) == as_read_by_astropy(entries)


def test_ecsv_of_a_ledger_has_no_elapsed_time(tmp_path: Path) -> None:
    path = tmp_path / "report.ecsv"
    write_report([], Summary("all"), path)
    table = Table.read(path, format="ascii.ecsv")
    assert len(table) == 0
    assert table.colnames == list(NAMES)
    assert table.meta["elapsed_s"] is None


@settings(max_examples=15, deadline=None)
@given(names=st.lists(st.text(st.sampled_from(string.printable + "é星\udcff\u2028"), min_size=1), max_size=4),
       ra=st.floats(0, 360), logodds=st.floats(-1e300, 1e300))  # fmt: skip
def test_ecsv_keeps_every_text_and_every_bit(
    names: list[str], ra: float, logodds: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    calibration, match = {**made.CALIBRATION, "ra": ra}, {**made.MATCH, "logodds": logodds}
    entries = [made.solved(f"/{name}", calibration=calibration, match=match, server=name) for name in names]
    table = as_written(entries, tmp_path_factory.mktemp("ecsv"))
    assert rows_of(table) == as_read_by_astropy(entries)
