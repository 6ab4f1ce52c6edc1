"""Running a program: its three streams, its time limits, and its end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from novacli.backends.ssh import stderr_log
from novacli.backends.ssh.child_process import Call
from novacli.backends.ssh.limits import CancelledError, TimeUpError
from novacli.errors import TransferError
from novacli.records.budget import Budget
from novacli.records.progress import SILENT, Progress

PATIENCE_S = 20.0


def run(
    script: str, stdin: bytes = b"", *, timeout_s: float = PATIENCE_S, progress: Progress = SILENT
) -> tuple[bytes, int | None, tuple[str, ...]]:
    with Call(["/bin/sh", "-c", script], stdin, Budget.of_seconds(timeout_s), progress) as call:
        out = b""
        while chunk := call.read(65536):
            out += chunk
        ended = call.finish()
    return out, ended.code, ended.stderr_lines


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.01)


def test_stdin_is_sent_and_stdout_stderr_and_the_exit_code_are_returned() -> None:
    data = os.urandom(3_000_000)
    assert run("cat; echo done >&2; exit 7", data) == (data, 7, ("done",))


def test_three_full_pipes_do_not_block_each_other() -> None:
    out, code, _ = run(
        "(yes err | head -c 2000000) >&2; (yes out | head -c 2000000); cat > /dev/null", bytes(2_000_000)
    )
    assert (len(out), code) == (2_000_000, 0)


def test_a_program_that_reads_nothing_keeps_its_exit_code() -> None:
    assert run("exec <&-; exit 3", bytes(5_000_000))[1] == 3


def test_the_end_of_stdin_reaches_the_program() -> None:
    assert run("cat; echo end")[0] == b"end\n"


def test_death_by_a_signal_is_reported() -> None:
    assert run("kill -9 $$")[1] == -9


def test_lines_of_stderr_are_escaped_cut_and_observed() -> None:
    heard: list[str] = []
    script = r"printf 'one\033[2J\r\n\n' >&2; head -c 5000 /dev/zero >&2; printf '\nlast' >&2"
    _, _, said = run(script, progress=Progress(heard.append))
    assert said[0] == r"one\x1b[2J"
    assert len(said[1]) < 500
    assert said[-1] == "last"
    assert tuple(heard) == said


def test_the_last_lines_of_stderr_are_kept() -> None:
    _, _, said = run("i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo $i >&2; done")
    assert said[-1] == "100"
    assert len(said) == 20


def test_a_program_that_writes_too_much_to_stderr_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is lowered, as a busy machine may not reach the real one before the program counts as hanging."""
    monkeypatch.setattr(stderr_log, "MAX_BYTES", 100_000)
    with pytest.raises(TransferError, match="its log does not end"):
        run("exec yes >&2")


def test_the_end_of_stderr_is_not_waited_for() -> None:
    out, code, _ = run("setsid sleep 3 > /dev/null < /dev/null & echo $!")
    assert code == 0
    assert out


def test_the_deadline_ends_program_and_descendants(tmp_path: Path) -> None:
    with pytest.raises(TimeUpError):
        run(f"sleep 1000 & echo $! > {tmp_path}/pid; wait", timeout_s=0.5)
    wait_until_gone(int((tmp_path / "pid").read_text()))


def test_a_program_that_ignores_term_is_killed(tmp_path: Path) -> None:
    with pytest.raises(TimeUpError):
        run(f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 0.1; done", timeout_s=0.5)
    wait_until_gone(int((tmp_path / "pid").read_text()))


def test_a_program_that_hangs_after_it_has_closed_stdout_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    from novacli.backends.ssh import child_process

    monkeypatch.setattr(child_process, "_ENDING_S", 0.2)
    assert run("exec >&-; exec sleep 1000")[1] is None


def test_cancelling_ends_the_program(tmp_path: Path) -> None:
    flag = threading.Event()
    threading.Timer(0.3, flag.set).start()
    with pytest.raises(CancelledError):
        run(f"echo $$ > {tmp_path}/pid; exec sleep 1000", progress=Progress(cancelled=flag.is_set))
    wait_until_gone(int((tmp_path / "pid").read_text()))


def test_a_program_whose_stdout_is_not_read_to_the_end_is_ended() -> None:
    with Call(["/bin/sh", "-c", "echo $$; exec sleep 1000"], b"", Budget.of_seconds(PATIENCE_S)) as call:
        pid = int(call.read(100))
        assert call.finish().code is None
    assert not is_alive(pid)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a parent-death signal")
def test_a_program_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "from novacli.backends.ssh.child_process import Call\n"
        "from novacli.records.budget import Budget\n"
        f"with Call(['/bin/sh', '-c', 'echo $$ > {tmp_path}/pid; echo; exec sleep 1000'], b'', Budget()) as call:\n"
        "    call.read(1); print(flush=True); call.read(1)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    parent.stdout.readline()
    parent.kill()
    parent.communicate()
    wait_until_gone(int((tmp_path / "pid").read_text()))


def test_a_missing_program_is_reported_on_stderr() -> None:
    with Call(["/no/such/program"], b"", Budget.of_seconds(PATIENCE_S)) as call:
        assert call.read(1) == b""
        ended = call.finish()
    assert ended.code == 126
    assert ended.stderr_lines == ("/no/such/program: No such file or directory",)


def test_all_descriptors_are_closed() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        run("echo x")
    assert len(os.listdir("/proc/self/fd")) == before
