"""An engine's process: how it starts, is suspended and ends, and what is known of it afterwards."""

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
from solvehost.engine.process import EngineLimits, EngineProcess, wait_for_any
from solvehost.errors import UnavailableError

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc"),
    # The test runner has threads, where the programs that start engines by a fork have none.
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]
Shell = Callable[[str], EngineProcess]


@pytest.fixture(params=[False, True], ids=["by program", "by fork"])
def limits(request: pytest.FixtureRequest) -> EngineLimits:
    """The two ways to start an engine."""
    return EngineLimits(by_fork=request.param)


@pytest.fixture
def shell(tmp_path: Path, limits: EngineLimits):
    """A function that starts a shell script as the engine; the fixture kills all of them at the end."""
    children: list[EngineProcess] = []

    def start(script: str) -> EngineProcess:
        children.append(EngineProcess(["/bin/sh", "-c", script], tmp_path, tmp_path / "log", limits))
        return children[-1]

    yield start
    for child in children:
        child.kill()


def state(child: EngineProcess) -> str:
    return Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 3", 3), ("kill -SEGV $$", -signal.SIGSEGV)])
def test_the_exit_status_is_recorded(shell: Shell, script: str, status: int) -> None:
    child = shell(script)
    wait_until(child.poll)
    assert child.exit_status == status
    assert child.pidfd is None
    child.kill()  # a second time has no effect
    assert child.exit_status == status


def test_output_is_appended_to_the_log(shell: Shell, tmp_path: Path) -> None:
    """That of both streams."""
    (tmp_path / "log").write_text("before\n")
    wait_until(shell("echo out; echo err >&2").poll)
    assert (tmp_path / "log").read_text() == "before\nout\nerr\n"


def test_cpu_time_is_counted(shell: Shell) -> None:
    child = shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
    wait_until(child.poll)
    assert child.cpu_s > 0


def test_a_suspended_engine_can_be_resumed_and_killed(shell: Shell) -> None:
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


def test_an_engine_has_begun_once_it_has_its_permission(shell: Shell, tmp_path: Path) -> None:
    """Before that it must not be suspended, because it would outlive a parent that is killed."""
    child = shell(f"echo $$ > {tmp_path}/runs; exec sleep 600")
    wait_until((tmp_path / "runs").exists)
    assert child.has_begun
    assert child.has_begun  # the pipe is closed by now


def test_an_engine_that_is_still_starting_has_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The helper sleeps before it reads its permission, as on a machine without a free core."""
    *interpreter, source, mode = exec_helper.command_line("engine")
    slow = [*interpreter, f"import time; time.sleep(1)\n{source}", mode]
    monkeypatch.setattr(exec_helper, "command_line", lambda _mode: slow)
    child = EngineProcess(["/bin/sleep", "600"], tmp_path, tmp_path / "log", EngineLimits(by_fork=False))
    try:
        assert not child.has_begun
        wait_until(lambda: child.has_begun)
    finally:
        child.kill()


def test_no_signal_is_sent_after_the_end(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may have the number by then."""
    child = shell("exit 0")
    wait_until(child.poll)
    monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("a signal was sent"))
    child.kill()
    assert child.poll()


def test_waiting_ends_when_one_engine_has_ended(shell: Shell) -> None:
    sleeper, other = shell("exec sleep 600"), shell("exit 0")
    wait_for_any([sleeper, other], 3600)
    assert other.poll()
    assert not sleeper.poll()


