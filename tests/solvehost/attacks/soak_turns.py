"""Two clients on one slot: a job of one client, while many jobs of the other one wait already.

``scripts/soak turns`` runs many jobs, the test suite a few.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from attack_server import Server, told
from standin import wait_until

#: How long each job of the crowd keeps its engine, in seconds.
_SOLVE_S = 0.2
#: Jobs that are started before the next ones, so that starting them does not stop everything else.
_STARTED_AT_ONCE = 5
#: Seconds for which the CPU time of waiting jobs is measured.
_MEASURED_S = 5.0


@dataclass
class Turns:
    """The findings of a run: who was served in which order, and what the waiting jobs cost."""

    jobs: int
    served: list[str] = field(default_factory=list)
    cpu_share: float = 0.0
    answered_s: float = 0.0
    violations: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """Return the findings as one line."""
        place = self.served.index("other") + 1 if "other" in self.served else None
        return (
            f"{self.jobs} waiting jobs used {100 * self.cpu_share:.1f} % of a core; the other client's job was number "
            f"{place} to be served, {self.answered_s:.1f} s after the slot came free"
        )


def soak(server: Server, jobs: int, measured_s: float = _MEASURED_S) -> Turns:
    """Let ``jobs`` jobs of the client ``me`` wait behind a running one, then send a job of the client ``other``."""
    found = Turns(jobs)
    server.flags += ["--slots", "1", "--max-waiting", str(jobs + 1), "--queue-wait", "3600"]
    running = _send(server, "sleep", "running", "me")
    wait_until(lambda: list(server.state.glob("work/*/.run-*")))
    crowd = []
    for number in range(jobs):
        crowd.append(_send(server, f"solve-late {_SOLVE_S} {1000 + number}", f"job-{number}", "me"))
        if number % _STARTED_AT_ONCE == _STARTED_AT_ONCE - 1 or number == jobs - 1:
            _await_queue(server, number + 1)
    found.cpu_share = _cpu_share(server, measured_s)
    other = _send(server, "solve", "other", "other")
    _await_queue(server, jobs + 1)
    began = time.monotonic()
    running.send_signal(signal.SIGTERM)
    found.violations += [f"the job of the other client: exit {code}" for code in [_finish(other)] if code]
    found.answered_s = time.monotonic() - began
    found.violations += [f"job {number}: exit {code}" for number, code in enumerate(map(_finish, crowd)) if code]
    _finish(running)
    lines = [line for line in server.log.read_text().splitlines() if " result=solved " in line]
    found.served = [line.partition(" client=")[2].partition(" ")[0] for line in lines]
    if "other" not in found.served[:1]:
        found.violations.append("a job of the first client was served before that of the other one")
    return found


def _send(server: Server, behaviour: str, job_id: str, client: str) -> subprocess.Popen[bytes]:
    server.flags[server.flags.index("--client") + 1] = client
    process = server.start(stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    process.stdin.write(told(behaviour, job_id=job_id.encode()))
    process.stdin.close()
    return process


def _finish(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    with process.stdout:
        process.stdout.read()
    return process.wait()


def _await_queue(server: Server, count: int) -> None:
    wait_until(lambda: len(list(server.state.glob("**/queue/[0-9]*"))) >= count)


def _cpu_share(server: Server, seconds: float) -> float:
    """Return the CPU time of all processes of the server in a period, as a share of it."""
    pids = server.processes()
    before, began = _cpu_s(pids), time.monotonic()
    time.sleep(seconds)
    return (_cpu_s(pids) - before) / (time.monotonic() - began)


def _cpu_s(pids: list[int]) -> float:
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended
            words = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")
