#!/usr/bin/env python3
"""Cross-validate the portfolio: what does each member gain on pictures of sources that did not decide about it?

Each member is tried alone on each picture, as the strategy plans it; races with and without it are then simulated
(``races.py``).  Trials are kept in a file of JSON lines, so that the program can be stopped and continued.
See README.md beside this file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import runpy
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from unittest import mock

import cases
import gains
import measure
import reporting
from cases import Case
from portfolio import Bench, image_of

import novacli
from novacli.errors import UnavailableError
from novacli.extraction.extractor import StarExtractor
from novacli.records.hints import Hints
from novacli.records.params import SolveParams
from novacli.strategy import attempts, portfolio
from novacli.strategy.portfolio import Member
from solvehost.formats import axy

#: Whatever changes in these rooms may change the stars or the search of a member.
_ROOMS = ("extraction", "inputs", "strategy")
_PARAMS = SolveParams(blind=True)


@dataclass(frozen=True, slots=True)
class Trial:
    """One member alone on one picture.

    Attributes
    ----------
    picture, source, member
        Names.
    outcome
        solved, wrong, exhausted, limited (after ``limit_s``), or unfit (not for this picture, or too few stars).
    cpu_s, limit_s
        CPU seconds of the engine, and their limit.
    extraction, extraction_s
        The settings with which it detects stars, and the CPU seconds that this takes.
    delay_s, slice_s
        Its place in the schedule.
    search, code
        Digests of the engine's input, and of the source that made it.
    """

    picture: str
    source: str
    member: str
    outcome: str
    cpu_s: float
    limit_s: float
    extraction: str
    extraction_s: float
    delay_s: float
    slice_s: float | None
    search: str
    code: str


class Trials:
    """The trials in a file of JSON lines; later lines replace earlier ones of the same picture and member."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.latest: dict[tuple[str, str], Trial] = {}
        self._searches: dict[tuple[str, str], Trial] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            self._keep(Trial(**json.loads(line)))

    def add(self, trial: Trial) -> None:
        """Append a trial."""
        with self._path.open("a") as out:
            out.write(json.dumps(asdict(trial)) + "\n")
        self._keep(trial)

    def is_known(self, picture: str, member: Member, code: str, limit_s: float) -> bool:
        """Return True if the member was tried on a picture by the same source code, as long as the limit asks."""
        known = self.latest.get((picture, member.label))
        return known is not None and known.code == code and _is_enough(known, limit_s)

    def same_search(self, picture: str, search: str, limit_s: float) -> Trial | None:
        """Return an earlier trial with the same input of the engine, if it was long enough."""
        known = self._searches.get((picture, search))
        return known if known is not None and _is_enough(known, limit_s) else None

    def _keep(self, trial: Trial) -> None:
        self.latest[trial.picture, trial.member] = trial
        if trial.search:
            self._searches[trial.picture, trial.search] = trial


def _is_enough(trial: Trial, limit_s: float) -> bool:
    return trial.outcome != "limited" or trial.limit_s >= limit_s


# --- Measuring -------------------------------------------------------------------------------------------------------


def measure_all(pictures: Iterable[Case], members: Sequence[Member], trials: Trials, bench: Bench) -> Iterator[str]:
    """Try members on pictures unless they were tried before; yield the names of the pictures."""
    code = source_digest()
    for case in pictures:
        todo = [m for m in members if not trials.is_known(case.name, m, code, bench.limit_s)]
        if todo and case.truth is not None:
            for trial in _try_members(case, todo, trials, bench, code):
                trials.add(trial)
        yield case.name


