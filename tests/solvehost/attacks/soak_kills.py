"""kill -9 of client, server, connection and engine at random moments, over a real sshd.

No engine is left behind, no incomplete result is visible, and every job is solved in the end, though it may have to be
sent again.  ``scripts/soak kills`` runs many jobs, the test suite a few.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from attack_server import held_locks, install_engine, processes_of, read_reply, told
from rawwire import in_pieces
from standin import PATIENCE_S, alive

from made_sshd import Host, MadeSshd
from solvehost import wire
from solvehost.errors import NovaError

#: Exit codes that a client may see after a kill; it then sends the job again.
RETRIABLE = frozenset({69, 70, 74, 75, 129, 137, 143, 255, -9})
_TRIES = 20


@dataclass
class Kills:
    """The findings: what was killed, how the first try ended, how long engines survived, and violations."""

    killed: Counter[str] = field(default_factory=Counter)
    first: Counter[str] = field(default_factory=Counter)
    tries: Counter[int] = field(default_factory=Counter)
    longest_s: float = 0.0
    solved: int = 0
    violations: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def summary(self) -> str:
        """Return the findings as one line."""
        killed = ", ".join(f"{name} {count}" for name, count in self.killed.items())
        first = ", ".join(f"{name} {count}" for name, count in sorted(self.first.items()))
        tries = ", ".join(f"{count} after {n}" for n, count in sorted(self.tries.items()))
        return (
            f"{self.solved} jobs solved in the end ({tries} tries); killed: {killed}; first outcomes: {first}; "
            f"longest that a process lived on: {self.longest_s:.2f} s"
        )


@dataclass
class _Lane:
    """One host, to which jobs are sent one after the other."""

    sshd: MadeSshd
    host: Host
    flags: Path
    found: Kills
    within_s: float

    def blame(self, number: int, what: str) -> None:
        with self.found.lock:
            self.found.violations.append(f"job {number}: {what}")

    def ask(self, *words: str, stream: bytes = b"") -> tuple[int, bytes, bytes]:
        done = self._start(words)
        out, err = done.communicate(stream, 3 * PATIENCE_S)
        return done.returncode, out, err

    def _start(self, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([*self.sshd.ssh, "-T", "-x", self.host.alias, *words], **pipes)  # type: ignore[call-overload]

    # -- one job --------------------------------------------------------------------------------------------------

    def job(self, number: int) -> None:
        """Send a job, kill a process, check what is left, and get the job solved."""
        rng = random.Random(number)
        job_id, detached = f"job-{number}", rng.random() < 0.4
        flag = self.flags / f"go-{number}"
        stream = told(f"solve-once {flag.name} {1000 + number}", job_id=job_id.encode())
        if rng.random() < 0.3:
            flag.touch()
        verb = ("solve", "--detach") if detached else rng.choice(((), ("solve",)))
        client = self._start(verb)
        reader = threading.Thread(target=_talk, args=(client, stream, out := []))
        reader.start()
        self._await_moment(rng, client)
        victim = self._kill(rng, client)
        if victim in ("shell", "connection") and rng.random() < 0.5:  # which the connection survives
            client.kill()
            victim = f"{victim}, then client"
        killed_s = time.monotonic()
        if not detached and not flag.exists() and victim not in ("nobody", "shell", "connection"):
            self._await_silence(number, victim, killed_s)
        flag.touch()
        reader.join(3 * PATIENCE_S)
        code = client.wait(PATIENCE_S)
        with self.found.lock:
            self.found.killed[victim] += 1
            self.found.first[f"exit {code}"] += 1
        self._judge(number, code, out[0] if out else b"", detached)
        self._bring_home(number, job_id, stream, detached)
        self._look_around(number)
        flag.unlink()

    def _await_moment(self, rng: random.Random, client: subprocess.Popen[bytes]) -> None:
        """Wait for a random moment: sometimes while the connection is made, mostly after the server has started."""
        if rng.random() < 0.85:
            while client.poll() is None and "first supervisor" not in self._find(client):
                time.sleep(0.002)
        time.sleep(rng.random() * rng.choice((0.02, 0.1, 0.4)))

    def _kill(self, rng: random.Random, client: subprocess.Popen[bytes]) -> str:
        """Kill one of the processes; return its name."""
        there = self._find(client)
        if not there:
            return "nobody"
        name = rng.choice(sorted(there))
        with contextlib.suppress(ProcessLookupError):
            os.kill(there[name], signal.SIGKILL)
        return name

    def _find(self, client: subprocess.Popen[bytes]) -> dict[str, int]:
        there = {"client": client.pid} if client.poll() is None else {}
        chain = []
        for pid in sorted(processes_of(self.host.state)):
            words, parent = _look_at(pid)
            if b"standin_engine" in words:
                there["engine"] = pid
            elif words.startswith(os.fsencode(self.sshd.python)) and b"--state" in words:
                chain.append((pid, parent))
        pids = {pid for pid, _ in chain}
        above = next(((pid, parent) for pid, parent in chain if parent not in pids), None)
        there |= _above(above[1]) if above else {}
        for name in ("first supervisor", "second supervisor", "worker"):
            if above is None:
                break
            there[name] = above[0]
            above = next(((pid, parent) for pid, parent in chain if parent == above[0]), None)
        return there

    def _await_silence(self, number: int, victim: str, killed_s: float) -> None:
        """Check that a plain job with an endless engine ends after the kill."""
        while alive(processes_of(self.host.state)):
            if time.monotonic() - killed_s > self.within_s:
                left = [_look_at(p)[0].replace(b"\0", b" ")[-80:] for p in alive(processes_of(self.host.state))]
                self.blame(number, f"{self.within_s:g} s after {victim} was killed, there still is {left}")
                return
            time.sleep(0.005)
        with self.found.lock:
            self.found.longest_s = max(self.found.longest_s, time.monotonic() - killed_s)

    def _judge(self, number: int, code: int, stdout: bytes, detached: bool) -> None:
        """Check that the output is a complete reply, or is refused by the reader."""
        if code not in RETRIABLE | {0}:
            self.blame(number, f"exit {code} after the kill")
        if detached:
            return
        try:
            wire.read_reply(in_pieces(stdout), f"job-{number}")
        except NovaError:
            if code == 0:
                self.blame(number, "exit 0, but no whole reply")

    def _bring_home(self, number: int, job_id: str, stream: bytes, detached: bool) -> None:
        """Send the job again until it is solved; check that the solution is its own."""
        code, out = 75, b""
        for attempt in range(1, _TRIES + 1):
            if detached:
                code, out, err = self.ask("solve", "--detach", stream=stream)
                deadline = time.monotonic() + PATIENCE_S
                while code == 0 and self._state(out) in ("waiting", "running") and time.monotonic() < deadline:
                    time.sleep(0.02)
                    code, out, err = self.ask("jobs")
                if code == 0:
                    code, out, err = self.ask("fetch", job_id)
                if code == 70:  # its engine was killed, so it is stored as failed
                    self.ask("rm", job_id)
            else:
                code, out, err = self.ask("solve", stream=stream)
            if code == 0:
                with self.found.lock:
                    self.found.tries[attempt] += 1
                break
            if code not in RETRIABLE:
                self.blame(number, f"exit {code} when sent again: {err[-200:]!r}")
        try:
            manifest, files = read_reply(out, job_id)
            if f"{1000 + number}".encode() not in files["wcs.fits"] or manifest["status"] != "solved":
                self.blame(number, "another job's solution")
        except Exception as exc:
            self.blame(number, f"never came home: exit {code}: {exc}")
            return
        if detached and self.ask("rm", job_id)[0] != 0:
            self.blame(number, "it cannot be removed")
        with self.found.lock:
            self.found.solved += 1

    def _state(self, lines: bytes) -> str:
        """Return the state of the only stored job."""
        return str(json.loads(lines.splitlines()[0])["state"]) if lines else "gone"

    def _look_around(self, number: int) -> None:
        """Check that no process and no lock is left; later requests remove what is left in the work directory."""
        deadline = time.monotonic() + PATIENCE_S
        while alive(processes_of(self.host.state)) and time.monotonic() < deadline:
            time.sleep(0.005)
        if left := alive(processes_of(self.host.state)):
            self.blame(number, f"processes are left: {left}")
        if held := held_locks(self.host.state):
            self.blame(number, f"tokens are held: {held}")


def _talk(client: subprocess.Popen[bytes], stream: bytes, out: list[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError, ValueError):
        out.append(client.communicate(stream)[0])


def _above(pid: int) -> dict[str, int]:
    """Return the pids between sshd and the first supervisor by name: shell (if any), session, connection."""
    there = {}
    words, parent = _look_at(pid)
    if not words.startswith(b"sshd:"):
        there["shell"] = pid
        pid, (words, parent) = parent, _look_at(parent)
    if words.startswith(b"sshd:"):
        there["session"] = pid
        if _look_at(parent)[0].startswith(b"sshd:") and b"[priv]" in _look_at(parent)[0]:
            there["connection"] = parent
    return there


def _look_at(pid: int) -> tuple[bytes, int]:
    """Return the command line of a process, and its parent's pid."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        return words, int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return b"", 0


