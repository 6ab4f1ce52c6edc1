"""Many submissions by ``nova`` at once, over a real sshd with its default MaxStartups and MaxSessions.

All get an answer, each its own: the stars of each job are shifted by another number of pixels, so each solution has
another centre.  ``scripts/soak crowd`` runs many jobs, the test suite a few.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import drawnfield
from attack_server import SYSTEM_PYTHON, held_locks, install_engine, processes_of, read_reply, told
from standin import wait_until

from made_sshd import Host, MadeSshd
from solvehost.engine import program
from solvehost.formats.star_table import Stars
from solvehost.indexes import engine_config, index_set

HASTY = ("--slots", "2", "--queue-wait", "1", "--max-waiting", "8")


class CrowdSetting(NamedTuple):
    """Circumstances of a crowd: the server's flags, whether connections are shared, and the delay of each solve."""

    name: str
    flags: tuple[str, ...] = ("--slots", "2")
    shared: bool = True
    held_up_s: float = 0.0


#: A server that lets all jobs wait; one that soon refuses the surplus; the same with a connection for each job.
SETTINGS = (
    CrowdSetting("patient"), CrowdSetting("hasty", HASTY, held_up_s=0.4),
    CrowdSetting("hasty, no sharing", HASTY, False, 0.4),
)  # fmt: skip
_SHIFT_PX = 8
_TRIES = 12
#: Time limit of the whole run, in seconds; it says nothing about speed.
_ALL_S = 1200.0


@dataclass
class Crowd:
    """The findings of a run."""

    jobs: int
    name: str
    seconds: float = 0.0
    solved: int = 0
    busy: int = 0
    dropped: int = 0
    connections: int = 0
    rounds: Counter[int] = field(default_factory=Counter)
    first: Counter[int] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """Return the findings as one line."""
        rounds = ", ".join(f"{count} in {n}" for n, count in sorted(self.rounds.items()))
        first = ", ".join(f"{count} x exit {code}" for code, count in sorted(self.first.items()))
        return (
            f"{self.name}: {self.solved} of {self.jobs} solved in {self.seconds:.0f} s ({rounds} commands; first: "
            f"{first}; the server said 75 {self.busy} times, sshd took {self.connections} connections and dropped "
            f"{self.dropped})"
        )


_SLOW_ENGINE = """\
#!{python} -IS
import os, sys, time
time.sleep({held_up_s})
os.execv("{engine}", ["{engine}", *sys.argv[1:]])
"""
#: Serves without confinement, which would keep the slow engine from starting the real one.
_UNCONFINED = """\
import sys
sys.path.insert(0, "{app}")
from solvehost.engine import sandbox
sandbox.rules = lambda *_: ""
from solvehost.__main__ import main
main()
"""


def soak(sshd: MadeSshd, folder: Path, jobs: int, setting: CrowdSetting) -> Crowd:
    """Solve ``jobs`` star lists at once with ``nova``; return the findings."""
    name = setting.name
    found = Crowd(jobs, name)
    log = sshd.make_dir() / "solvehost.log"
    engine_path, wrapper = program.find_engine(), None
    if setting.held_up_s:
        words = {"python": SYSTEM_PYTHON, "held_up_s": setting.held_up_s, "engine": engine_path}
        engine_path = sshd.place("astrometry-engine", _SLOW_ENGINE.format(**words))
        wrapper = sshd.place("unconfined.py", _UNCONFINED.format(app=sshd.app))
    flags = (*setting.flags, "--log", str(log), "--engine", str(engine_path))
    host = sshd.add_host(*flags, wrapper=wrapper, shared=setting.shared)
    (sshd.folder / "run").mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(parents=True)
    stars = drawnfield.draw(_index(), parity=1)
    width = drawnfield.WIDTH + _SHIFT_PX * jobs
    lists = [_write(folder / f"stars-{number}.csv", stars, number) for number in range(jobs)]
    before = _connections(sshd)
    began = time.monotonic()
    left = dict(enumerate(lists))
    for round_ in range(1, _TRIES + 1):
        running = {n: _start(sshd, host, folder, path, width) for n, path in left.items()}
        for number, process in running.items():
            out, err = process.communicate(timeout=_ALL_S)
            _note(found, round_, number, process.returncode, out, err, left)
        if not left:
            break
    found.seconds = time.monotonic() - began
    found.busy = log.read_text().count(" exit=75 ")
    found.connections, found.dropped = (n - b for n, b in zip(_connections(sshd), before, strict=True))
    found.violations += [f"{name}: job {number} never came home" for number in left]
    _look_around(found, host)
    return found


def _index() -> Path:
    """Return an index file from which the synthetic field is made."""
    files = index_set.scan(engine_config.configured_places(None, program.find_engine())).files
    return next(f.path for f in files if 90 <= f.middle_arcmin <= 150 and f.healpix == -1)


