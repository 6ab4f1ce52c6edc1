#!/usr/bin/env python3
"""Whether the confinement of engines changes an answer, and what it costs when an engine starts.

See README.md beside this file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from solvehost.engine import sandbox
from solvehost.engine.attempts import plan_attempt
from solvehost.engine.process import EngineLimits, EngineProcess, wait_for_any
from solvehost.engine.program import find_engine
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir
from solvehost.indexes import engine_config, index_set
from solvehost.indexes.index_file import IndexFile

NONE, FILTER, BOTH = "none", "filter", "filter and Landlock"
_OUTPUTS = (*jobdir.OUTPUTS, "log")
#: Cards and lines that differ between two runs of the same engine.
_CHANGING = (b"DATE", b"HISTORY", b"COMMENT")
_WAIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the engine: its exit status, its CPU seconds, and its outputs by name, without times."""

    exit_status: int | None
    cpu_s: float
    outputs: dict[str, bytes]

    def answer(self) -> tuple[int | None, dict[str, bytes]]:
        """Return what must not depend on the confinement."""
        return self.exit_status, {name: data for name, data in self.outputs.items() if name != "log"}


def rules_for(kind: str, engine: Path, folder: Path, reads: Sequence[Path]) -> str:
    """Return the rules of a kind of confinement."""
    if kind == NONE:
        return ""
    return sandbox.rules_of_calls(engine) if kind == FILTER else sandbox.rules(engine, folder, reads)


def solve(axy_path: Path, files: tuple[IndexFile, ...], engine: Path, kind: str) -> Run:
    """Run the engine on a star list under one kind of confinement."""
    with tempfile.TemporaryDirectory() as name:
        job = JobDir(Path(name))
        shutil.copyfile(axy_path, job.axy())
        planned = plan_attempt(job, 1, files)
        run_dir = job.run_dir(1)
        run_dir.mkdir()
        (run_dir / "engine.cfg").write_bytes(b"".join(b"index %s\n" % os.fsencode(f.path) for f in planned.files))
        rules = rules_for(kind, engine, run_dir, [job.axy(), *(f.path for f in planned.files)])
        command = [str(engine), "-c", "engine.cfg", f"../{job.axy().name}"]
        child = EngineProcess(command, run_dir, run_dir / "log", EngineLimits(cpu_s=300), rules)
        wait_for_any([child], _WAIT_S)
        child.poll()
        outputs = {name: _lasting(run_dir / name) for name in _OUTPUTS if (run_dir / name).exists()}
        return Run(child.exit_status, child.cpu_s, outputs)


def _lasting(path: Path) -> bytes:
    """Return the content of an output without the cards that change with each run."""
    data = path.read_bytes()
    cards = [data[at : at + 80] for at in range(0, len(data), 80)]
    return b"".join(card for card in cards if not card.startswith(_CHANGING))


def compare_answers(paths: Sequence[Path], files: tuple[IndexFile, ...], engine: Path) -> int:
    """Print how many star lists have the same answer under each kind of confinement; return how many have not."""
    solved = different = 0
    cpu_s = dict.fromkeys((NONE, FILTER, BOTH), 0.0)
    for path in paths:
        runs = {kind: solve(path, files, engine, kind) for kind in cpu_s}
        for kind, run in runs.items():
            cpu_s[kind] += run.cpu_s
        solved += jobdir.WCS in runs[NONE].outputs
        if any(run.answer() != runs[NONE].answer() for run in runs.values()):
            different += 1
            print(f"{path}: the answers differ")
    print(f"{len(paths)} star lists, {solved} solved without confinement, {different} with another answer under it")
    print("CPU seconds: " + ", ".join(f"{kind} {total:.2f}" for kind, total in cpu_s.items()))
    return different


def measure_starts(engine: Path, count: int) -> None:
    """Print the CPU milliseconds of a start: those of the parent, and of the engine until it has printed its help."""
    totals_ms: dict[str, list[float]] = {NONE: [], FILTER: [], BOTH: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(count):
            for kind, values_ms in totals_ms.items():
                began_s = time.process_time()
                child = EngineProcess(
                    [str(engine), "--help"], folder, folder / "log", EngineLimits(by_fork=True),
                    rules_for(kind, engine, folder, []),
                )  # fmt: skip
                parent_s = time.process_time() - began_s
                wait_for_any([child], _WAIT_S)
                child.poll()
                values_ms.append((parent_s + child.cpu_s) * 1000)
    base_ms = statistics.median(totals_ms[NONE])
    for kind, values_ms in totals_ms.items():
        median_ms = statistics.median(values_ms)
        print(f"start, {kind}: {median_ms:.2f} ms CPU ({median_ms - base_ms:+.2f})")


def main() -> int:
    """Run the benchmark; return 1 if an answer differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("axy", type=Path, nargs="*", help="star lists, for example job.axy of jobs that nova keeps")
    parser.add_argument("--starts", type=int, default=200, help="number of starts that are measured")
    arguments = parser.parse_args()
    engine = find_engine()
    files = index_set.scan(engine_config.configured_places(None, engine)).files
    different = compare_answers(arguments.axy, files, engine)
    measure_starts(engine, arguments.starts)
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