def test_waiting_works_without_process_descriptors(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    child = shell("exit 0")
    assert child.pidfd is None
    wait_until(lambda: wait_for_any([child], 3600) or child.poll())


def test_the_end_is_noticed_without_waitid(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS before Python 3.13."""
    monkeypatch.delattr(os, "waitid")
    child, sleeper = shell("exit 3"), shell("exec sleep 600")
    wait_until(child.poll)
    assert child.exit_status == 3
    assert not sleeper.poll()
    sleeper.kill()
    assert sleeper.exit_status == -signal.SIGKILL


def test_a_program_that_ignores_sigchld_notices_the_end(shell: Shell) -> None:
    """The system reaps the engine then, and its exit status is lost."""
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
    """Python ignores SIGPIPE and SIGXFSZ; the engine must not."""
    wait_until(shell("exec grep SigIgn /proc/self/status").poll)
    ignored = int((tmp_path / "log").read_text().split()[1], 16)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        assert not ignored & 1 << (number - 1)


def test_privileges_cannot_be_gained(shell: Shell, tmp_path: Path) -> None:
    wait_until(shell("exec grep NoNewPrivs /proc/self/status").poll)
    assert (tmp_path / "log").read_text().split() == ["NoNewPrivs:", "1"]


def test_a_limit_above_the_hard_limit_is_lowered_to_it(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path; sys.path[:0] = {path!r};"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100));"
        "from solvehost.engine.process import *;"
        "folder = Path({folder!r});"
        "child = EngineProcess(['/bin/sh', '-c', 'ulimit -n'], folder, folder / 'log', EngineLimits());"
        "waited = [wait_for_any([child], 60) for _ in iter(child.poll, True)]"
    )
    command = [sys.executable, "-c", script.format(path=sys.path, folder=str(tmp_path))]
    subprocess.run(command, check=True)
    assert (tmp_path / "log").read_text() == "100\n"


def test_an_interrupted_start_leaves_no_engine(
    tmp_path: Path, limits: EngineLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt after the fork and before the permission: the child never becomes the engine."""
    made: list[int] = []

    def interrupt(pid: int) -> None:
        made.append(pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "_open_pidfd", interrupt)
    with pytest.raises(KeyboardInterrupt):
        EngineProcess(["/bin/sh", "-c", "touch started; sleep 600"], tmp_path, tmp_path / "log", limits)
    assert made
    assert not alive(made)
    assert not (tmp_path / "started").exists()


def test_an_engine_inherits_no_variables_and_no_open_files(shell: Shell, tmp_path: Path) -> None:
    """Neither of the program that starts it nor of that program's parent; an inherited lock would stay locked."""
    lock = (tmp_path / "lock").open("w")
    wait_until(
        shell("env | grep -v ^PWD; ls -l /proc/$$/fd | grep -c -e lock -e socket; exec readlink /proc/self/fd/0").poll
    )
    lock.close()
    said = (tmp_path / "log").read_text().splitlines()
    assert sorted(said[:-2]) == ["LC_ALL=C", "OMP_NUM_THREADS=1", "PATH=/usr/bin:/bin"]
    assert said[-2:] == ["0", "/dev/null"]


def test_a_missing_program_is_named_in_the_log(tmp_path: Path, limits: EngineLimits) -> None:
    child = EngineProcess([str(tmp_path / "none")], tmp_path, tmp_path / "log", limits)
    wait_until(child.poll)
    assert child.exit_status == exec_helper.EXIT_NOT_STARTED
    assert (tmp_path / "log").read_text() == f"{tmp_path}/none: No such file or directory\n"


ONE_AND_TWO_THREADS = """
import sys, threading, time
from pathlib import Path
from solvehost.engine import process
from solvehost.engine.process import EngineLimits, EngineProcess
made = []
fork = process._fork
process._fork = lambda *asked: made.append("fork") or fork(*asked)
def run():
    child = EngineProcess(["/bin/echo", "hello"], Path(sys.argv[1]), Path(sys.argv[1], "log"), EngineLimits())
    while not child.poll():
        time.sleep(0.01)
run()
print(made)
thread = threading.Thread(target=run)
thread.start()
thread.join()
print(made)
"""


def test_a_fork_is_used_only_in_a_process_with_one_thread(tmp_path: Path) -> None:
    """Another thread might hold a lock, which stays locked in the child."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ONE_AND_TWO_THREADS, str(tmp_path)],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.stdout == "['fork']\n['fork']\n"
    assert (tmp_path / "log").read_text() == "hello\nhello\n"


@pytest.mark.parametrize("closed", ["0", "1", "2", "0 1", "0 2", "0 1 2"])
@pytest.mark.parametrize("by_fork", [True, False])
def test_a_program_without_standard_descriptors_starts_engines(tmp_path: Path, closed: str, by_fork: bool) -> None:
    script = (
        "import os, sys; sys.path[:0] = {path!r}; from pathlib import Path;"
        "waste = [os.close(int(fd)) for fd in {closed!r}.split()];"
        "from solvehost.engine.process import *;"
        "folder = Path({folder!r}); limits = EngineLimits(by_fork={by_fork});"
        "child = EngineProcess(['/bin/sh', '-c', 'cat; echo out; echo err >&2'], folder, folder / 'log', limits);"
        "waited = [wait_for_any([child], 60) for _ in iter(child.poll, True)]"
    )
    text = script.format(path=sys.path, closed=closed, folder=str(tmp_path), by_fork=by_fork)
    subprocess.run([sys.executable, "-c", text], check=True)
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_cpu_time_is_known_while_the_engine_runs(shell: Shell) -> None:
    child = shell("while :; do :; done")
    wait_until(lambda: (child.cpu_so_far_s or 0) > 0.02)
    child.kill()
    assert child.cpu_so_far_s == child.cpu_s > 0


def test_without_permission_the_helper_never_becomes_the_engine(tmp_path: Path) -> None:
    """Its parent gave up before it recorded the helper."""
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
    for permission, status, output in (b"", exec_helper.EXIT_NOT_STARTED, ""), (b"!", 0, "started\n"):
        done = subprocess.run(command, input=permission, capture_output=True, check=False)
        assert (done.returncode, done.stdout.decode()) == (status, output)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the parent-death signal")
def test_a_helper_whose_parent_has_ended_never_becomes_the_engine() -> None:
    command = [sys.executable, "-I", "-S", exec_helper.__file__, "engine", "1", "", "", "/bin/sh", "-c", "echo started"]
    done = subprocess.run(command, input=b"!", capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (exec_helper.EXIT_NOT_STARTED, b"")


def test_the_error_says_why_no_process_can_be_started(
    tmp_path: Path, limits: EngineLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no descriptor stays open."""

    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    before = os.dup(0)
    os.close(before)

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(os, "fork", refuse)
    with pytest.raises(UnavailableError, match=r"cannot be started: .*Resource temporarily unavailable: check memory"):
        EngineProcess(["/bin/true"], tmp_path, tmp_path / "log", limits)
    after = os.dup(0)
    os.close(after)
    assert after == before


def test_waiting_for_no_engine_is_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    wait_for_any([], 0.25)
    assert pauses == [0.25]


PROGRAM_PARENT = """
import subprocess, sys
from solvehost.engine import exec_helper
words = exec_helper.command_line("program")
child = subprocess.Popen([*words, str(exec_helper.os.getpid()), "/bin/sleep", "600"])
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the parent-death signal")
def test_a_program_ends_when_its_parent_is_killed() -> None:
    """The mode ``program`` of the helper, which ssh is started by."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", PROGRAM_PARENT], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        wait_until(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n")
        parent.kill()
        wait_until(lambda: not alive([child]))


def test_a_missing_program_is_named_on_stderr() -> None:
    command = [*exec_helper.command_line("program"), str(os.getpid()), "/no/such/program"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == exec_helper.EXIT_PROGRAM_NOT_STARTED
    assert done.stderr == "/no/such/program: No such file or directory\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the parent-death signal")
def test_a_process_whose_parent_has_ended_exits_at_once() -> None:
    script = "from solvehost.engine.exec_helper import die_with_parent; die_with_parent(1, exit_code=5)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", script], check=False, env=environment).returncode == 5
