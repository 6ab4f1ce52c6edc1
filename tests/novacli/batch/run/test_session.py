"""A whole run, its frames done by a stand-in: what a run says of the disks that it writes to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import standin_executor

from novacli import config
from novacli.batch import executors
from novacli.batch.records import BatchOutputs, FileContent, FrameTask, TaskOutcome
from novacli.batch.run import loop
from novacli.batch.run.display import QuietDisplay
from novacli.batch.run.request import BatchRequest
from novacli.batch.run.session import run_batch
from novacli.batch.run.summary import BatchOutcome
from novacli.errors import OutputError
from novacli.records.params import SolveParams
from novacli.records.result import FAILED, Result, error_of


@pytest.fixture(autouse=True)
def standin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have frames solved by the stand-in, at a good pace."""
    monkeypatch.setitem(executors.MODULES, "standin", "standin_executor")
    monkeypatch.setattr(loop, "_TICK_S", 0.01)
    monkeypatch.setattr(standin_executor.Executor, "do", staticmethod(standin_executor.solve))
    monkeypatch.setattr(standin_executor.Executor, "tasks", [])


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Folders whose disks have no room."""
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
    """Two folders of frames, old ones; in the second one, one is a link to a third folder."""
    folder = tmp_path / "night"
    for name in ("a/1.jpg", "a/2.jpg", "b/3.jpg", "b/4.jpg", "b/5.jpg", "../linked/6.jpg"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("good")
        os.utime(path, (1e9, 1e9))
    (folder / "b" / "6.jpg").symlink_to(tmp_path / "linked" / "6.jpg")
    return folder


def batch(night: Path, outputs: BatchOutputs) -> BatchOutcome:
    request = BatchRequest(
        given=(str(night),),
        paths=(str(night),),
        params=SolveParams(),
        config=config.load().replaced("--jobs-dir", jobs_dir=night.parent / "jobs"),
        ledger=night.parent / "ledger.sqlite",
        outputs=outputs,
        executor="standin",
        sequence=False,
    )
    return run_batch(request, QuietDisplay(), print)


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
def test_the_disk_that_is_full_is_the_failed_frames_whichever_came_first(
    outputs: BatchOutputs, failing: str, disk: str, left: bool | None,
    night: Path, full: set[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The run stops there; where no disk that is written to is full, the frame alone fails (``left`` is None)."""

    def solve(task: FrameTask) -> TaskOutcome:
        if not task.frame.path.endswith(failing):
            return standin_executor.solve(task)
        error = OutputError(f"{task.frame.path}: it cannot be written")
        return TaskOutcome(task.frame, FileContent("digest"), Result(task.frame.path, FAILED, error=error_of(error)))

    monkeypatch.setattr(standin_executor.Executor, "do", staticmethod(solve))
    full.add(str(night.parent / disk))
    counts = batch(night, outputs).counts
    if left is None:
        assert (counts.stopped, counts.left) == (None, 0)
    else:
        assert counts.stopped == f"the disk of {night.parent / disk} is full"
        assert (counts.left > 0) is left
