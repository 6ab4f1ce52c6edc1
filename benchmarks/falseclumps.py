"""The effect of the clustering test on false matches: searches that accept every match and weigh it as a race does.

Each attempt is tried with each of its index files, one at a time, with the usual settings except for acceptance: the
engine accepts the first match of at least :data:`TAKEN_FROM`.  The penalty of ``solvehost.engine.clustering`` is
recorded beside its log-odds.  A lower threshold would find more matches but miss the important ones, since a search
ends at the first match.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from typing import Any, Protocol

import falsetail
import nosky
import reporting
from falsereport import ACCEPTS, SOLVE_CPU_S, THRESHOLDS, TUNES
from falsetail import Heard

from novacli.errors import UnavailableError
from novacli.extraction.extractor import StarExtractor
from novacli.inputs import from_array
from novacli.pipeline.prepare import gather_hints
from novacli.records.params import SolveParams
from novacli.strategy import attempts
from solvehost.engine import clustering
from solvehost.engine.records import RaceResult
from solvehost.formats import axy, jobdir, match_lines
from solvehost.indexes import index_set, selection
from solvehost.indexes.index_file import IndexFile

Record = Mapping[str, Any]

#: Log-odds from which matches are accepted: the lowest at which the engine fits them again.
TAKEN_FROM = TUNES
#: Log-odds that a blind attempt requires of a match, before and after the clustering test.
ASKED = THRESHOLDS[-1]
LEAST_LEFT = ASKED - clustering.TOLERATED_LOSS
_CPU_S = 1.0
#: Cuts above which the tail after the test is measured.
_CUTS = (-10.0, 0.0, 5.0)
_LEVELS = (0.0, 5.0, 10.0, TUNES, ACCEPTS, ASKED)
_LOGODDS, _COST, _IS_TRUE = 0, 2, 3


class Machine(Protocol):
    """The resources of trials."""

    indexes: index_set.IndexSet

    def alone(
        self, data: bytes, files: tuple[IndexFile, ...], cpu_s: float
    ) -> AbstractContextManager[tuple[RaceResult, jobdir.JobDir]]:
        """Run one attempt with some index files; yield its outcome and its job, which exists within the context."""
        ...


def record(field: nosky.NoSky, bench: Machine) -> dict[str, Any]:
    """Return the trials at one image: engine CPU, and for each match its log-odds, stars, clustering penalty, truth."""
    extractor, params = StarExtractor(from_array(field.pixels)), SolveParams(blind=True)
    cpu_s, tries, matches = 0.0, 0, []
    for attempt in _attempts(extractor, params, bench.indexes.files):
        for file in selection.select(attempt, bench.indexes.files):
            used_s, match = _trial(field, attempt, file, bench)
            cpu_s, tries = cpu_s + used_s, tries + 1
            if match is not None:
                matches.append([*match, attempt.schedule.label, file.path.name.split(".")[0]])
    return {"cpu_s": round(cpu_s, 2), "tries": tries, "matches": matches}


def _attempts(extractor: StarExtractor, params: SolveParams, files: Sequence[IndexFile]) -> Iterator[axy.Attempt]:
    try:
        yield from attempts.plan_attempts(extractor, params, gather_hints(extractor.field, params), files)
    except UnavailableError:
        return


def _trial(
    field: nosky.NoSky, attempt: axy.Attempt, file: IndexFile, bench: Machine
) -> tuple[float, list[float] | None]:
    """Return the CPU seconds of one trial, and the log-odds, stars, clustering penalty and truth of its match."""
    # As somebody else's attempt: one of nova's the race would judge.
    odds = math.exp(TAKEN_FROM)
    plain = replace(attempt, schedule=axy.Schedule(), odds_to_solve=odds, odds_to_keep=odds, tweak_order=0)
    with bench.alone(axy.to_bytes(plain), (file,), _CPU_S) as (ended, job):
        if ended.winner is None:
            return ended.cpu_s, None
        named = list(match_lines.read((job.path / jobdir.LOG).read_bytes()))
        best = max(named, key=lambda match: match.logodds)
        cost = clustering.clustering_loss(attempt, job.path / jobdir.CORR)
        is_true = field.truth is not None and field.truth.is_at(best.ra_deg, best.dec_deg, best.pixscale_arcsec)
        return ended.cpu_s, [round(best.logodds, 2), best.matched, round(cost, 2), int(is_true)]


# --- What it comes to ------------------------------------------------------------------------------------------------


def summary(records: Sequence[Record]) -> dict[str, Any]:
    """Return the figures of the trials as a JSON object; matches at an image's true position are counted separately."""
    records = [r for r in records if r["mode"] == "clumps"]
    matches = [match for r in records for match in r["matches"]]
    false = [match for match in matches if not match[_IS_TRUE]]
    heard, left = (_heard(records, clumped) for clumped in (False, True))
    return {
        "pictures": len(records),
        "tries": sum(r["tries"] for r in records),
        "cpu_s": math.fsum(r["cpu_s"] for r in records),
        "at_the_true_place": len(matches) - len(false),
        "least_left_of_a_true_one": min((_left(m) for m in matches if m[_IS_TRUE]), default=math.nan),
        "survival": _survival(heard),
        "survival_of_what_is_left": _survival(left),
        "would_be_taken": sum(m[_LOGODDS] >= ASKED and _left(m) >= LEAST_LEFT for m in false),
        "least_left": LEAST_LEFT,
        "found": asdict(falsetail.fit(heard, TAKEN_FROM, ASKED)),
        "left": [asdict(falsetail.fit(left, cut, LEAST_LEFT)) for cut in _CUTS],
    }


