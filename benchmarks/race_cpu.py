#!/usr/bin/env python3
"""CPU time of all engines of a race against that of the engine that won, beside busy loops or on one core.

See README.md beside this file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cases
import measure
import reporting
from cases import Case
from programs import Nova, find_nova, last_json
from reporting import number

_GRACE_S = 15.0
_COLUMNS = ("picture", "all engines s", "winner s", "second looks s", "ratio", "engines", "winner")
_WIDTHS = (34, 13, 9, 14, 6, 8, 50)


@dataclass(frozen=True, slots=True)
class Outcome:
    """CPU seconds of the engines of one solve.

    Attributes
    ----------
    name
        The image.
    all_s
        Of all engines together.
    winner_s
        Of the engine that solved the image.
    looks_s
        Of second looks at the solution, which are part of ``all_s``.
    engines
        Number of engines.
    winner
        Label of the attempt that solved the image.
    """

    name: str
    all_s: float
    winner_s: float
    looks_s: float
    engines: int
    winner: str

    @property
    def ratio(self) -> float:
        """CPU time of all engines, without second looks, over that of the winner."""
        return (self.all_s - self.looks_s) / self.winner_s


def outcome_of(name: str, result: Mapping[str, Any]) -> Outcome | None:
    """Return the outcome of a result in JSON; None if the image is not solved."""
    attempts = (result.get("timing") or {}).get("attempts", [])
    looks = [a for a in attempts if a["label"] == "second look"]
    winners = [a for a in attempts if a["outcome"] == "solved" and a not in looks]
    if result.get("status") != "solved" or not winners or not winners[-1]["cpu_s"]:
        return None
    started = [a for a in attempts if a["cpu_s"] > 0]
    all_s, looks_s = (sum(a["cpu_s"] for a in some) for some in (started, looks))
    return Outcome(name, all_s, winners[-1]["cpu_s"], looks_s, len(started), winners[-1]["label"])


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """Run ``count`` busy loops beside the body."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    nova = Nova(shlex.split(options.nova), options.timeout, shlex.split(options.nova_options))
    indexes = reporting.installed_indexes()
    where = reporting.setting(indexes)
    measure.warm(indexes)
    outcomes: list[Outcome] = []
    print(reporting.text_row(_COLUMNS, _WIDTHS), flush=True)
    with tempfile.TemporaryDirectory(prefix="race-cpu-") as folder:
        images = [*_pictures(options), *cases.drawn(nova.command, Path(folder), options.drawn, options.seed)]
        with busy(options.busy):
            for case in images:
                outcome = _solve(nova, case)
                if outcome is None:
                    print(f"{case.name}: not solved", flush=True)
                    continue
                outcomes.append(outcome)
                print(reporting.text_row(_row(outcome), _WIDTHS), flush=True)
    sentence = f"{_sentence(outcomes)} Of {len(images)} images, {len(outcomes)} were solved; {options.busy} busy loops."
    print(f"\n{sentence}")
    if options.json is not None:
        record = {"setting": where, "summary": sentence, "pictures": outcomes}
        options.json.write_text(json.dumps(reporting.as_plain(record), indent=1) + "\n")
    if options.markdown is not None:
        table = reporting.markdown_table(_COLUMNS, [_row(o) for o in outcomes])
        options.markdown.write_text("\n\n".join([f"{where.sentence()}.", sentence, table]) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="a folder with images and manifest.json")
    parser.add_argument("--drawn", type=int, default=0, metavar="N", help="draw N fields")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the drawn fields (default: 1)")
    parser.add_argument("--busy", type=int, default=4, metavar="N", help="busy loops beside the solves (default: 4)")
    parser.add_argument(
        "--timeout", type=float, default=60, metavar="S", help="time limit of each solve in seconds (default: 60)"
    )
    parser.add_argument(
        "--nova", default=find_nova(), metavar="COMMAND", help="the command (default: the one beside this Python)"
    )
    parser.add_argument("--nova-options", default="--blind", metavar="TEXT", help="options of nova submit (--blind)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a report to this file")
    return parser


def _pictures(options: argparse.Namespace) -> list[Case]:
    return [*cases.from_paths(options.images), *([] if options.corpus is None else cases.from_corpus(options.corpus))]


def _solve(nova: Nova, case: Case) -> Outcome | None:
    measure.warm([case.path])
    with measure.fresh_state() as (_, env):
        run = measure.run(nova.argv(case.path), nova.timeout_s + _GRACE_S, env)
    return outcome_of(case.name, last_json(run.stdout))


def _row(o: Outcome) -> list[str]:
    seconds = (o.all_s, o.winner_s, o.looks_s)
    return [o.name, *(number(s, 3) for s in seconds), number(o.ratio, 2, "×"), str(o.engines), o.winner]


def _sentence(outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return "Nothing was solved."
    all_s, winners_s, looks_s = (sum(getattr(o, name) for o in outcomes) for name in ("all_s", "winner_s", "looks_s"))
    ratio = measure.geometric_mean(o.ratio for o in outcomes)
    return (
        f"Engines used {number(all_s, 1)} s of CPU, {number(looks_s, 1)} s of it for second looks, and the winners "
        f"{number(winners_s, 1)} s: without second looks {number((all_s - looks_s) / winners_s, 2)} times the winners' "
        f"(geometric mean of the images {number(ratio, 2)} times)."
    )


if __name__ == "__main__":
    sys.exit(main())
