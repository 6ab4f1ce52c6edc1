"""A whole run with a stand-in executor: disks, remarks, reports to the user, exit codes, and the dry run."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import standin_executor

from novacli import config
from novacli.batch import executors
from novacli.batch.ledger.database import Ledger
from novacli.batch.ledger.lock import locked
from novacli.batch.ledger.status import state_of
from novacli.batch.records import BatchOutputs, FileContent, FrameTask, LedgerEntry, TaskOutcome
from novacli.batch.run import loop
from novacli.batch.run.display import QuietDisplay
from novacli.batch.run.dry_run import dry_run
from novacli.batch.run.request import BatchRequest
from novacli.batch.run.session import run_batch
from novacli.batch.run.summary import BatchOutcome
from novacli.errors import OutputError, UsageError
from novacli.records.params import SolveParams
from novacli.records.result import Result, error_of
from novacli.records.status import FAILED


@pytest.fixture(autouse=True)
def standin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the stand-in executor available, and the loop fast."""
    monkeypatch.setitem(executors.MODULES, "standin", "standin_executor")
    monkeypatch.setattr(loop, "_TICK_S", 0.01)
    monkeypatch.setattr(standin_executor.Executor, "do", staticmethod(standin_executor.solve))
    monkeypatch.setattr(standin_executor.Executor, "tasks", [])


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Folders whose disks are full; the test adds them."""
    folders: set[str] = set()
    real = os.statvfs

    def statvfs(path: str) -> os.statvfs_result:
        fields = list(real(path))
        if path in folders:
            fields[4] = 0  # f_bavail
        return os.statvfs_result(fields)

    monkeypatch.setattr(os, "statvfs", statvfs)
    return folders


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Two folders with old frames; one frame of the second folder is a link into a third folder."""
    folder = tmp_path / "night"
    for name in ("a/1.jpg", "a/2.jpg", "b/3.jpg", "b/4.jpg", "b/5.jpg", "../linked/6.jpg"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("good")
        os.utime(path, (1e9, 1e9))
    (folder / "b" / "6.jpg").symlink_to(tmp_path / "linked" / "6.jpg")
    return folder


WCS, UPDATE = BatchOutputs(("wcs",)), BatchOutputs(update=True)


@pytest.mark.parametrize(
    ("outputs", "failing", "disk", "left"),
    [
        (WCS, "b/3.jpg", "night/b", True),
        (UPDATE, "b/3.jpg", "night/b", True),
        (UPDATE, "b/6.jpg", "linked", False),
        (BatchOutputs(("wcs",), True, "/"), "b/3.jpg", "night/b", True),
        (WCS, "b/3.jpg", "night/a", None),
        (WCS, "b/6.jpg", "linked", None),
        (BatchOutputs(), "b/3.jpg", "night/b", None),
    ],
)  # fmt: skip
def test_only_a_full_disk_of_the_failed_frame_stops_the_run(
    outputs: BatchOutputs, failing: str, disk: str, left: bool | None,
    night: Path, full: set[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """If no disk that is written to is full, only the frame fails (``left`` is None)."""

    def solve(task: FrameTask) -> TaskOutcome:
        if not task.frame.path.endswith(failing):
            return standin_executor.solve(task)
        error = OutputError(f"{task.frame.path}: it cannot be written")
        return TaskOutcome(task.frame, FileContent("digest"), Result(task.frame.path, FAILED, error=error_of(error)))

    monkeypatch.setattr(standin_executor.Executor, "do", staticmethod(solve))
    full.add(str(night.parent / disk))
    counts = run(request_of(night, outputs=outputs)).counts
    if left is None:
        assert (counts.stopped, counts.left) == (None, 0)
    else:
        assert counts.stopped == f"the disk of {night.parent / disk} is full"
        assert (counts.left > 0) is left


def request_of(night: Path, *paths: str, **changes: Any) -> BatchRequest:
    request = BatchRequest(
        given=paths or (str(night),),
        paths=paths or (str(night),),
        params=SolveParams(),
        config=config.load().replaced("--jobs-dir", jobs_dir=night.parent / "jobs"),
        ledger=night.parent / "ledger.sqlite",
        executor="standin",
        sequence=False,
    )
    return replace(request, **changes)


def run(request: BatchRequest) -> BatchOutcome:
    return run_batch(request, QuietDisplay(), print)


def test_an_empty_list_has_nothing_to_do(night: Path) -> None:
    """As from a find that found nothing, after a run that had frames."""
    run(request_of(night))
    outcome = run(request_of(night, given=(str(night),), paths=()))
    assert (outcome.exit_code, outcome.sentence()) == (0, "nothing to do")


def test_a_path_that_cannot_be_read_is_reported_once_and_hides_no_exit_code(night: Path) -> None:
    loop_link = night / "loop.jpg"
    loop_link.symlink_to(loop_link)
    first, second = run(request_of(night)), run(request_of(night))
    assert first.new_remarks == (f"{loop_link} is a loop of symbolic links: remove it",)
    assert (first.exit_code, second.exit_code, second.new_remarks, second.is_well) == (66, 66, (), True)
    (night / "a" / "bad.jpg").write_text("bad")
    os.utime(night / "a" / "bad.jpg", (1e9, 1e9))
    third = run(request_of(night))
    assert (third.exit_code, third.new_remarks) == (65, ())
    loop_link.unlink()
    run(request_of(night))
    loop_link.symlink_to(loop_link)
    assert len(run(request_of(night)).new_remarks) == 1


def test_failures_that_could_not_be_reported_are_reported_by_the_next_run(night: Path) -> None:
    bad = night / "a" / "bad.jpg"
    bad.write_text("bad")
    os.utime(bad, (1e9, 1e9))

    def broken(_outcome: BatchOutcome) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_batch(request_of(night), QuietDisplay(), print, broken)
    shown = run(request_of(night))
    assert shown.earlier.sentences() == [f"{bad}: it is no image."]
    assert not shown.is_well
    assert run(request_of(night)).is_well


def test_a_run_whose_output_was_closed_was_not_killed(night: Path) -> None:
    class Closed(QuietDisplay):
        def frame(self, entry: LedgerEntry, result: Result) -> None:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_batch(request_of(night), Closed(), print)
    assert state_of(night.parent / "ledger.sqlite").state == "its output was closed"


def test_an_empty_path_is_an_error_and_not_the_current_folder(night: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(night)
    with pytest.raises(UsageError, match="a path is empty"):
        run(request_of(night, ""))
    assert standin_executor.Executor.tasks == []


def test_a_dry_run_shows_what_would_be_done_and_writes_nothing(night: Path) -> None:
    def lines(request: BatchRequest) -> dict[str, tuple[str, str]]:
        _, found = dry_run(request)
        return {Path(line.path).name: (line.action, line.reason) for line in found}

    request = request_of(night)
    assert set(lines(request).values()) == {("solve", "it is new")}
    assert not request.ledger.exists()
    run(request)
    os.utime(night / "a" / "1.jpg")
    os.utime(night / "a" / "2.jpg", (2e9, 2e9))
    (night / "b" / "3.jpg").write_text("good, and longer")
    os.utime(night / "b" / "3.jpg", (1e9, 1e9))
    before = request.ledger.read_bytes()
    with locked(request.ledger, wait=False, until_s=0.0, say=print):
        shown = lines(request)
    assert shown["1.jpg"] == ("wait", "it was written to within 2 s")
    assert shown["2.jpg"] == ("compare", "its size or its time has changed")
    assert shown["3.jpg"] == ("solve", "it has changed")
    assert shown["4.jpg"] == ("skip", "it has its result (solved)")
    assert request.ledger.read_bytes() == before
    assert set(lines(replace(request, force=True, settle_s=0.0)).values()) == {("solve", "--force")}


def test_outputs_of_frames_that_were_not_begun_are_forgotten(night: Path) -> None:
    """Their paths may belong to a user's own files when the next run begins."""
    run(request_of(night, outputs=WCS, max_time_s=0.0))
    with Ledger.read(night.parent / "ledger.sqlite") as ledger:
        assert set(ledger.counts()) == {"waiting"}
        assert ledger.written_outputs() == frozenset()