def _left(match: Sequence[Any]) -> float:
    return float(match[_LOGODDS] - match[_COST])


def _heard(records: Sequence[Record], clumped: bool) -> list[Heard]:
    return [
        Heard(r["cpu_s"], tuple(_left(m) if clumped else m[_LOGODDS] for m in r["matches"] if not m[_IS_TRUE]))
        for r in records
    ]


def _survival(heard: Sequence[Heard]) -> dict[str, int]:
    return {f"{level:.1f}": count for level, count in zip(_LEVELS, falsetail.survival(heard, _LEVELS), strict=True)}


def text(figures: Mapping[str, Any]) -> str:
    """Return the report as plain text."""
    return _report(figures, reporting.text_table)


def markdown(figures: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    return _report(figures, reporting.markdown_table) + "\n"


def _report(figures: Mapping[str, Any], table: Callable[[list[str], list[list[str]]], str]) -> str:
    plain, left = (
        ", ".join(f"{count} from {level}" for level, count in figures[name].items())
        for name in ("survival", "survival_of_what_is_left")
    )
    rows = [
        [
            name, f"{fit['cut']:.1f}", f"{fit['threshold']:.1f}", str(fit["count"]), reporting.number(fit["slope"], 2),
            f"{fit['beyond']:.1e}", f"{fit['bound']:.1e}", f"{fit['bound'] * SOLVE_CPU_S:.1e}",
        ]
        for name, fits in (("found", [figures["found"]]), ("left", figures["left"]))
        for fit in fits
    ]  # fmt: skip
    header = ["log-odds", "cut", "threshold", "matches", "slope", "beyond a CPU s", "95 % bound"]
    header.append(f"bound, {SOLVE_CPU_S:.0f} CPU s")
    return "\n\n".join(
        [
            f"{figures['tries']} trials at {figures['pictures']} pictures, {figures['cpu_s']:.0f} s of engine CPU.",
            f"False matches as found: {plain}. What clumps leave of them: {left}. "
            f"Above {ASKED:g} with {figures['least_left']:.1f} left, as shipped: {figures['would_be_taken']}.",
            f"{figures['at_the_true_place']} true ones; least left {figures['least_left_of_a_true_one']:.1f}.",
            table(header, rows),
        ]
    )
