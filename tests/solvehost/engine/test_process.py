"""The one subprocess gate: how a child starts, stops, ends, and what is known of it afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from standin import alive, wait_until

from solvehost.engine import exec_helper, process
from solvehost.engine.process import Child, Limits, wait_for_any
from solvehost.errors import UnavailableError

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc"),
    # The test runner has threads, where the programs that start engines by a fork have none.
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]
Shell = Callable[[str], Child]


@pytest.fixture(params=[False, True], ids=["by program", "by fork"])
def limits(request: pytest.FixtureRequest) -> Limits:
    """The two ways to start an engine."""
    return Limits(by_fork=request.param)


@pytest.fixture
def shell(tmp_path: Path, limits: Limits):
    """A function that starts a shell script as the engine; all are ended in the end."""
    children: list[Child] = []

    def start(script: str) -> Child:
        children.append(Child(["/bin/sh", "-c", script], tmp_path, tmp_path / "log", limits))
        return children[-1]

    yield start
    for child in children:
        child.kill()


def state(child: Child) -> str:
    return Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 3", 3), ("kill -SEGV $$", -signal.SIGSEGV)])
def test_the_exit_status_is_known(shell: Shell, script: str, status: int) -> None:
    child = shell(script)
    wait_until(child.poll)
    assert child.exit_status == status
    assert child.pidfd is None
    child.kill()  # once more does no harm
    assert child.exit_status == status


def test_output_goes_to_the_log(shell: Shell, tmp_path: Path) -> None:
    """Both streams, after what is there already."""
    (tmp_path / "log").write_text("before\n")
    wait_until(shell("echo out; echo err >&2").poll)
    assert (tmp_path / "log").read_text() == "before\nout\nerr\n"


def test_cpu_time_is_counted(shell: Shell) -> None:
    child = shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
    wait_until(child.poll)
    assert child.cpu_s > 0


def test_a_suspended_child_can_be_resumed_and_ended(shell: Shell) -> None:
    child = shell("exec sleep 600")
    child.suspend()
    wait_until(lambda: state(child) == "T")
    assert not child.poll()
    child.resume()
    wait_until(lambda: state(child) != "T")
    child.suspend()
    child.kill()
    assert child.exit_status == -signal.SIGKILL
    assert not alive([child.pid])


def test_a_child_has_begun_once_it_ends_with_its_parent(shell: Shell, tmp_path: Path) -> None:
    """Before it has heard the word it may not be stopped: then it would outlive a parent that is killed."""
    child = shell(f"echo $$ > {tmp_path}/runs; exec sleep 600")
    wait_until((tmp_path / "runs").exists)
    assert child.has_begun
    assert child.has_begun  # told from memory from now on


def test_a_child_that_is_still_starting_has_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the helper sleeps before it listens, as it does on a machine that has no core for it."""
    slow = f"import time; time.sleep(1)\n{process._helper_source()}"
    monkeypatch.setattr(process, "_helper_source", lambda: slow)
    child = Child(["/bin/sleep", "600"], tmp_path, tmp_path / "log", Limits(by_fork=False))
    try:
        assert not child.has_begun
        wait_until(lambda: child.has_begun)
    finally:
        child.kill()


def test_signals_after_the_end_reach_nobody(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be another's by then."""
    child = shell("exit 0")
    wait_until(child.poll)
    monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("a signal was sent"))
    child.kill()
    assert child.poll()


def test_waiting_ends_as_soon_as_one_has_ended(shell: Shell) -> None:
    """Long before the patience is over, which would fail the run."""
    sleeper, other = shell("exec sleep 600"), shell("exit 0")
    wait_for_any([sleeper, other], 3600)
    assert other.poll()
    assert not sleeper.poll()


def test_waiting_works_without_process_descriptors(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    child = shell("exit 0")
    assert child.pidfd is None
    wait_until(lambda: wait_for_any([child], 3600) or child.poll())


def test_ends_are_seen_without_waitid(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS before Python 3.13."""
    monkeypatch.delattr(os, "waitid")
    child, sleeper = shell("exit 3"), shell("exec sleep 600")
    wait_until(child.poll)
    assert child.exit_status == 3
    assert not sleeper.poll()
    sleeper.kill()
    assert sleeper.exit_status == -signal.SIGKILL


def test_a_host_that_ignores_its_children_is_served(shell: Shell) -> None:
    """With SIGCHLD ignored the system reaps: the status is lost, the end is noticed."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        child = shell("exit 3")
        wait_until(child.poll)
        sleeper = shell("exec sleep 600")
        sleeper.kill()
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert child.exit_status == sleeper.exit_status == 0


def test_the_engine_has_the_signals_of_a_fresh_process(shell: Shell, tmp_path: Path) -> None:
    """Python ignores PIPE and XFSZ; what it becomes must not."""
    wait_until(shell("exec grep SigIgn /proc/self/status").poll)
    ignored = int((tmp_path / "log").read_text().split()[1], 16)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        assert not ignored & 1 << (number - 1)


def test_privileges_cannot_be_gained(shell: Shell, tmp_path: Path) -> None:
    wait_until(shell("exec grep NoNewPrivs /proc/self/status").poll)
    assert (tmp_path / "log").read_text().split() == ["NoNewPrivs:", "1"]


def test_a_limit_above_the_systems_own_is_no_error(tmp_path: Path) -> None:
    """The lower of the two holds."""
    script = (
        "import resource, sys; from pathlib import Path; sys.path[:0] = {path!r};"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100));"
        "from solvehost.engine.process import Child, Limits, wait_for_any;"
        "child = Child(['/bin/sh', '-c', 'ulimit -n'], Path({folder!r}), Path({folder!r}, 'log'), Limits());"
        "waited = [wait_for_any([child], 60) for _ in iter(child.poll, True)]"
    )
    command = [sys.executable, "-c", script.format(path=sys.path, folder=str(tmp_path))]
    subprocess.run(command, check=True)
    assert (tmp_path / "log").read_text() == "100\n"


