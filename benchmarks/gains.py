"""What each member of a portfolio gains, by simulated races with and without it, source by source.

The mean over pictures is taken within a source first, and then over the sources, so that no source with many similar
pictures decides alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import races
import reporting
from races import Alone, Entry

#: Seconds that an unsolved picture counts as.
LOST_S = 60.0
#: A member is kept if it makes the mean race shorter by this share.
_LEAST_GAIN = 0.002
SCENE = "scene: "


@dataclass(frozen=True, slots=True)
class Record:
    """One member alone on one picture: CPU seconds until it solved (None if not) and until it gave up."""

    picture: str
    source: str
    member: str
    solved_s: float | None
    gave_up_s: float
    extraction: str
    extraction_s: float
    delay_s: float
    slice_s: float | None


@dataclass(frozen=True, slots=True)
class Table:
    """All trials: by picture the members alone, the source of each picture, and each member's place in the schedule."""

    fields: Mapping[str, Mapping[str, Alone]]
    sources: Mapping[str, str]
    entries: Mapping[str, Entry]

    def seconds(self, members: Iterable[str], cores: int) -> dict[str, float]:
        """Return the simulated seconds of a whole command for each picture; infinity where it is not solved.

        Of members with the same delay, the first begins.
        """
        return self.seconds_of([self.entries[m] for m in members], cores)

    def seconds_of(self, schedule: Sequence[Entry], cores: int) -> dict[str, float]:
        """Return what :meth:`seconds` returns for any schedule."""
        return {p: races.OVERHEAD_S + races.race_s(schedule, f, cores, LOST_S) for p, f in self.fields.items()}


def as_table(records: Sequence[Record]) -> Table:
    """Return the trials on pictures that every member was tried on and at least one solves."""
    members = dict.fromkeys(r.member for r in records)
    fields: dict[str, dict[str, Alone]] = {}
    for r in records:
        fields.setdefault(r.picture, {})[r.member] = Alone(r.solved_s, r.gave_up_s, r.extraction, r.extraction_s)
    whole = {
        picture: field
        for picture, field in fields.items()
        if len(field) == len(members) and any(a.solved_s is not None for a in field.values())
    }
    return Table(
        fields=whole,
        sources={r.picture: r.source for r in records if r.picture in whole},
        entries={r.member: Entry(r.member, r.delay_s, math.inf if r.slice_s is None else r.slice_s) for r in records},
    )


@dataclass(frozen=True, slots=True)
class Gain:
    """What a member gains.

    Attributes
    ----------
    member
        Its name.
    alone
        Number of pictures that it solves alone.
    faster
        Mean time without it divided by that with it, over the pictures that are solved both ways.
    only
        Pictures that are lost without it.
    held_out
        The same ratio with unsolved pictures as ``LOST_S``, where each source counts as a gain or a loss only if the
        member is kept by the pictures of the other sources; 1 if it never is.
    kept
        Number of sources without which the member would be kept.
    slower
        Sources on which the race is slower with it, by more than 2 %.
    """

    member: str
    alone: int
    faster: float
    only: tuple[str, ...]
    held_out: float
    kept: int
    slower: tuple[str, ...]


def gain(table: Table, member: str, others: Sequence[str], cores: int) -> Gain:
    """Return what a member gains when it joins others, at its place in the order of all members."""
    together = [m for m in table.entries if m == member or m in others]
    without, with_it = table.seconds(others, cores), table.seconds(together, cores)
    both = [p for p in table.fields if max(without[p], with_it[p]) < math.inf]
    faster = _by_source(table, {p: math.log(without[p] / with_it[p]) for p in both})
    counted = {p: math.log(_counted(without[p]) / _counted(with_it[p])) for p in table.fields}
    whole = _by_source(table, counted)
    kept = {s for s in whole if _mean(v for other, v in whole.items() if other != s) > _LEAST_GAIN}
    return Gain(
        member=member,
        alone=sum(field[member].solved_s is not None for field in table.fields.values()),
        faster=math.exp(_mean(faster.values())),
        only=tuple(p for p in table.fields if math.isinf(without[p]) and with_it[p] < math.inf),
        held_out=math.exp(_mean(v if s in kept else 0.0 for s, v in whole.items())),
        kept=len(kept),
        slower=tuple(s for s, v in whole.items() if v < -0.02),
    )


def _counted(seconds: float) -> float:
    return min(seconds, LOST_S)


