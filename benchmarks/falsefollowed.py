"""Follow-ups of false candidates: what log-odds each test of a follow-up finds for a match that is false.

Every attempt of a blind solve is tried with one of its index files and with a lowered threshold for logging a match.
Each false match that is logged is followed up as in a race (``solvehost.engine.follow_up``), but with lowered
thresholds, so that the record has the log-odds that each test found, and not only whether they suffice.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from typing import Any, Protocol

import falsetail
import nosky
import reporting
from falsereport import SOLVE_CPU_S, TUNES
from falsetail import Heard

from novacli.errors import UnavailableError
from novacli.extraction.extractor import StarExtractor
from novacli.inputs import from_array
from novacli.pipeline.prepare import gather_hints
from novacli.records.params import SolveParams
from novacli.strategy import attempts
from solvehost.engine import follow_up
from solvehost.engine.attempts import PlannedAttempt
from solvehost.engine.candidates import are_near
from solvehost.engine.records import Candidate, RaceResult
from solvehost.formats import axy, jobdir, match_lines
from solvehost.formats.star_table import Stars
from solvehost.indexes import index_set, selection
from solvehost.indexes.index_file import IndexFile

Record = Mapping[str, Any]

#: Log-odds from which a match is followed up, and from which the engine logs what a follow-up finds.
FOLLOWED_FROM, LOGGED_FROM = 8.0, 2.0
#: Odds that no match has, so that the engine logs every match and goes on.
_NEVER = 1e90
_SEARCH_CPU_S, _FOLLOW_UP_CPU_S = 2.0, 1.0
#: At most this many candidates of one search are followed up.
_MOST = 4
#: A candidate of a race has log-odds of at least 13.8.  A precise search finds the same match again, so it is assumed
#: to find that much more than here, and what it asks for is lowered by as much.  The other stars are not of the match.
_LEAD = TUNES - FOLLOWED_FROM
#: The tests, and the log-odds that each asks for of a candidate of the study.
TESTS = {
    **{f"precise, {error_px} px": follow_up.PRECISE_LOG_ODDS - _LEAD for error_px, _tolerance in follow_up.PRECISE},
    "other stars": follow_up.OTHERS_LOG_ODDS,
}
#: False matches from log-odds 13.8 in a CPU second of searches; see README.md.
_CANDIDATES_PER_CPU_S = 70 / 16_400


class Machine(Protocol):
    """The resources of trials."""

    indexes: index_set.IndexSet

    def alone(
        self, data: bytes, files: tuple[IndexFile, ...], cpu_s: float
    ) -> AbstractContextManager[tuple[RaceResult, jobdir.JobDir]]:
        """Run one attempt with some index files; yield its outcome and its job, which exists within the context."""
        ...


def record(field: nosky.NoSky, bench: Machine, naming_from: Callable[[bytes, float], bytes]) -> dict[str, Any]:
    """Return the candidates of one image: log-odds, whether it is true, and the log-odds that each test found.

    Parameters
    ----------
    field
        The image.
    bench
        The engine and the index files.
    naming_from
        Returns an axy whose engine logs every match from a log-odds on.
    """
    extractor, chance = StarExtractor(from_array(field.pixels)), random.Random(f"{field.name} follow-ups")
    # As another program's attempts: those of nova are followed up by the race itself.
    tried = [replace(attempt, schedule=axy.Schedule()) for attempt in _attempts(extractor, bench.indexes.files)]
    trials = _Trials(bench, naming_from, max((attempt.stars for attempt in tried), key=len, default=Stars.empty()))
    found = []
    for attempt in tried:
        file = chance.choice(selection.select(attempt, bench.indexes.files))
        for candidate in trials.candidates(attempt, file):
            place = (candidate.ra_deg, candidate.dec_deg, candidate.pixscale_arcsec)
            is_true = field.truth is not None and field.truth.is_at(*place)
            found.append([round(candidate.logodds, 2), int(is_true), *trials.evidence(candidate, attempt)])
    return {"search_cpu_s": round(trials.search_s, 2), "cpu_s": round(trials.followed_s, 2), "candidates": found}


def _attempts(extractor: StarExtractor, files: Sequence[IndexFile]) -> Iterator[axy.Attempt]:
    params = SolveParams(blind=True)
    try:
        yield from attempts.plan_attempts(extractor, params, gather_hints(extractor.field, params), files)
    except UnavailableError:
        return


class _Trials:
    """Runs the searches and the follow-ups of one image, and counts the CPU seconds of both."""

    def __init__(self, bench: Machine, naming_from: Callable[[bytes, float], bytes], longest: Stars) -> None:
        self._bench, self._naming_from, self._longest = bench, naming_from, longest
        self.search_s = self.followed_s = 0.0

    def candidates(self, attempt: axy.Attempt, file: IndexFile) -> list[Candidate]:
        """Return the best matches of a search by one index file, at most one for each place."""
        data = self._naming_from(axy.to_bytes(replace(attempt, odds_to_solve=_NEVER)), FOLLOWED_FROM)
        with self._bench.alone(data, (file,), _SEARCH_CPU_S) as (ended, job):
            self.search_s += ended.cpu_s
            logged = sorted(match_lines.read((job.path / jobdir.LOG).read_bytes()), key=lambda match: -match.logodds)
        found: list[Candidate] = []
        for m in logged:
            candidate = Candidate(1, "", m.logodds, m.ra_deg, m.dec_deg, m.pixscale_arcsec)
            if not any(are_near(candidate, other, attempt.width) for other in found):
                found.append(candidate)
        return found[:_MOST]

    def evidence(self, candidate: Candidate, attempt: axy.Attempt) -> list[float]:
        """Return the log-odds that each test finds for a candidate, 0 if they are too low to be logged."""
        search = follow_up.plan_search(candidate, PlannedAttempt(1, attempt, ()), tuple(self._bench.indexes.files), 1)
        found = [self._best(planned) for planned in follow_up.precise_searches(search)]
        odds = math.exp(FOLLOWED_FROM)
        lowered = replace(search.attempt, odds_to_solve=odds, odds_to_keep=odds)
        with self._bench.alone(axy.to_bytes(_unscheduled(lowered)), search.files, _FOLLOW_UP_CPU_S) as (ended, job):
            self.followed_s += ended.cpu_s
            others = None
            if ended.winner is not None:
                others = follow_up.plan_verification(replace(search, attempt=lowered), job.path, self._longest)
        return [*found, 0.0 if others is None else self._best(others)]

    def _best(self, planned: PlannedAttempt) -> float:
        attempt = _unscheduled(replace(planned.attempt, odds_to_solve=_NEVER, odds_to_keep=_NEVER))
        data = self._naming_from(axy.to_bytes(attempt), LOGGED_FROM)
        with self._bench.alone(data, planned.files, _FOLLOW_UP_CPU_S) as (ended, job):
            self.followed_s += ended.cpu_s
            logged = match_lines.read((job.path / jobdir.LOG).read_bytes())
            return round(max((match.logodds for match in logged), default=0.0), 2)


def _unscheduled(attempt: axy.Attempt) -> axy.Attempt:
    return replace(attempt, schedule=axy.Schedule())


# --- What it comes to ------------------------------------------------------------------------------------------------


def summary(records: Sequence[Record]) -> dict[str, Any]:
    """Return the figures of the trials as a JSON object; candidates at an image's true position are counted apart."""
    records = [r for r in records if r["mode"] == "followed"]
    false = [c for r in records for c in r["candidates"] if not c[1]]
    tests = [_test(at, asked, false) for at, asked in enumerate(TESTS.values(), 2)]
    believed = sum(any(c[at] >= asked for at, asked in enumerate(TESTS.values(), 2)) for c in false)
    bound = falsetail.share_bound(believed, len(false))
    return {
        "pictures": len(records),
        "search_cpu_s": math.fsum(r["search_cpu_s"] for r in records),
        "cpu_s": math.fsum(r["cpu_s"] for r in records),
        "true": sum(len(r["candidates"]) for r in records) - len(false),
        "false": len(false),
        "from_13.8": sum(c[0] >= TUNES for c in false),
        "believed": believed,
        "believed_bound": bound,
        "per_cpu_s_bound": bound * _CANDIDATES_PER_CPU_S,
        "tests": dict(zip(TESTS, tests, strict=True)),
    }


