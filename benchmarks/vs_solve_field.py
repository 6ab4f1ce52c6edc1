#!/usr/bin/env python3
"""Compare ``nova submit`` with ``solve-field --no-plots``: whole command against whole command, in interleaved pairs.

Pairs alternate their order, index files are read once beforehand, and every run starts without earlier state.  Ratios
are of medians, over images that both solve in every run; images that only one solves, and wrong answers, are listed
separately.
See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import cases
import measure
import reporting
from cases import Case
from comparison import SLOW_S, Comparison, Side, Summary, summarise
from programs import Nova, SolveField, find_nova, hints_by_hand, last_json
from reporting import number

#: By the value of ``--hints``: (options of nova, options of solve-field).
HINTS = {"none": (("--blind",), ("--no-verify",)), "header": ((), ()), "by-hand": ((), ())}
_COLUMNS = ("picture", "nova s", "CPU s", "solve-field s", "CPU s", "ratio", "solved by")
_WIDTHS = (34, 7, 6, 13, 6, 7, 18)


@dataclass(frozen=True, slots=True)
class Contest:
    """Two programs and the number of trials."""

    nova: Nova
    solve_field: SolveField
    pairs: int
    hints: str = "none"

    def compare(self, case: Case, *, solve_field_begins: bool) -> Comparison:
        """Try both programs on an image; stop early if one that is slow to give up has failed."""
        measure.warm([case.path])
        rival = self.solve_field
        if self.hints == "by-hand":
            found = last_json(self.nova.try_on(case).run.stdout)
            rival = replace(self.solve_field, options=(*self.solve_field.options, *hints_by_hand(found)))
        ours, theirs = measure.interleave(
            lambda: self.nova.try_on(case),
            lambda: rival.try_on(case),
            self.pairs,
            second_begins=solve_field_begins,
            goes_on=lambda a, b: a.solved and b.solved,
        )
        return Comparison(case.name, Side(tuple(ours)), Side(tuple(theirs)), case.about)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    contest = _contest(options)
    indexes = reporting.installed_indexes()
    where = reporting.setting(indexes)
    measure.warm(indexes)
    results: list[Comparison] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drawn-")))
        print(reporting.text_row(_COLUMNS, _WIDTHS), flush=True)
        try:
            for n, case in enumerate(_cases(options, contest.nova.command, folder)):
                results.append(contest.compare(case, solve_field_begins=n % 2 == 1))
                print(reporting.text_row(_row(results[-1]), _WIDTHS), flush=True)
        except KeyboardInterrupt:
            print(f"interrupted after {len(results)} pictures", file=sys.stderr)
    summary = summarise(results)
    print("\n".join(["", *_sentences(summary)]))
    _write_reports(options, where, contest, results, summary)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="a folder with images and manifest.json")
    parser.add_argument("--only", default="", metavar="TEXT", help="only images of the corpus with TEXT in their name")
    parser.add_argument("--drawn", type=int, default=0, metavar="N", help="draw N fields, 1 to 90 degrees wide")
    parser.add_argument("--scenes", type=int, default=0, metavar="N", help="draw N scenes of all kinds (scenes.py)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of fields and scenes (default: 1)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the drawn fields and scenes in this folder")
    parser.add_argument("--pairs", type=int, default=3, metavar="N", help="runs of each program (default: 3)")
    parser.add_argument(
        "--timeout", type=float, default=60, metavar="S", help="time limit of each run in seconds (default: 60)"
    )
    parser.add_argument(
        "--hints",
        choices=HINTS,
        default="none",
        help="none: nova --blind, solve-field --no-verify; header: both as they come; by-hand: solve-field is given "
        "what nova found in the header",
    )
    parser.add_argument(
        "--nova", default=find_nova(), metavar="COMMAND", help="the command (default: the one beside this Python)"
    )
    parser.add_argument("--nova-options", default="", metavar="TEXT", help="more options of nova submit")
    parser.add_argument("--solve-field-options", default="", metavar="TEXT", help="more options of solve-field")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a report to this file")
    return parser


def _contest(options: argparse.Namespace) -> Contest:
    ours, theirs = HINTS[options.hints]
    nova = Nova(shlex.split(options.nova), options.timeout, (*ours, *shlex.split(options.nova_options)))
    rival = SolveField(options.timeout, (*theirs, *shlex.split(options.solve_field_options)))
    return Contest(nova, rival, options.pairs, options.hints)


def _cases(options: argparse.Namespace, nova: Sequence[str], folder: Path) -> Iterator[Case]:
    yield from cases.from_paths(options.images)
    if options.corpus is not None:
        yield from cases.from_corpus(options.corpus, options.only)
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    where, pointing = options.keep or folder, options.hints != "none"
    yield from cases.drawn(nova, where, options.drawn, options.seed, states_pointing=pointing)
    yield from cases.scenes(where, options.scenes, options.seed)


# --- Reports -----------------------------------------------------------------------------------------------------


def _row(result: Comparison) -> list[str]:
    seconds = (result.ours.wall_s, result.ours.cpu_s, result.theirs.wall_s, result.theirs.cpu_s)
    ratio = number(result.wall_ratio, 2, "×") if result.both_solved else "–"
    return [result.name, *(number(s) for s in seconds), ratio, result.verdict()]


def _sentences(s: Summary) -> list[str]:
    lines = [
        f"Over the {s.both} of {s.pictures} pictures that both solve, nova is {number(s.wall_mean)} times as fast "
        f"(geometric mean of wall-clock ratios; worst {number(s.wall_worst)} times, {s.wall_worst_name or 'none'}) "
        f"and takes 1/{number(s.cpu_mean)} of the CPU time.",
        f"Over the {s.slow} that take solve-field more than {SLOW_S:g} s: {number(s.slow_wall_mean)} times as fast.",
        f"Median error of the centre: nova {number(s.ours_center_error_px)} pixels, "
        f"solve-field {number(s.theirs_center_error_px)}.",
    ]
    listed = {
        "nova is slower on": s.slower_on,
        "Solved by nova alone": s.ours_alone,
        "Solved by solve-field alone": s.theirs_alone,
        "Solved by neither": s.neither,
        "Wrong answers of nova": s.ours_wrong,
        "Wrong answers of solve-field": s.theirs_wrong,
        "nova could not try (an error)": s.ours_failed,
        "solve-field could not try (an error)": s.theirs_failed,
        "Solved in some runs only": s.unsteady,
    }
    return lines + [f"{title}: {', '.join(names) or 'none'}." for title, names in listed.items()]


def _write_reports(
    options: argparse.Namespace,
    where: reporting.Setting,
    contest: Contest,
    results: Sequence[Comparison],
    summary: Summary,
) -> None:
    if options.json is not None:
        record = {
            "setting": where,
            "pairs": contest.pairs,
            "timeout_s": contest.nova.timeout_s,
            "hints": contest.hints,
            "seed": options.seed if options.drawn or options.scenes else None,
            "summary": summary,
            "pictures": [
                {"name": c.name, "about": c.about, "nova": c.ours.plain(), "solve_field": c.theirs.plain()}
                for c in results
            ],
        }
        options.json.write_text(json.dumps(reporting.as_plain(record), indent=1) + "\n")
    if options.markdown is not None:
        options.markdown.write_text(_markdown(where, contest, results, summary))


def _markdown(where: reporting.Setting, contest: Contest, results: Sequence[Comparison], summary: Summary) -> str:
    ours, theirs = " ".join(contest.nova.options), " ".join(contest.solve_field.options)
    given = " with the hints of the header by hand" if contest.hints == "by-hand" else ""
    intro = (
        f"`nova submit --json {ours}` against `solve-field --no-plots --overwrite {theirs}`{given}: medians of "
        f"{contest.pairs} interleaved pairs; {where.sentence()}."
    )
    pictures = [[r[0] if not c.about else f"{r[0]} ({c.about})", *r[1:]] for c, r in ((c, _row(c)) for c in results)]
    parts = [intro, "\n".join(f"- {s}" for s in _sentences(summary)), reporting.markdown_table(_COLUMNS, pictures)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
