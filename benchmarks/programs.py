"""The two programs that are compared, started as their users start them, and the outcome of a run."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure
from cases import Case
from measure import Run
from truths import Error, Place, error

#: Seconds after a program's own time limit before it is killed.
_GRACE_S = 15.0

RIGHT, UNCHECKED, WRONG, UNSOLVED, FAILED = "right", "unchecked", "wrong", "unsolved", "failed"


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of one program on one image: its resources and its outcome.

    ``outcome`` is right, wrong, unchecked (solved, but the truth is unknown), unsolved, or failed (the program could
    not try).  ``answer`` is the place that the program states; ``error`` holds the errors of the solution in its file,
    with the distortion, if the truth is known.
    """

    run: Run
    outcome: str
    answer: Place | None = None
    error: Error | None = None

    @property
    def solved(self) -> bool:
        """True if there is an answer and it is not known to be wrong."""
        return self.outcome in (RIGHT, UNCHECKED)


def find_nova() -> str:
    """Return the ``nova`` that is installed beside this Python, or else the first on PATH."""
    beside = Path(sys.executable).with_name("nova")
    return str(beside) if beside.exists() else shutil.which("nova") or "nova"


def judged(run: Run, answer: Place | None, case: Case, honest: Sequence[int], solution: Place | None = None) -> Trial:
    """Return the outcome of a run, its answer compared with the truth.

    ``honest`` are the exit codes of a program that tried; ``solution`` is the place in its file if that may differ from
    the answer.
    """
    if answer is None:
        return Trial(run, UNSOLVED if run.timed_out or run.exit_status in honest else FAILED)
    if case.truth is None:
        return Trial(run, UNCHECKED, answer)
    outcome = RIGHT if error(answer, case.truth).is_small else WRONG
    return Trial(run, outcome, answer, error(solution or answer, case.truth))


def last_json(text: str) -> dict[str, Any]:
    """Return the last line of ``nova submit --json``; an empty object if there is none."""
    try:
        value = json.loads(text.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class Nova:
    """``nova submit --json`` with options."""

    command: Sequence[str]
    timeout_s: float
    options: Sequence[str] = ("--blind",)

    def argv(self, path: Path) -> list[str]:
        """Return the command for an image."""
        return [*self.command, "submit", "--json", "--timeout", f"{self.timeout_s:g}", *self.options, str(path)]

    def try_on(self, case: Case) -> Trial:
        """Run on one image, without any earlier state."""
        with measure.fresh_state() as (_, env):
            run = measure.run(self.argv(case.path), self.timeout_s + _GRACE_S, env)
            result = last_json(run.stdout)
            answer, wcs = _place(result), (result.get("files") or {}).get("wcs")
            solution = read_wcs(Path(wcs)) if answer is not None and wcs else None
        return judged(run, answer, case, honest=(0, 1), solution=solution)


def _place(result: Mapping[str, Any]) -> Place | None:
    if result.get("status") != "solved":
        return None
    c = result["calibration"]
    return Place(c["ra"], c["dec"], c["pixscale"], c["parity"])


@dataclass(frozen=True, slots=True)
class SolveField:
    """``solve-field --no-plots --overwrite`` with options."""

    timeout_s: float
    options: Sequence[str] = ("--no-verify",)
    command: Sequence[str] = ("solve-field",)

    def argv(self, path: Path, folder: Path) -> list[str]:
        """Return the command for an image; it writes all its files to ``folder``."""
        fixed = ["--no-plots", "--overwrite", "--cpulimit", f"{self.timeout_s:g}", "-D", str(folder)]
        return [*self.command, *fixed, *self.options, str(path)]

    def try_on(self, case: Case) -> Trial:
        """Run on one image, without any earlier state."""
        with measure.fresh_state() as (folder, env):
            out = folder / "out"
            out.mkdir()
            run = measure.run(self.argv(case.path, out), self.timeout_s + _GRACE_S, env, cwd=folder)
            solved = next(out.glob("*.solved"), None)
            answer = None if solved is None else read_wcs(solved.with_suffix(".wcs"))
        return judged(run, answer, case, honest=(0,))


def read_wcs(path: Path) -> Place | None:
    """Return the place in a solution's file as ``wcsinfo`` reads it, with the distortion."""
    return parse_wcsinfo(measure.run(["wcsinfo", path], 30).stdout)


def parse_wcsinfo(text: str) -> Place | None:
    """Return the place that ``wcsinfo`` printed; None if it read no solution."""
    printed = dict(line.split(None, 1) for line in text.splitlines() if " " in line)
    try:
        ra, dec, scale, det = (float(printed[key]) for key in ("ra_center", "dec_center", "pixscale", "det"))
    except (KeyError, ValueError):
        return None
    return Place(ra, dec, scale, 1.0 if det > 0 else -1.0)


def hints_by_hand(result: Mapping[str, Any]) -> list[str]:
    """Return the options of ``solve-field`` for the hints that ``nova`` found in a header, the best of each kind."""
    hints = result.get("hints") or []
    scale = next((h for h in hints if h["kind"] == "scale"), None)
    position = next((h for h in hints if h["kind"] == "position"), None)
    options = []
    if scale is not None:
        options += ["-L", f"{scale['low_arcsec']:.6g}", "-H", f"{scale['high_arcsec']:.6g}", "-u", "arcsecperpix"]
    if position is not None:
        named = {"--ra": position["ra"], "--dec": position["dec"], "--radius": position["radius"]}
        options += [part for name, value in named.items() for part in (name, f"{value:.6f}")]
    return options


def engine_version() -> str:
    """Return the version of the engine, as it states it."""
    said = measure.run(["solve-field", "--version"], 30)
    found = re.search(r"\d+\.\d+\S*", said.stdout + said.stderr)
    return found[0] if found else "unknown"
