"""Simulated races of portfolio members whose times alone are known: duration of a schedule, and choice of members.

The rules are those of ``solvehost.engine.race``: as many members run as there are cores; each starts in order after its
delay; a member that has used its slice is paused for others and continues later, with a slice twice as long.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

#: Seconds of a whole command outside the race; without them, tiny differences would count as large ones.
OVERHEAD_S = 0.2
#: Seconds that an unsolved field counts as; losing a field is worse than any time.
LOST_S = 300.0
DELAYS_S = (0.0, 0.15, 0.3, 0.6, 1.2, 2.5)
#: Seconds to find the stars in two megapixels.
EXTRACTION_S = {"bin1": 0.065, "bin2": 0.02, "bin4": 0.01}


@dataclass(frozen=True, slots=True)
class Alone:
    """Times of a member alone: CPU seconds until it solved (None if it did not), and until it gave up (inf if never).

    ``extraction`` is the name of the star extraction that it needs, and ``extraction_s`` its time (None for the usual
    one); the first member that needs it waits for it.
    """

    solved_s: float | None
    gave_up_s: float = math.inf
    extraction: str = ""
    extraction_s: float | None = None

    @property
    def first_s(self) -> float:
        """Seconds to find the stars, if no other member has found them."""
        return EXTRACTION_S.get(self.extraction, 0.0) if self.extraction_s is None else self.extraction_s

    @property
    def ended_s(self) -> float:
        """CPU seconds until its engine ends."""
        return self.gave_up_s if self.solved_s is None else self.solved_s


@dataclass(frozen=True, slots=True)
class Entry:
    """A member in a schedule."""

    member: str
    delay_s: float = 0.0
    slice_s: float = 0.3


Field = Mapping[str, Alone]


@dataclass(slots=True)
class _Runner:
    solved: bool
    left_s: float
    slice_s: float
    turn_s: float = 0.0


def race_s(schedule: Sequence[Entry], field: Field, cores: int = 2, limit_s: float = LOST_S) -> float:
    """Return seconds until the first member of a schedule solves a field; infinity if none does in time."""
    waiting = sorted((e for e in schedule if e.member in field), key=lambda e: e.delay_s)
    running: list[_Runner] = []
    suspended: list[_Runner] = []
    looked: set[str] = set()
    now = 0.0
    while now < limit_s and (waiting or running or suspended):
        while len(running) < cores and (suspended or waiting):
            idle = not running and not suspended
            if waiting and (waiting[0].delay_s <= now or idle):
                entry = waiting.pop(0)
                alone = field[entry.member]
                first_s = 0.0 if alone.extraction in looked else alone.first_s
                looked.add(alone.extraction)
                running.append(_Runner(alone.solved_s is not None, alone.ended_s + first_s, entry.slice_s))
            elif suspended:
                running.append(suspended.pop(0))
            else:
                break
        contended = bool(suspended) or bool(waiting and waiting[0].delay_s <= now)
        steps = [r.left_s for r in running]
        steps += [max(0.0, r.slice_s - r.turn_s) for r in running] if contended else []
        steps += [e.delay_s - now for e in waiting[:1] if e.delay_s > now]
        step = min(steps)
        if math.isinf(step):
            return math.inf
        now += step
        for runner in running:
            runner.left_s -= step
            runner.turn_s += step
        if any(r.solved and r.left_s <= 1e-9 for r in running):
            return now
        running = [r for r in running if r.left_s > 1e-9]
        for runner in [r for r in running if contended and r.turn_s >= r.slice_s - 1e-9]:
            running.remove(runner)
            runner.turn_s, runner.slice_s = 0.0, 2 * runner.slice_s
            suspended.append(runner)
    return math.inf


@dataclass(frozen=True, slots=True)
class Score:
    """Score of a schedule: geometric mean and maximum of its whole commands' times, and the fields that it loses.

    ``over_best`` is the geometric mean of the ratio of its time to that of the best member, whole commands.
    """

    mean_s: float
    worst_s: float
    over_best: float
    lost: tuple[str, ...]


def score(schedule: Sequence[Entry], fields: Mapping[str, Field], cores: int = 2) -> Score:
    """Return the score of a schedule over the fields that at least one member solves."""
    logs, ratios, lost, worst = [], [], [], 0.0
    for name, field in fields.items():
        solved = [a.solved_s + a.first_s for a in field.values() if a.solved_s is not None]
        best_s = min(solved, default=None)
        if best_s is None:
            continue
        taken_s = race_s(schedule, field, cores)
        if math.isinf(taken_s):
            lost.append(name)
        whole_s = OVERHEAD_S + min(taken_s, LOST_S)
        logs.append(math.log(whole_s))
        ratios.append(math.log(whole_s / (OVERHEAD_S + best_s)))
        worst = max(worst, whole_s)
    count = max(1, len(logs))
    return Score(math.exp(sum(logs) / count), worst, math.exp(sum(ratios) / count), tuple(lost))


def choose(fields: Mapping[str, Field], members: Iterable[str], most: int = 8, cores: int = 2) -> list[Entry]:
    """Return a schedule: members are added one by one, then exchanged, while the geometric mean falls by 0.5 %."""
    members = list(members)
    chosen: list[Entry] = []
    best = math.inf
    for _ in range(3 * most):
        tries = [
            trial
            for member in members
            for delay_s in DELAYS_S
            for trial in _neighbours(chosen, Entry(member, delay_s), most)
        ]
        scored = [(score(trial, fields, cores).mean_s, n) for n, trial in enumerate(tries)]
        mean_s, at = min(scored)
        if mean_s > 0.995 * best:
            break
        best, chosen = mean_s, tries[at]
    return chosen


def _neighbours(chosen: list[Entry], entry: Entry, most: int) -> list[list[Entry]]:
    others = [e for e in chosen if e.member != entry.member]
    grown = [_in_order([*others, entry])] if len(others) < most else []
    return grown + [_in_order([*others[:n], entry, *others[n + 1 :]]) for n in range(len(others))]


def _in_order(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda e: e.delay_s)


def with_slice(schedule: Sequence[Entry], slice_s: float) -> list[Entry]:
    """Return the schedule with other slices."""
    return [replace(e, slice_s=slice_s) for e in schedule]
