"""Solve servers behind a stand-in ``ssh``: a shell script for each verb of each destination.

The stand-in parses the command line as ssh would, records the call, and runs ``PLACE/DESTINATION/VERB``.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from made_results import corr_fits, wcs_fits

from solvehost.wire import IndexLine, Info, JobLine
from solvehost.wire.json_lines import write_line

SOURCE = Path(__file__).parents[2] / "src"
PEER = Path(__file__).with_name("standin_peer.py")
WIDTH, HEIGHT = 719, 507
#: Replaced by the stand-in with a corr.fits of the first five stars that it was sent.
MATCHED = b"matched"

_SSH = """#!/bin/sh
place={place}
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    case $1 in -F) config=$2 ;; -tt|-W) probe=$1 ;; esac
    shift
done
destination=$2
verb=$3
shift 2
echo "$destination $*" >> "$place/calls"
[ -n "$probe" ] && verb=probe$probe
cd "$place/$destination" 2>/dev/null || {{ echo "ssh: Could not resolve hostname $destination" >&2; exit 255; }}
[ -f "$verb" ] || {{ echo "$verb: not found" >&2; exit 127; }}
exec /bin/sh "./$verb" "$@"
"""

INDEX = IndexLine("index-4110.fits", 4110, -1, 1, 10.0, 2000.0, 1000, 1000, 10_000)


def make_info(**changes: Any) -> Info:
    """Return the answer to ``info`` of a server that is idle and serves every field."""
    limits: dict[str, float | None] = {"wall_s": 300.0, "running": None}
    base = {"protocols": (1,), "version": "1.2.3", "client": "me", "slots": 2, "running": 0, "waiting": 0}
    return Info(**{**base, "sandbox": True, "limits": limits, "indexes": (INDEX,), **changes})


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of a test; ``program`` is the stand-in ssh."""

    place: Path
    program: Path

    def add(self, destination: str, **scripts: str) -> Path:
        """Add a server, or set scripts of its verbs; without a script, ``info`` works."""
        folder = self.place / destination
        folder.mkdir(exist_ok=True)
        if not (folder / "info").exists():
            self.says(destination, make_info())
        for verb, script in scripts.items():
            (folder / verb).write_text(script + "\n")
        return folder

    def says(self, destination: str, info: Info) -> None:
        """Set the answer of a server to ``info``."""
        folder = self.place / destination
        folder.mkdir(exist_ok=True)
        (folder / "info.json").write_bytes(write_line(info))
        (folder / "info").write_text("cat info.json\n")

    def has(self, destination: str, *lines: JobLine) -> None:
        """Set the jobs that a server has."""
        folder = self.add(destination, jobs="cat jobs.json")
        (folder / "jobs.json").write_bytes(b"".join(map(write_line, lines)))

    def replies(self, destination: str, files: dict[str, bytes] | None = None, *, verb: str = "solve",
                before: str = "", after: str = "", described: Any = None, **manifest: Any) -> None:  # fmt: skip
        """Have a server answer with result files and their manifest.

        ``files`` are those of a solved job by default, and :data:`MATCHED` stands for a corr.fits of stars that were
        sent; ``described`` replaces the list of files in the manifest; ``before`` and ``after`` are run around the
        answer.
        """
        if described is not None:
            manifest["files"] = described
        folder = self.add(destination)
        if files is None:
            files = {**solved_files(), **({"corr.fits": MATCHED} if verb == "solve" else {})}
        stored = folder / f"{verb}.files"
        shutil.rmtree(stored, ignore_errors=True)
        stored.mkdir()
        for name, data in files.items():
            (stored / name).write_bytes(data)
        (folder / f"{verb}.manifest").write_text(json.dumps(manifest))
        peer = shlex.join([sys.executable, "-I", "-S", str(PEER), str(SOURCE), verb])
        self.add(destination, **{verb: f'{before}\n{peer} "$@" || exit\n{after}'})

    def sends(self, destination: str, data: bytes, *, verb: str = "solve", after: str = "") -> None:
        """Have a server answer with these bytes."""
        folder = self.add(destination)
        (folder / f"{verb}.bytes").write_bytes(data)
        self.add(destination, **{verb: f"cat > /dev/null\ncat {verb}.bytes\n{after}"})

    def calls(self, verb: str | None = None) -> list[str]:
        """Return ``DESTINATION VERB …`` of each call so far, or of those with one verb."""
        try:
            lines = (self.place / "calls").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [line for line in lines if verb is None or line.split()[1:2] == [verb]]


def install(folder: Path) -> Servers:
    """Put the stand-in ssh into ``folder``."""
    place = folder / "servers"
    place.mkdir()
    program = folder / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(_SSH.format(place=shlex.quote(os.fspath(place))))
    program.chmod(0o755)
    return Servers(place, program)


def solved_files(**changes: Any) -> dict[str, bytes]:
    """Return the result files of a solved job; ``changes`` set cards of its WCS.

    Five stars of :func:`write_star_list` are matched, too few for nova to fit the solution again.
    """
    wcs = wcs_fits(WIDTH, HEIGHT, **changes)
    return {"backend.log": b"the engine said so\n", "wcs.fits": wcs, "corr.fits": corr_fits(wcs, STARS[:5])}


STARS = [(20.0 + 31 * n % 680, 15.0 + 47 * n % 480) for n in range(40)]


def write_star_list(path: Path) -> Path:
    """Write a star list; nova reads it with ``--size 719x507``."""
    rows = [f"{x:.1f},{y:.1f},{1000 - n}" for n, (x, y) in enumerate(STARS)]
    path.write_text("\n".join(["x,y,flux", *rows]) + "\n")
    return path
