"""Many submissions by ``nova`` at once, over a real sshd with its default MaxStartups and MaxSessions.

All are answered, each with its own result: every job is a piece of the drawn field that lies elsewhere in its frame,
so that its solution's centre is its own.  ``scripts/soak crowd`` runs many, the suite some.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import drawnfield
from served import held_locks, processes_of
from standin import wait_until

from made_sshd import Host, MadeSshd
from solvehost import engine, indexes
from solvehost.startable import Stars

#: Servers that a crowd meets: one that lets everybody wait, and one that soon sends the surplus away.
SERVERS = {
    "patient": ("--slots", "2"),
    "hasty": ("--slots", "2", "--queue-wait", "1", "--max-waiting", "12"),
}
_SHIFT_PX = 8
_TRIES = 12
#: How long all of it may take, in seconds; no claim about speed.
_ALL_S = 1200.0


@dataclass
class Crowd:
    """What was found."""

    jobs: int
    name: str
    seconds: float = 0.0
    solved: int = 0
    busy: int = 0
    dropped: int = 0
    rounds: Counter[int] = field(default_factory=Counter)
    first: Counter[int] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """Return it in a line."""
        rounds = ", ".join(f"{count} in {n}" for n, count in sorted(self.rounds.items()))
        first = ", ".join(f"{count} x exit {code}" for code, count in sorted(self.first.items()))
        return (
            f"{self.name}: {self.solved} of {self.jobs} solved in {self.seconds:.0f} s ({rounds} commands; first: "
            f"{first}; the server said 75 {self.busy} times, sshd dropped {self.dropped} connections)"
        )


def soak(sshd: MadeSshd, folder: Path, jobs: int, flags: tuple[str, ...]) -> Crowd:
    """Have ``jobs`` pictures solved at once, and say what became of them."""
    name = next((n for n, f in SERVERS.items() if f == flags), "server")
    found = Crowd(jobs, name)
    log = sshd.make_dir() / "solvehost.log"
    host = sshd.add_host(*flags, "--log", str(log))
    (sshd.folder / "run").mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(parents=True)
    stars = drawnfield.draw(_index(), parity=1)
    width = drawnfield.WIDTH + _SHIFT_PX * jobs
    lists = [_write(folder / f"stars-{number}.csv", stars, number) for number in range(jobs)]
    dropped_before = _dropped(sshd)
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
    found.dropped = _dropped(sshd) - dropped_before
    found.violations += [f"{name}: job {number} never came home" for number in left]
    _look_around(found, host)
    return found


def _index() -> Path:
    """Return an index file that the drawn field is made of."""
    files = indexes.scan(indexes.configured_places(None, engine.find())).files
    return next(f.path for f in files if 90 <= f.middle_arcmin <= 150 and f.healpix == -1)


def _write(path: Path, stars: Stars, number: int) -> Path:
    """Write the star list of a job: all stars are shifted by so many pixels."""
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
    """Take over how a command ended."""
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


def _dropped(sshd: MadeSshd) -> int:
    return sshd.log().count("drop connection")


def _look_around(found: Crowd, host: Host) -> None:
    wait_until(lambda: not processes_of(host.state))
    if list((host.state / "work").glob("*")):
        found.violations.append(f"{found.name}: a work directory is left")
    if held := held_locks(host.state):
        found.violations.append(f"{found.name}: tokens are held: {held}")