def _by_source(table: Table, values: Mapping[str, float]) -> dict[str, float]:
    """Return the mean of each source."""
    grouped: dict[str, list[float]] = {}
    for picture, value in values.items():
        grouped.setdefault(table.sources[picture], []).append(value)
    return {source: _mean(own) for source, own in grouped.items()}


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known) if known else 0.0


# --- Choosing --------------------------------------------------------------------------------------------------------


def choice(records: Sequence[Record], candidates: Sequence[str], folds: int, most: int, cores: int) -> str:
    """Return a report on schedules that are chosen anew, in Markdown.

    The sources are divided into folds.  For each fold a schedule is chosen on all other folds, and tried on this one.
    """
    table = as_table(records)
    sources = sorted(set(table.sources.values()))
    held_out: dict[str, float] = {}
    for n in range(folds):
        test = set(sources[n::folds])
        training = {p: f for p, f in table.fields.items() if table.sources[p] not in test}
        schedule = races.choose(training, table.entries, most, cores)
        seconds = table.seconds_of(schedule, cores)
        held_out |= {p: s for p, s in seconds.items() if table.sources[p] in test}
    on_all = races.choose(table.fields, table.entries, most, cores)
    shipped = [m for m in table.entries if m not in candidates]
    rows = [
        ("shipped", table.seconds(shipped, cores)),
        ("chosen on all pictures", table.seconds_of(on_all, cores)),
        ("chosen on other sources", held_out),
    ]
    cells = [[title, f"{_mean_s(table, s):.3f}", str(sum(map(math.isinf, s.values())))] for title, s in rows]
    lines = [f"- after {e.delay_s:g} s: {e.member}" for e in on_all]
    return "\n\n".join(
        [reporting.markdown_table(("schedule", "mean s", "lost"), cells), "Chosen on all pictures:", "\n".join(lines)]
    )


def _mean_s(table: Table, seconds: Mapping[str, float]) -> float:
    """Return the geometric mean over sources, of geometric means over pictures; a lost one counts as ``LOST_S``."""
    return math.exp(_mean(_by_source(table, {p: math.log(_counted(s)) for p, s in seconds.items()}).values()))


# --- Tables ----------------------------------------------------------------------------------------------------------

_COLUMNS = (
    "member", "solves alone", "slower without it", "lost without it", "gain on held-out sources", "kept by", "slows",
)  # fmt: skip


def report(records: Sequence[Record], candidates: Sequence[str], cores: int) -> str:
    """Return the tables in Markdown: all pictures, the real ones, the scenes; and the time of the whole race."""
    table = as_table(records)
    parts = {
        "All pictures": table,
        "Real pictures": _part(table, is_scene=False),
        "Scenes": _part(table, is_scene=True),
    }
    texts = []
    for title, part in parts.items():
        if part.fields:
            texts += [f"### {title}", _sentence(part, candidates, cores), _members(part, candidates, cores)]
    return "\n\n".join(texts)


def _part(table: Table, *, is_scene: bool) -> Table:
    chosen = {p: f for p, f in table.fields.items() if table.sources[p].startswith(SCENE) == is_scene}
    return Table(chosen, table.sources, table.entries)


def _sentence(table: Table, candidates: Sequence[str], cores: int) -> str:
    shipped = [m for m in table.entries if m not in candidates]
    seconds = table.seconds(shipped, cores)
    lost = sorted(p for p, s in seconds.items() if math.isinf(s))
    mean_s = _mean_s(table, seconds)
    worst = max((p for p in seconds if p not in lost), key=lambda p: seconds[p], default="none")
    worst_s = reporting.number(seconds.get(worst, math.nan))
    sources = len({table.sources[p] for p in table.fields})
    return (
        f"{len(table.fields)} pictures of {sources} sources. The shipped members' race on {cores} cores takes "
        f"{mean_s:.3f} s (geometric mean; an unsolved picture counts as {LOST_S:g} s); worst {worst_s} s ({worst}); "
        f"not solved: {', '.join(lost) or 'none'}."
    )


def _members(table: Table, candidates: Sequence[str], cores: int) -> str:
    shipped = [m for m in table.entries if m not in candidates]
    rows = []
    for member in table.entries:
        g = gain(table, member, [m for m in shipped if m != member], cores)
        name = f"{member} (candidate)" if member in candidates else member
        rows.append([
            name, str(g.alone), f"{100 * (g.faster - 1):+.1f} %", str(len(g.only)), f"{100 * (g.held_out - 1):+.1f} %",
            f"{g.kept} of {len({table.sources[p] for p in table.fields})}", str(len(g.slower)),
        ])  # fmt: skip
    return reporting.markdown_table(_COLUMNS, rows)
