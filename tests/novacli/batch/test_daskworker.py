"""What a Dask worker does with a group of frames, and the process in which it has them solved; without a scheduler."""

from __future__ import annotations

import pickle
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import made_cluster
import novacli
from made_cluster import KILLER
from novacli import config
from novacli.batch.children import child
from novacli.batch.executors import daskchild, daskworker
from novacli.batch.executors.mark_file import MarkFile
from novacli.batch.records import BatchOutputs, FrameFile, FrameTask, RunSetup
from novacli.errors import UnavailableError
from novacli.records.params import SolveParams

_TIMEOUT_S = 120


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """A file that is to be solved."""
    path = tmp_path / "one.fits"
    path.write_text("no image")
    return path


def _task(folder: Path, path: Path, settings: config.Config | None = None) -> FrameTask:
    work_dir = folder / "work"
    work_dir.mkdir(exist_ok=True)
    setup = RunSetup(
        key="k", place="local", config=settings or config.load(), params=SolveParams(),
        outputs=BatchOutputs(), keep="none", jobs_dir=str(folder / "jobs"), work_dir=str(work_dir),
    )  # fmt: skip
    return FrameTask(setup, FrameFile(str(path), 1, 1))


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, Any]]:
    """Return what a worker answers to the group of frames called ``nova-k-1``, though there is no scheduler."""
    monkeypatch.setattr(daskchild, "_SEEN_S", 0.0)
    at_once = "from novacli.batch.executors import daskchild; daskchild._SEEN_S = 0.0; "
    monkeypatch.setattr(child, "_START", child._START.replace("childmain.serve", f"{at_once}childmain.serve"))
    monkeypatch.setattr(daskworker, "_announce", lambda key: None)

    def answered(*paths: Path, limit_s: float = _TIMEOUT_S, group_s: float = _TIMEOUT_S) -> tuple[str, Any]:
        tasks = [_task(tmp_path, path) for path in paths]
        try:
            return daskworker.answer(novacli.__version__, "nova-k-1", limit_s, group_s, pickle.dumps(tasks))
        finally:
            if hasattr(daskworker._of_thread, "child"):
                daskworker._of_thread.child.end()

    return answered


def _fates(answered: tuple[str, Any]) -> list[tuple[str, Any]]:
    """Return what an answer says of each frame: a word, and the exit code or what else belongs to it."""
    word, (_, came) = answered
    assert word == daskchild.DONE
    return [(word, what.result.exit_code if word == daskchild.DONE else what) for word, what in came]


def test_a_group_that_another_worker_began_is_handed_back(one: Path, tmp_path: Path, answer) -> None:
    """The next worker returns the progress of the first one, and does not read the frame."""
    mark = MarkFile.of_group(_task(tmp_path, one).setup, "nova-k-1").path
    for text in ("begun 0", "ended"):
        mark.write_text(text)
        assert answer(one) == ("found", text)


def test_an_unseen_file_is_reported(one: Path, tmp_path: Path, answer) -> None:
    """So is a working directory: workers that do not see it would lose their jobs."""
    missing = tmp_path / "gone.fits"
    assert _fates(answer(missing, one)) == [("unseen", str(missing)), ("done", 65)]
    task = _task(tmp_path, one)
    shutil.rmtree(task.setup.work_dir)
    answered = daskworker.answer(novacli.__version__, "nova-k-2", 1.0, 1.0, pickle.dumps([task]))
    assert answered == ("unseen", task.setup.work_dir)


def test_an_unfit_machine_tells_why(one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own settings are wrong, or there is no place to work at: neither is a fault in nova."""
    tasks = pickle.dumps([_task(tmp_path, one)])
    (tmp_path / "work").rmdir()
    (tmp_path / "work").touch()
    for why in (f"{tmp_path}/work: Not a directory: jobs cannot be worked on there", "$NOVA_SLOTS: slots = 'many'"):
        with pytest.raises(UnavailableError) as refused:
            daskworker.answer(novacli.__version__, "nova-k-1", 1.0, 1.0, tasks)
        assert str(refused.value).startswith(f"{socket.gethostname()}: {why}")
        monkeypatch.setenv("NOVA_SLOTS", "many")


def test_a_frame_that_crashes_its_process_affects_no_other_one(
    one: Path, tmp_path: Path, answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does one that hangs; those after it have a new process."""
    environment = made_cluster.environment(tmp_path)
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    killer = shutil.copy(one, tmp_path / KILLER)
    fates = _fates(answer(one, killer, one))
    assert fates == [("done", 65), ("lost", "was killed by SIGKILL"), ("done", 65)]
    assert MarkFile.of_group(_task(tmp_path, one).setup, "nova-k-1").path.read_text() == "ended"


def test_a_frame_on_a_hanging_disk_is_stopped(one: Path, answer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a check that the frame exists hangs."""
    hanging = "import os, time; os.path.lexists = lambda path: time.sleep(600); "
    monkeypatch.setattr(child, "_START", hanging + child._START)
    assert _fates(answer(one, limit_s=0.5)) == [("hung", "within 0 s, and was stopped")]


def test_a_group_ends_after_its_time(one: Path, answer) -> None:
    """But for its first frame: those that wait behind one that takes long go to another worker."""
    assert _fates(answer(one, one, one, group_s=0.0)) == [("done", 65)]


def test_finished_frames_count_if_the_next_process_cannot_start(
    one: Path, tmp_path: Path, answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames that are solved are not solved again because no process can be started for the next ones."""
    real, made = daskworker.new_child, list[child.ChildProcess]()

    class Only(child.ChildProcess):
        """One that can be asked once."""

        def ask(self, *question: Any, limit_s: float) -> Any:
            if made:
                raise UnavailableError("no process")
            made.append(real())
            try:
                return made[0].ask(*question, limit_s=limit_s)
            finally:
                made[0].end()

    monkeypatch.setattr(daskworker, "_of_thread", threading.local())
    monkeypatch.setattr(daskworker, "new_child", lambda: Only(""))
    assert _fates(answer(one, one)) == [("done", 65)]


def test_a_worker_uses_its_own_slots_unless_the_call_sets_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's config.toml applies to the caller's machine; options and environment apply to all machines."""
    (tmp_path / "config.toml").write_text("slots = 3\n")
    caller = config.load({"NOVA_CONFIG": str(tmp_path / "config.toml"), "NOVA_ENGINE": "mine", "HOME": "/h"})
    monkeypatch.setenv("NOVA_SLOTS", "7")
    monkeypatch.setenv("NOVA_ENGINE", "theirs")
    here = daskworker._for_here(_task(tmp_path, tmp_path, caller.replaced("--index", index=("/i",))).setup).config
    assert (here["slots"], here["engine"], here["index"]) == (7, "mine", ("/i",))