def source_digest() -> str:
    """Return a digest of the source that decides which stars and which search a member has."""
    package = Path(novacli.__file__).parent
    files = sorted(path for room in _ROOMS for path in (package / room).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def _try_members(case: Case, members: Sequence[Member], trials: Trials, bench: Bench, code: str) -> Iterator[Trial]:
    field = image_of(case)
    if field is None:
        return
    extractor = StarExtractor(field)
    extraction_s: dict[str, float] = {}
    for member in members:
        began = time.process_time()
        attempt = _attempt(extractor, member, bench)
        taken_s = time.process_time() - began
        extraction = str(attempts.detection_settings_for(extractor, member, _PARAMS))
        known_s = extraction_s.setdefault(extraction, taken_s)
        trial = Trial(
            case.name, case.source, member.label, "unfit", 0.0, bench.limit_s, extraction, round(known_s, 4),
            member.delay_s, member.slice_s, "", code,
        )  # fmt: skip
        yield trial if attempt is None else _tried(trial, attempt, case, trials, bench)


def _attempt(extractor: StarExtractor, member: Member, bench: Bench) -> axy.Attempt | None:
    """Return a member's attempt at a picture as the strategy plans it; None if it makes none."""
    with mock.patch.object(attempts, "BLIND", (member,)):
        try:
            return next(attempts.plan_attempts(extractor, _PARAMS, Hints(), bench.indexes.files), None)
        except UnavailableError:
            return None


def _tried(trial: Trial, attempt: axy.Attempt, case: Case, trials: Trials, bench: Bench) -> Trial:
    search = _digest(attempt, bench.folder)
    known = trials.same_search(case.name, search, bench.limit_s)
    if known is not None:
        return replace(trial, outcome=known.outcome, cpu_s=known.cpu_s, limit_s=known.limit_s, search=search)
    assert case.truth is not None
    outcome, cpu_s = bench.solve(attempt, case.truth)
    return replace(trial, outcome=outcome, cpu_s=round(cpu_s, 4), search=search)


def _digest(attempt: axy.Attempt, folder: Path) -> str:
    """Return a digest of what the engine reads, without the attempt's name and its place in the schedule."""
    path = folder / "digest.axy"
    plain = replace(attempt.schedule, label="", delay_s=0.0, rank=0, slice_s=None)
    axy.write(replace(attempt, schedule=plain), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


# --- Commands --------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    candidates = () if options.candidates is None else candidates_in(options.candidates)
    members = [m for m in (*portfolio.BLIND, *candidates) if options.only in m.label]
    trials = Trials(options.trials)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crossvalidation-")))
        bench = Bench(folder, options.limit)
        measure.warm(reporting.installed_indexes())
        for name in measure_all(_pictures(options, options.keep or folder), members, trials, bench):
            print(_progress(name, trials, members), file=sys.stderr, flush=True)
    records, labels = _as_records(trials, members), [m.label for m in candidates]
    report = gains.report(records, labels, options.cores)
    if options.choose:
        report += "\n\n### Chosen anew\n\n"
        report += gains.choice(records, labels, options.choose, options.most, options.cores)
    print(report)
    if options.markdown is not None:
        options.markdown.write_text(f"{reporting.setting(reporting.installed_indexes()).sentence()}.\n\n{report}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=Path, default=Path("crossvalidation.jsonl"), metavar="FILE",
                        help="file of trials to read and to add to (default: crossvalidation.jsonl)")  # fmt: skip
    parser.add_argument("--candidates", type=Path, metavar="FILE.py", help="a module whose MEMBERS are tried, too")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="a folder with images and manifest.json")
    parser.add_argument("--scenes", type=int, default=56, metavar="N", help="number of drawn scenes (default: 56)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the scenes (default: 1)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the scenes in this folder and use them again")
    parser.add_argument("--limit", type=float, default=3.0, metavar="S", help="CPU seconds of a trial (default: 3)")
    parser.add_argument("--only", default="", metavar="TEXT", help="members with TEXT in their label")
    parser.add_argument("--cores", type=int, default=2, metavar="N", help="cores of the simulated machine (default: 2)")
    parser.add_argument(
        "--choose", type=int, default=0, metavar="N", help="choose schedules anew, with the sources in N folds"
    )
    parser.add_argument("--most", type=int, default=10, metavar="N", help="members of such a schedule (default: 10)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to this file")
    return parser


def candidates_in(path: Path) -> tuple[Member, ...]:
    """Return ``MEMBERS`` of a Python file: records of ``novacli.strategy.portfolio.Member`` with labels of their own.

    Raises
    ------
    ValueError
        If the file has none, or a label is used twice or by a shipped member.
    """
    members = tuple(runpy.run_path(str(path)).get("MEMBERS", ()))
    labels = [m.label for m in (*portfolio.BLIND, *members)]
    if not members or len(set(labels)) < len(labels):
        raise ValueError(f"{path}: MEMBERS must be members whose labels differ from each other and from shipped ones")
    return members


def _pictures(options: argparse.Namespace, folder: Path) -> Iterator[Case]:
    if options.corpus is not None:
        yield from cases.from_corpus(options.corpus)
    folder.mkdir(parents=True, exist_ok=True)
    yield from cases.scenes(folder, options.scenes, options.seed)


def _progress(picture: str, trials: Trials, members: Sequence[Member]) -> str:
    own = [t for m in members if (t := trials.latest.get((picture, m.label))) is not None]
    best = min((t for t in own if t.outcome == "solved"), key=lambda t: t.cpu_s, default=None)
    words = "no member solves it" if best is None else f"{best.cpu_s:.2f} s, {best.member}"
    return f"{picture}: {sum(t.outcome == 'solved' for t in own)} of {len(own)}; {words}"


def _as_records(trials: Trials, members: Sequence[Member]) -> list[gains.Record]:
    labels = {m.label: m for m in members}
    return [
        gains.Record(
            t.picture, t.source, t.member,
            t.cpu_s if t.outcome == "solved" else None,
            t.cpu_s if t.outcome in ("exhausted", "unfit") else math.inf,
            t.extraction, t.extraction_s, labels[t.member].delay_s, labels[t.member].slice_s,
        )
        for t in trials.latest.values() if t.member in labels
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
