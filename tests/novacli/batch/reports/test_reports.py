"""Reports of every format: written whole or not at all, in the order of the entries, in bounded memory."""

from __future__ import annotations

import errno
import os
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import made_entries as made
import pytest

from novacli.batch.records import LedgerEntry
from novacli.batch.reports import MODULES, Summary, check_path, write_report
from novacli.errors import OutputError, UsageError
from novacli.records.status import SOLVED

SUMMARY = Summary("/data", 12.5, made_s=made.FINISHED_S)
FORMATS = tuple(MODULES)


@pytest.mark.parametrize("name", ["report.xlsx", "report", "csv", ".csv", "-"])
def test_unknown_format_is_refused_before_a_frame_is_read(name: str, tmp_path: Path) -> None:
    def entries() -> Iterator[LedgerEntry]:
        raise AssertionError("an entry was read")
        yield

    with pytest.raises(UsageError, match=r"ends in \.csv, \.ecsv, \.jsonl, \.html"):
        write_report(entries(), SUMMARY, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError):
        check_path(Path(name))


@pytest.mark.parametrize("spelling", ["stars.csv", "link.csv"])
def test_a_report_never_replaces_a_frame(spelling: str, tmp_path: Path) -> None:
    frame = tmp_path / "stars.csv"
    frame.write_text("x,y\n1,2\n")
    (tmp_path / "link.csv").symlink_to(frame)
    solved = next(entry for entry in made.every_fate() if entry.record.fate == SOLVED)
    entry = replace(solved, path=str(frame), record=replace(solved.record, size=frame.stat().st_size))
    with pytest.raises(UsageError, match="this is a frame of the batch"):
        write_report([entry], SUMMARY, tmp_path / spelling)
    assert frame.read_text() == "x,y\n1,2\n"


@pytest.mark.parametrize("name", ["Report.CSV", "a.b.Html"])
def test_upper_and_lower_case_are_the_same(name: str, tmp_path: Path) -> None:
    write_report(made.every_fate(), SUMMARY, tmp_path / name)
    assert (tmp_path / name).stat().st_size > 0


@pytest.mark.parametrize("ending", FORMATS)
def test_report_has_every_frame_but_no_file_that_nova_wrote(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"report{ending}"
    write_report(made.every_fate(), SUMMARY, path)
    text = path.read_text(encoding="utf-8")
    names = [Path(entry.path).name for entry in made.every_fate()]
    without_line = [] if ending == ".jsonl" else ["e.fits", "f.fits"]
    assert [name for name in names if name in text] == ["a.fits", "b.fits", "c.fits", "d.fits", *without_line]


@pytest.mark.parametrize("ending", FORMATS)
def test_failed_report_leaves_the_previous_one(ending: str, tmp_path: Path) -> None:
    """An error among the entries or a full disk leaves the previous report and no other file."""
    path = tmp_path / f"report{ending}"
    path.write_text("the last one")

    def broken(error: Exception) -> Iterator[LedgerEntry]:
        yield from made.many(300)
        raise error

    with pytest.raises(UsageError, match="as it was"):
        write_report(broken(UsageError("as it was")), SUMMARY, path)
    with pytest.raises(OutputError, match=r"report\.\w+: No space left on device: .*free some space"):
        write_report(broken(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))), SUMMARY, path)
    assert path.read_text() == "the last one"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_directory_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="make its directory first"):
        write_report(made.every_fate(), SUMMARY, tmp_path / "none" / "report.html")


@pytest.mark.parametrize("ending", FORMATS)
def test_an_empty_batch_has_a_report(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"report{ending}"
    write_report([], SUMMARY, path)
    text = path.read_text(encoding="utf-8")
    assert (text == "") == (ending == ".jsonl")
    assert ("0 frames" in text) == (ending == ".html")


@pytest.mark.parametrize("ending", FORMATS)
def test_memory_stays_bounded_with_twenty_thousand_frames(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"report{ending}"
    kept = [*made.many(100)]
    entries = (replace(kept[number % 100], path=f"/night/{number}.fits") for number in range(20_000))
    write_report(kept, SUMMARY, path)  # so that imports are not counted
    tracemalloc.start()
    try:
        write_report(entries, SUMMARY, path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 3_000_000
    assert most < 1_500_000


def test_json_lines_are_copied_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    entries = [*made.every_fate(), made.entry("/n/z\udcff.fits", "solved", '{"input": "/n/z\udcff.fits"}')]
    write_report(entries, SUMMARY, path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[:-1] == [entry.line for entry in entries[:-1] if entry.line is not None]
    assert lines[-1] == '{"input": "/n/z\\udcff.fits"}'
