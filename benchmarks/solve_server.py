#!/usr/bin/env python3
"""Measure what a solve server costs beside the engine: start-up, a whole run, and the way there over ssh and back.

The pipeline of the original web front-end sends star lists, made by solve-field, over a shared connection to an sshd on
this machine: to ``solvehost``, and to a script that does the same as the original one.  The engine itself runs on the
same files.  All three take turns.  See README.md beside this file.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import itertools
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import measure
from measure import geometric_mean, median

ROOT = Path(__file__).resolve().parents[1]
#: By the name of a drawn field: options of nova demo.
FIELDS = {
    "1.5 degrees": ("--size=1200x900", "--width=1.5"),
    "6 degrees": ("--size=1200x900", "--width=6"),
    "20 degrees": ("--size=1200x900", "--width=20"),
}
_TIMEOUT_S = 120.0
_SETTLED_S = 0.5


@dataclass(frozen=True, slots=True)
class Trip:
    """Medians over the runs of one star list: wall clock of each way, and how the ways compare pair by pair."""

    name: str
    bare_s: float
    original_s: float
    solvehost_s: float
    over_bare_s: float
    ratio_to_original: float


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of one way to start the server.

    ``start_s`` is from the start until it reads, minus the interpreter's own; ``whole_run_s`` excludes the engine.
    """

    name: str
    start_s: float
    whole_run_s: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the results; raise SystemExit if a run did not solve its field."""
    options = _parser().parse_args(arguments)
    made_sshd = _made_sshd()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        folder.chmod(0o755)
        lists = dict(_star_lists(folder, options.axy))
        sshd = stack.enter_context(made_sshd.start())
        programs = [("the package", [sshd.python, "-I", str(sshd.app)])]
        programs += [(str(path), [sshd.python, "-I", str(path.resolve())]) for path in options.pyz]
        costs = [_cost(name, words, sshd, lists, options.pairs) for name, words in programs]
        trips = [_trip(name, path, sshd, folder, options.pairs) for name, path in lists.items()]
    _print(costs, trips)
    if options.json:
        report = {"costs": [asdict(c) for c in costs], "trips": [asdict(t) for t in trips]}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def _made_sshd() -> ModuleType:
    """Return the module with which the tests start an sshd."""
    folder = str(ROOT / "tests")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module("made_sshd")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--axy", type=Path, action="append", default=[], help="a star list instead of the drawn ones")
    parser.add_argument("--pyz", type=Path, action="append", default=[], help="also measure this solvehost.pyz")
    parser.add_argument("--pairs", type=int, default=11, help="runs of each way for each star list")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    return parser


def _star_lists(folder: Path, given: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Yield names and job directories, each with a job.axy as solve-field writes it."""
    for path in given:
        where = _job_dir(folder, path.stem)
        (where / "job.axy").write_bytes(path.read_bytes())
        yield path.stem, where
    if given:
        return
    nova = Path(sys.executable).with_name("nova")
    for name, asked in FIELDS.items():
        where = _job_dir(folder, name)
        subprocess.run([nova, "demo", *asked, "--overwrite", where / "field.fits"], check=True, capture_output=True)
        outputs = [f"--{kind}={kind}.fits" for kind in ("wcs", "rdls", "corr", "match")]
        command = ["solve-field", "--just-augment", "--no-plots", "--axy", "job.axy", *outputs, "field.fits"]
        subprocess.run(command, check=True, capture_output=True, cwd=where)
        yield name, where


def _job_dir(folder: Path, name: str) -> Path:
    where = folder / name.replace(" ", "-")
    where.mkdir()
    return where


# --- CPU ---------------------------------------------------------------------------------------------------------


def _cost(name: str, words: list[str], sshd: Any, lists: dict[str, Path], pairs: int) -> Cost:
    """Measure start-up and a whole run of the server by itself, as the user that solves."""
    state = sshd.make_dir()
    server = [*words, "--state", str(state), "--log", str(state / "log")]
    idle = [words[0], "-I", "-c", "import sys; sys.stdin.buffer.read(1)"]
    starts = measure.interleave(
        lambda: _cpu_until_it_reads(server, sshd), lambda: _cpu_until_it_reads(idle, sshd), pairs
    )
    where = next(iter(lists.values()))
    request = subprocess.run(_upload(where, "cost"), shell=True, check=True, capture_output=True).stdout
    wholes = measure.interleave(lambda: _cpu_of(server, request, sshd), lambda: _cpu_of_engine(where), pairs)
    return Cost(
        name,
        start_s=median(a - b for a, b in zip(*starts, strict=True)),
        whole_run_s=median(a - b for a, b in zip(*wholes, strict=True)),
    )