def soak(sshd: MadeSshd, count: int, seed: int = 0, lanes: int = 2, within_s: float = PATIENCE_S) -> Kills:
    """Run ``count`` jobs; no process of a plain job may survive a kill by more than ``within_s`` seconds."""
    found = Kills()
    engine = install_engine(sshd.place("anchor", "").parent / "engine")
    flags = ["--engine", str(engine), "--engine-config", str(engine.parents[1] / "engine.cfg"), "--log", "stderr"]
    numbers = iter(range(seed, seed + count))
    ran = []
    for _ in range(lanes):
        host = sshd.add_host(*flags)
        lane = _Lane(sshd, host, engine.parents[1] / "lib", found, within_s)
        ran.append(lane)
    threads = [threading.Thread(target=_run, args=(lane, numbers)) for lane in ran]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for lane in ran:
        _sweep(lane)
    return found


def _run(lane: _Lane, numbers: Iterator[int]) -> None:
    while True:
        with lane.found.lock:
            number = next(numbers, None)
        if number is None:
            return
        try:
            lane.job(number)
        except Exception as exc:  # any exception is a finding
            lane.blame(number, f"{type(exc).__name__}: {exc}")


def _sweep(lane: _Lane) -> None:
    """Check that some requests an hour later remove everything that kills left."""
    work = lane.host.state / "work"
    for path in work.iterdir() if work.exists() else ():
        path.rename(path.with_name(f".new-1-{path.name[-16:]}"))  # as if it had been made in 1970
    for _ in range(1 + len(list(work.glob("*"))) // 8):
        lane.ask("solve", stream=told("exhaust"))
    if left := list(work.glob("*")):
        lane.blame(-1, f"{len(left)} stale directories are left")
    if left := [p for p in lane.host.state.glob("clients/*/jobs/*") if p.is_dir() and not p.name.startswith(".new-")]:
        lane.blame(-1, f"{len(left)} jobs are kept that were removed")
