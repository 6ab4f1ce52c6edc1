"""Processes that answer questions: none is waited for longer than was said, whatever becomes of it."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from novacli.batch.children import child
from novacli.batch.children.child import ChildProcess
from novacli.batch.executors import TaskHungError, WorkerLostError
from novacli.errors import InternalError, UnavailableError

_PATIENCE_S = 60.0
_ENTRY = "answers:do"
#: More bytes than fit into a channel that is not read.
_LARGE = bytes(2**22)


@pytest.fixture
def new(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ChildProcess]]:
    """Return a function that makes such processes, which do what ``answers`` has."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    made: list[ChildProcess] = []

    def make(**options: Any) -> ChildProcess:
        made.append(ChildProcess(_ENTRY, **options))
        return made[-1]

    yield make
    for each in made:
        each.end()


def ask(process: ChildProcess, *question: object, limit_s: float = _PATIENCE_S) -> Any:
    return process.ask(*question, limit_s=limit_s)


def test_one_process_answers_all_questions(new: Callable[..., ChildProcess]) -> None:
    process = new()
    process.start()
    assert ask(process, "echo", _LARGE) == _LARGE
    pids = {ask(process, "pid") for _ in range(3)}
    assert len(pids) == 1
    assert pids != {os.getpid()}


def test_a_process_that_ends_during_a_question_is_replaced(new: Callable[..., ChildProcess]) -> None:
    """Also one that ends as if it had been idle: the question is not asked for ever."""
    process = new()
    for exit_code in (3, 0):
        with pytest.raises(WorkerLostError, match=f"^ended with exit code {exit_code}$"):
            ask(process, "leave", exit_code)
    assert ask(process, "echo", 1) == 1


def test_an_exception_in_the_function_is_an_internal_error(new: Callable[..., ChildProcess]) -> None:
    process = new()
    with pytest.raises(InternalError, match="ValueError: oh"):
        ask(process, "fail")
    assert ask(process, "echo", 1) == 1


def test_a_process_that_hangs_is_stopped(new: Callable[..., ChildProcess]) -> None:
    process = new()
    with pytest.raises(TaskHungError, match=r"^within 1 s, and was stopped$"):
        ask(process, "hang", limit_s=0.6)
    assert ask(process, "echo", 1) == 1


def test_a_process_that_reads_no_question_is_stopped(
    new: Callable[..., ChildProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process was stopped from outside, and the question does not fit into the channel."""
    monkeypatch.setattr(child, "GRACE_S", 0.2)
    process = new()
    os.kill(ask(process, "pid"), signal.SIGSTOP)
    shown: list[str] = []

    def asks() -> None:
        try:
            ask(process, "echo", _LARGE, limit_s=0.6)
        except TaskHungError as exc:
            shown.append(str(exc))

    thread = threading.Thread(target=asks, daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    assert shown == ["within 1 s, and was stopped"]


def test_an_idle_process_that_ends_loses_no_question(new: Callable[..., ChildProcess]) -> None:
    process = new(idle_s=0.0)
    pids = set()
    for _ in range(2):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(process, "_idle_s", math.inf)
            pids.add(ask(process, "pid"))
        running, channel = process._ready()
        channel.close()  # as the process does itself
        assert running.wait(_PATIENCE_S) == 0
    assert len(pids) == 2


def test_an_idle_process_that_is_killed_loses_no_question(
    new: Callable[..., ChildProcess],
) -> None:
    process = new()
    running, _ = process._ready()
    running.kill()
    os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
    assert ask(process, "echo", 1) == 1


def test_a_dismissed_process_ends_and_is_not_started_again(new: Callable[..., ChildProcess]) -> None:
    process = new()
    ask(process, "echo", 1)
    process.dismiss()
    with pytest.raises(WorkerLostError):
        ask(process, "hang")
    with pytest.raises(WorkerLostError, match=r"^was released$") as lost:
        ask(process, "echo", 1)
    assert not lost.value.is_frames_fault


def test_the_output_of_a_quiet_process_is_discarded(
    new: Callable[..., ChildProcess], capfd: pytest.CaptureFixture[str]
) -> None:
    """A reader of its output would wait for it, and it may hang for ever."""
    for is_quiet, heard in ((False, "word\n"), (True, "")):
        ask(new(is_quiet=is_quiet), "speak", "word")
        assert tuple(capfd.readouterr()) == (heard, heard)


@pytest.mark.parametrize(
    ("executable", "how"),
    [
        ("/no/python", "cannot be started: [Errno 2] No such file or directory: '/no/python'"),
        (shutil.which("true"), "ended with exit code 0 before it was ready"),
        (shutil.which("false"), "ended with exit code 1 before it was ready"),
    ],
)
def test_a_process_that_cannot_be_started_is_an_error_of_the_machine(
    new: Callable[..., ChildProcess], monkeypatch: pytest.MonkeyPatch, executable: str, how: str
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(UnavailableError) as refused:
        ask(new(), "echo", 1)
    assert f"the process to solve it in {how}: check nova, memory and process limits there" in str(refused.value)


class _Unkillable:
    """A process that hangs in the kernel."""

    def kill(self) -> None:
        """Do nothing."""

    def wait(self, timeout: float | None = None) -> int:
        """Raise TimeoutExpired, because the process never ends."""
        assert timeout is not None, "this would hang, too"
        raise subprocess.TimeoutExpired("", timeout)


def test_a_process_that_hangs_in_the_kernel_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a disk does not answer, even SIGKILL does not end the process that reads it."""
    monkeypatch.setattr(child, "_left_behind", [])
    assert child._ended(_Unkillable()) is None  # type: ignore[arg-type]


def test_a_process_that_ends_late_leaves_neither_a_zombie_nor_a_warning() -> None:
    """Its record is removed once it has ended, and at the latest when the program ends."""
    script = (
        "import os, subprocess\n"
        "from novacli.batch.children import child\n"
        "process = child.ChildProcess('os:getcwd')\n"
        "process.start()\n"
        "left = process._process\n"
        "left.wait = lambda _: (_ for _ in ()).throw(subprocess.TimeoutExpired('', 0))\n"
        "assert not process.end()\n"
        "assert child._left_behind == [left]\n"
        "if left.returncode is None:\n"  # it may have ended within the call above
        "    os.waitid(os.P_PID, left.pid, os.WEXITED | os.WNOWAIT)\n"
    )
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
