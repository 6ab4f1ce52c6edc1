#!/usr/bin/env python3
"""Compare the race with the best member of the portfolio run alone: whole commands, in turns.

The fastest members of ``portfolio.py measure`` are run again alone as whole commands, and so is the race; the best
member of an image is the one with the lowest median.  See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cases
import measure
import portfolio
import reporting
from cases import Case
from programs import Nova, find_nova
from reporting import number

_COLUMNS = ("picture", "race s", "best alone s", "ratio", "the best member")
_WIDTHS = (34, 8, 14, 7, 60)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The race and the best member on one image: medians of wall-clock seconds; NaN if not solved every time."""

    name: str
    race_s: float
    best_s: float
    best_member: str

    @property
    def ratio(self) -> float:
        """Ratio of the race's time to that of the best member."""
        return self.race_s / self.best_s


def fastest(trials: Sequence[portfolio.Trial], field: str, count: int) -> list[str]:
    """Return the names of the members that solved a field with the least CPU time, best first."""
    solved = [t for t in trials if t.field == field and t.outcome == "solved"]
    return [t.member for t in sorted(solved, key=lambda t: t.cpu_s)[:count]]


def compare(case: Case, members: Sequence[str], nova: Nova, turns: int) -> Outcome:
    """Run the race and each member on an image, in turns with alternating order."""
    script = Path(__file__).with_name("one_member.py")
    programs = {"": nova}
    programs |= {m: Nova([sys.executable, str(script), m], nova.timeout_s, nova.options) for m in members}
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(turns):
        names = list(programs) if turn % 2 == 0 else list(reversed(programs))
        for name in names:
            trial = programs[name].try_on(case)
            seconds[name].append(trial.run.wall_s if trial.solved else float("inf"))
    medians = {name: measure.median(values) for name, values in seconds.items()}
    race_s = medians.pop("")
    best = min(medians, key=lambda name: medians[name])
    return Outcome(case.name, race_s, medians[best], best)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    trials = portfolio.read_trials(options.file)
    nova = Nova(shlex.split(options.nova), options.timeout)
    indexes = reporting.installed_indexes()
    where = reporting.setting(indexes)
    measure.warm(indexes)
    outcomes: list[Outcome] = []
    print(reporting.text_row(_COLUMNS, _WIDTHS), flush=True)
    with tempfile.TemporaryDirectory(prefix="race-") as folder:
        pictures = [] if options.corpus is None else cases.from_corpus(options.corpus)
        for case in (*pictures, *cases.drawn(nova.command, Path(folder), options.drawn, options.seed)):
            members = fastest(trials, case.name, options.members)
            if not members:
                print(f"{case.name}: no member solved it when each was measured", flush=True)
                continue
            measure.warm([case.path])
            outcomes.append(compare(case, members, nova, options.turns))
            print(reporting.text_row(_row(outcomes[-1]), _WIDTHS), flush=True)
    sentence = _sentence(outcomes)
    print(f"\n{sentence}")
    if options.json is not None:
        record = {"setting": where, "turns": options.turns, "summary": sentence, "pictures": outcomes}
        options.json.write_text(json.dumps(reporting.as_plain(record), indent=1) + "\n")
    if options.markdown is not None:
        intro = f"Medians of {options.turns} turns; {where.sentence()}."
        table = reporting.markdown_table(_COLUMNS, [_row(o) for o in outcomes])
        options.markdown.write_text("\n\n".join([intro, sentence, table]) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, nargs="+", help="JSON lines of portfolio.py measure")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="a folder with images and manifest.json")
    parser.add_argument("--drawn", type=int, default=0, metavar="N", help="draw the first N fields that were measured")
    parser.add_argument("--seed", type=int, default=2000, metavar="N", help="seed of the drawn fields (default: 2000)")
    parser.add_argument("--members", type=int, default=3, metavar="N", help="members that are run alone (default: 3)")
    parser.add_argument("--turns", type=int, default=5, metavar="N", help="runs of each (default: 5)")
    parser.add_argument(
        "--timeout", type=float, default=60, metavar="S", help="time limit of each run in seconds (default: 60)"
    )
    parser.add_argument(
        "--nova", default=find_nova(), metavar="COMMAND", help="the command (default: the one beside this Python)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a report to this file")
    return parser


def _row(o: Outcome) -> list[str]:
    return [o.name, number(o.race_s), number(o.best_s), number(o.ratio, 2, "×"), o.best_member]


def _sentence(outcomes: Sequence[Outcome]) -> str:
    known = [o for o in outcomes if o.race_s < float("inf") and o.best_s < float("inf")]
    worst = max(known, key=lambda o: o.ratio, default=None)
    return (
        f"Over {len(known)} of {len(outcomes)} pictures the race takes "
        f"{number(measure.geometric_mean(o.ratio for o in known))} times as long as its best member alone "
        f"(geometric mean of whole commands; worst {number(worst.ratio) if worst else '–'} times, "
        f"{worst.name if worst else 'none'})."
    )


if __name__ == "__main__":
    sys.exit(main())