def _cpu_until_it_reads(command: list[str], sshd: Any) -> float:
    """Return the CPU seconds that a command and its descendants used once they wait for standard input."""
    made_sshd = _made_sshd()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **sshd.as_user()
    ) as process:
        time.sleep(_SETTLED_S)
        used_ns = 0
        for pid in [process.pid, *made_sshd.descendants(process.pid)]:
            used_ns += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
    return used_ns / 1e9


def _cpu_of(command: list[str], request: bytes, sshd: Any) -> float:
    """Return user and system seconds of a whole run, engines included."""
    with tempfile.TemporaryFile() as stdin:
        stdin.write(request)
        stdin.seek(0)
        process = subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **sshd.as_user()
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{shlex.join(command)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def _cpu_of_engine(where: Path) -> float:
    return measure.run(["astrometry-engine", "job.axy"], _TIMEOUT_S, cwd=where).cpu_s


# --- The way there and back --------------------------------------------------------------------------------------


def _upload(where: Path, job_id: str) -> str:
    return f"(echo {job_id}; tar cf - --ignore-failed-read -C {shlex.quote(str(where))} job.axy)"


def _pipeline(where: Path, ssh: str, out: Path, job_id: str) -> str:
    """Return the original front-end's pipeline."""
    fetched = f"tar xf - --atime-preserve -m --exclude=job.axy -C {shlex.quote(str(out))}"
    return f"{_upload(where, job_id)} | {ssh} 2>>{shlex.quote(str(out / 'log'))} | {fetched}"


def _trip(name: str, where: Path, sshd: Any, folder: Path, pairs: int) -> Trip:
    """Run the engine, the original script and the server in turns on one star list."""
    script = sshd.place("original_server.sh", (ROOT / "benchmarks" / "original_server.sh").read_text())
    engine = subprocess.run(["which", "astrometry-engine"], check=True, capture_output=True, text=True).stdout.strip()
    jobs = sshd.make_dir()
    old = sshd.add_host(command=f"{script} {jobs} {engine}")
    new = sshd.add_host("--log", str(sshd.make_dir() / "log"))
    numbers = itertools.count()
    results: dict[str, list[float]] = {"bare": [], "old": [], "new": []}
    ways: dict[str, Callable[[], float]] = {
        "bare": lambda: _wall(["astrometry-engine", "job.axy"], where, None),
        "old": lambda: _there_and_back(where, old.alias, sshd, folder, next(numbers)),
        "new": lambda: _there_and_back(where, new.alias, sshd, folder, next(numbers)),
    }
    for way in ways.values():  # connections are opened, index files are read
        way()
    for number in range(pairs):
        order = list(ways) if number % 2 else list(reversed(ways))
        for key in order:
            results[key].append(ways[key]())
    bare, original, ours = results["bare"], results["old"], results["new"]
    return Trip(
        name,
        median(bare),
        median(original),
        median(ours),
        over_bare_s=median(a - b for a, b in zip(ours, bare, strict=True)),
        ratio_to_original=geometric_mean(a / b for a, b in zip(ours, original, strict=True)),
    )


def _there_and_back(where: Path, alias: str, sshd: Any, folder: Path, number: int) -> float:
    out = folder / f"out-{alias}-{number}"
    out.mkdir()
    control = sshd.folder / "c-%n"
    sharing = ["-o", "ControlMaster=auto", "-o", f"ControlPath={control}", "-o", "ControlPersist=30"]
    ssh = shlex.join([*sshd.ssh, *sharing, "-x", "-T", alias])
    return _wall(["sh", "-c", _pipeline(where, ssh, out, f"job-{number}")], where, out / "wcs.fits")


def _wall(command: list[str], cwd: Path, left: Path | None) -> float:
    run = measure.run(command, _TIMEOUT_S, cwd=cwd)
    if run.exit_status or (left is not None and not left.exists()):
        raise SystemExit(f"{shlex.join(command)} did not solve: {run.stderr}")
    return run.wall_s


def _print(costs: Sequence[Cost], trips: Sequence[Trip]) -> None:
    print("CPU of the server, over the interpreter's own until it reads; of a whole run, outside the engine")
    for cost in costs:
        print(f"  {cost.name:30} {cost.start_s * 1e3:6.1f} ms {cost.whole_run_s * 1e3:6.1f} ms")
    print("Wall clock: engine alone, original script, solvehost; solvehost over the engine; over the original")
    for t in trips:
        print(
            f"  {t.name:14} {t.bare_s:6.3f} s {t.original_s:6.3f} s {t.solvehost_s:6.3f} s "
            f"{t.over_bare_s:+6.3f} s {t.ratio_to_original:5.2f}x"
        )


if __name__ == "__main__":
    sys.exit(main())