def _test(at: int, asked: float, false: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Return the tail of the log-odds that one test found; the tail is fitted to the highest twentieth of them."""
    found = sorted((c[at] for c in false), reverse=True)
    cut = max(LOGGED_FROM, found[len(found) // 20] if found else LOGGED_FROM)
    tail = falsetail.fit([Heard(1.0, (value,)) for value in found], cut, asked)
    return {"asked": asked, "highest": found[:5], **asdict(tail)}


def text(figures: Mapping[str, Any]) -> str:
    """Return the report as plain text."""
    return _report(figures, reporting.text_table)


def markdown(figures: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    return _report(figures, reporting.markdown_table) + "\n"


def _report(figures: Mapping[str, Any], table: Callable[[list[str], list[list[str]]], str]) -> str:
    rows = [
        [
            name, f"{test['asked']:.1f}", ", ".join(f"{value:.1f}" for value in test["highest"]), f"{test['cut']:.1f}",
            str(test["count"]), reporting.number(test["slope"], 2), f"{test['beyond']:.1e}", f"{test['bound']:.1e}",
            f"{test['bound'] * _CANDIDATES_PER_CPU_S * SOLVE_CPU_S:.1e}",
        ]
        for name, test in figures["tests"].items()
    ]  # fmt: skip
    header = ["test", "asked", "highest found", "cut", "above it", "slope", "share accepted", "95 % bound"]
    header.append(f"bound, {SOLVE_CPU_S:.0f} CPU s")
    return "\n\n".join(
        [
            f"{figures['false']} false candidates from log-odds {FOLLOWED_FROM:g} ({figures['from_13.8']} from 13.8) "
            f"of {figures['pictures']} pictures, {figures['search_cpu_s']:.0f} CPU s of searches, "
            f"{figures['cpu_s']:.0f} of follow-ups; {figures['true']} true ones.",
            f"Accepted: {figures['believed']}; under {figures['believed_bound']:.2%} (95 %), which is "
            f"{figures['per_cpu_s_bound']:.1e} per CPU second.",
            table(header, rows),
        ]
    )