def _write(path: Path, stars: Stars, number: int) -> Path:
    """Write the star list of a job, with all stars shifted by ``number`` pixels."""
    rows = zip(stars.x, stars.y, stars.flux, strict=True)
    path.write_text("x,y,flux\n" + "".join(f"{x + _SHIFT_PX * number},{y},{flux}\n" for x, y, flux in rows))
    return path


def _start(sshd: MadeSshd, host: Host, folder: Path, path: Path, width: int) -> subprocess.Popen[str]:
    scale = drawnfield.ARCSEC_PER_PIXEL
    words = [
        "--size",
        f"{width}x{drawnfield.HEIGHT}",
        "-L",
        str(scale * 0.9),
        "-H",
        str(scale * 1.1),
        "-u",
        "arcsecperpix",
    ]
    command = [sys.executable, "-m", "novacli", "submit", str(path), *words, "--to", host.alias, "--json"]
    env = {**os.environ, "NOVA_SSH": str(sshd.program)}
    for name in ("CACHE", "CONFIG", "DATA", "STATE"):
        place = folder / name.lower()
        place.mkdir(exist_ok=True)
        env[f"XDG_{name}_HOME"] = str(place)
    env["XDG_RUNTIME_DIR"] = str(sshd.folder / "run")  # short, for the sockets of shared connections
    command += ["--jobs-dir", str(folder / "jobs")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def _note(found: Crowd, round_: int, number: int, code: int, out: str, err: str, left: dict[int, Path]) -> None:
    """Record how a command ended."""
    if round_ == 1:
        found.first[code] += 1
    if code == 75:
        return
    if code != 0:
        found.violations.append(f"{found.name}: job {number}: exit {code}: {err[-300:]!r}")
        return
    line = json.loads(out)
    wanted = drawnfield.truth(drawnfield.WIDTH / 2 + 0.5 + _SHIFT_PX * (found.jobs / 2 - number), 400.5, 1)
    calibration = line["calibration"]
    off_arcsec = drawnfield.separation_arcsec((calibration["ra"], calibration["dec"]), wanted)
    if off_arcsec > drawnfield.ARCSEC_PER_PIXEL * _SHIFT_PX / 3:
        found.violations.append(f"{found.name}: job {number} has a solution {off_arcsec:.0f} arcsec off")
    found.solved += 1
    found.rounds[round_] += 1
    del left[number]


def _connections(sshd: MadeSshd) -> tuple[int, int]:
    """Return how many connections sshd accepted, and how many it dropped because of MaxStartups."""
    log = sshd.log()  # it has the first dropped connection, and later their number
    return log.count("Accepted publickey"), sum(map(int, re.findall(r"([0-9]+) connections dropped", log)))


def _look_around(found: Crowd, host: Host) -> None:
    wait_until(lambda: not processes_of(host.state))
    if list((host.state / "work").glob("*")):
        found.violations.append(f"{found.name}: a work directory is left")
    if held := held_locks(host.state):
        found.violations.append(f"{found.name}: tokens are held: {held}")


def soak_raw(sshd: MadeSshd, jobs: int, flags: tuple[str, ...] = HASTY) -> Crowd:
    """The same with plain ssh, one connection for each job, all started at once; 75 and 255 are sent again."""
    found = Crowd(jobs, "plain ssh")
    log = sshd.make_dir() / "solvehost.log"
    program = install_engine(sshd.place("anchor", "").parent / "engine")
    words = ("--engine", str(program), "--engine-config", str(program.parents[1] / "engine.cfg"), "--log", str(log))
    host = sshd.add_host(*flags, *words)
    before = _connections(sshd)
    began = time.monotonic()
    lock = threading.Lock()
    threads = [threading.Thread(target=_raw, args=(sshd, host, n, found, lock)) for n in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.seconds = time.monotonic() - began
    found.busy = log.read_text().count(" exit=75 ")
    found.connections, found.dropped = (n - b for n, b in zip(_connections(sshd), before, strict=True))
    _look_around(found, host)
    return found


def _raw(sshd: MadeSshd, host: Host, number: int, found: Crowd, lock: threading.Lock) -> None:
    rng = random.Random(number)
    stream = told(f"solve-late 0.2 {1000 + number}", job_id=b"job-%d" % number)
    why = "no try"
    for attempt in range(1, 40):
        done = subprocess.run([*sshd.ssh, "-T", host.alias, "solve"], input=stream, capture_output=True, check=False)
        with lock:
            found.first[done.returncode] += attempt == 1
        if done.returncode == 0:
            try:
                _, files = read_reply(done.stdout, f"job-{number}")
                why = "" if f"{1000 + number}".encode() in files["wcs.fits"] else "another job's solution"
            except Exception as exc:
                why = str(exc)
            break
        why = f"exit {done.returncode}: {done.stderr[-200:]!r}"
        if done.returncode not in (75, 255) or done.stdout:
            break
        time.sleep(rng.uniform(0.2, 1.5))
    with lock:
        if why:
            found.violations.append(f"{found.name}: job {number}: {why}")
        else:
            found.solved += 1
            found.rounds[attempt] += 1