def test_an_interrupted_start_leaves_no_engine(tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt after the process was made, before anybody holds it: it never becomes the engine."""
    made: list[int] = []

    def interrupt(pid: int) -> None:
        made.append(pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "_open_pidfd", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Child(["/bin/sh", "-c", "touch started; sleep 600"], tmp_path, tmp_path / "log", limits)
    assert made
    assert not alive(made)
    assert not (tmp_path / "started").exists()


def test_an_engine_starts_with_a_rebuilt_environment_and_nothing_open(shell: Shell, tmp_path: Path) -> None:
    """Neither variables nor files of whoever starts it, a lock among them."""
    lock = (tmp_path / "lock").open("w")
    wait_until(
        shell("env | grep -v ^PWD; ls -l /proc/$$/fd | grep -c -e lock -e socket; exec readlink /proc/self/fd/0").poll
    )
    lock.close()
    said = (tmp_path / "log").read_text().splitlines()
    assert sorted(said[:-2]) == ["LC_ALL=C", "OMP_NUM_THREADS=1", "PATH=/usr/bin:/bin"]
    assert said[-2:] == ["0", "/dev/null"]


def test_a_program_that_is_none_says_so(tmp_path: Path, limits: Limits) -> None:
    child = Child([str(tmp_path / "none")], tmp_path, tmp_path / "log", limits)
    wait_until(child.poll)
    assert child.exit_status == exec_helper.EXIT_NOT_STARTED
    assert (tmp_path / "log").read_text() == f"{tmp_path}/none: No such file or directory\n"


ONE_AND_TWO_THREADS = """
import sys, threading, time
from pathlib import Path
from solvehost import process
from solvehost.engine.process import Child, Limits
made = []
fork = process._fork
process._fork = lambda *asked: made.append("fork") or fork(*asked)
def run():
    child = Child(["/bin/echo", "hello"], Path(sys.argv[1]), Path(sys.argv[1], "log"), Limits())
    while not child.poll():
        time.sleep(0.01)
run()
print(made)
thread = threading.Thread(target=run)
thread.start()
thread.join()
print(made)
"""


def test_a_fork_is_used_in_a_process_of_one_thread_alone(tmp_path: Path) -> None:
    """Another thread might hold a lock that the fork would wait for."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ONE_AND_TWO_THREADS, str(tmp_path)],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.stdout == "['fork']\n['fork']\n"
    assert (tmp_path / "log").read_text() == "hello\nhello\n"


@pytest.mark.parametrize("closed", ["0", "1", "2", "0 1", "0 2", "0 1 2"])
@pytest.mark.parametrize("by_fork", [True, False])
def test_a_program_without_standard_descriptors_starts_engines_all_the_same(
    tmp_path: Path, closed: str, by_fork: bool
) -> None:
    script = (
        "import os, sys; sys.path[:0] = {path!r}; from pathlib import Path;"
        "waste = [os.close(int(fd)) for fd in {closed!r}.split()];"
        "from solvehost.engine.process import Child, Limits, wait_for_any;"
        "child = Child(['/bin/sh', '-c', 'cat; echo out; echo err >&2'], Path({folder!r}), Path({folder!r}, 'log'),"
        " Limits(by_fork={by_fork}));"
        "waited = [wait_for_any([child], 60) for _ in iter(child.poll, True)]"
    )
    text = script.format(path=sys.path, closed=closed, folder=str(tmp_path), by_fork=by_fork)
    subprocess.run([sys.executable, "-c", text], check=True)
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_cpu_time_can_be_looked_at_on_the_way(shell: Shell) -> None:
    child = shell("while :; do :; done")
    wait_until(lambda: child.cpu_so_far_s > 0)
    child.kill()
    assert child.cpu_so_far_s == child.cpu_s > 0


def test_without_the_word_a_child_never_becomes_the_engine(tmp_path: Path) -> None:
    """Its parent gave up before it held the other end."""
    command = [
        sys.executable,
        "-I",
        "-S",
        exec_helper.__file__,
        "engine",
        str(os.getpid()),
        "",
        "",
        "/bin/sh",
        "-c",
        "echo started",
    ]
    for word, status, output in (b"", exec_helper.EXIT_NOT_STARTED, ""), (b"!", 0, "started\n"):
        done = subprocess.run(command, input=word, capture_output=True, check=False)
        assert (done.returncode, done.stdout.decode()) == (status, output)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the parent-death signal")
def test_a_child_whose_parent_is_gone_already_never_starts() -> None:
    command = [sys.executable, "-I", "-S", exec_helper.__file__, "engine", "1", "", "", "/bin/sh", "-c", "echo started"]
    done = subprocess.run(command, input=b"!", capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (exec_helper.EXIT_NOT_STARTED, b"")


def test_a_process_that_cannot_be_made_is_said_so(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing stays open."""

    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    before = os.dup(0)
    os.close(before)

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(os, "fork", refuse)
    with pytest.raises(UnavailableError, match=r"cannot be started: .*Resource temporarily unavailable: check memory"):
        Child(["/bin/true"], tmp_path, tmp_path / "log", limits)
    after = os.dup(0)
    os.close(after)
    assert after == before


def test_waiting_for_nobody_is_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    wait_for_any([], 0.25)
    assert pauses == [0.25]
