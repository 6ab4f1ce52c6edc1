#!/usr/bin/env python3
"""The cost of a search by index files: measured file by file, and predicted for files that are not installed.

A field of random stars is searched in each installed file alone, completely.  The engine then reports how many groups
of stars it tried and how many entries of the file they matched; with its CPU time, least squares give the seconds per
file, group and match.  Matches grow with the number of entries, which predicts the cost of sets that are not installed.
See README.md beside this file.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import measure
import numpy as np
import reporting
from reporting import number

from solvehost.engine import program
from solvehost.formats import axy, fitsfile
from solvehost.formats.axy import Attempt
from solvehost.formats.star_table import Stars
from solvehost.indexes import index_file, index_set

_TRIED = re.compile(r"tried (\d+) quads, matched (\d+) codes")
_SIDE_PX, _STARS, _TOLERANCE = 1000, 100, 0.005
#: Series that can be downloaded: name, finest quads in arcmin, steps of √2, files of each step.  A step finer has twice
#: the quads.  Source: data.astrometry.net, which says how many files each has.
SERIES = (("4100 (Tycho-2, 7 to 19)", 22.0, 13, 1), ("5200 (Gaia, 0 to 6)", 2.0, 7, 48))


@dataclass(frozen=True, slots=True)
class Lookup:
    """One field searched in one file: groups of stars tried, entries matched, CPU seconds."""

    name: str
    group_stars: int
    entries: int
    low_arcmin: float
    tried: int
    matched: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds of a start, a file, a group of stars in a file, a match; and matches per group and entry (quad)."""

    start_s: float
    file_s: float
    group_s: float
    match_s: float
    matches_per_entry: float


def look_up(files: Sequence[index_file.IndexFile], depth: int, seed: int = 1) -> list[Lookup]:
    """Return the cost of each file for a field of random stars; groups of the first ``depth`` stars are tried."""
    chance = np.random.default_rng(seed)
    x, y = (chance.uniform(1, _SIDE_PX, _STARS).astype(np.float32).tobytes() for _ in "xy")
    stars = Stars.from_bytes(x, y, np.arange(_STARS, 0, -1, dtype=np.float32).tobytes())
    attempt = Attempt(_SIDE_PX, _SIDE_PX, stars, depths=((1, depth),), code_tolerance=_TOLERANCE, verify_dedup=False)
    found = []
    for file in files:
        with tempfile.TemporaryDirectory(prefix="scaling-") as name:
            folder = Path(name)
            axy.write(attempt, folder / "job.axy")
            (folder / "cfg").write_text(f"index {file.path}\n")
            run = measure.run([program.find_engine(), "-v", "-c", "cfg", "job.axy"], 600, cwd=folder)
        said = _TRIED.search(run.stdout + run.stderr)
        if said is not None:
            tried, matched = map(int, said.groups())
            group_stars = _group_stars(file.path)
            found.append(
                Lookup(file.path.name, group_stars, file.quads, file.quads_arcmin.low, tried, matched, run.cpu_s)
            )
    return found


def _group_stars(path: Path) -> int:
    return fitsfile.read_primary_header(path).number("DIMQUADS", 4)


def file_cost_s(files: Sequence[index_file.IndexFile], copies: int = 100) -> float:
    """Return the CPU seconds of an engine for a file that it opens but does not search, from many links to one."""
    stars = Stars.from_bytes(*(np.arange(1, 9, dtype=np.float32).tobytes() for _ in range(3)))
    nothing_fits = (axy.Range(1e-5, 2e-5),)
    attempt = Attempt(_SIDE_PX, _SIDE_PX, stars, scales_arcsec_per_pixel=nothing_fits)
    seconds = []
    with tempfile.TemporaryDirectory(prefix="scaling-") as name:
        folder = Path(name)
        axy.write(attempt, folder / "job.axy")
        links = [folder / f"{n}.fits" for n in range(copies + 1)]
        for link in links:
            link.symlink_to(files[-1].path)
        for some in (links[:1], links):
            (folder / "cfg").write_text("".join(f"index {link}\n" for link in some))
            command: list[str | Path] = [program.find_engine(), "-c", "cfg", "job.axy"]
            seconds.append(measure.median(measure.run(command, 60, cwd=folder).cpu_s for _ in range(5)))
    return max(0.0, seconds[1] - seconds[0]) / copies


def fit(lookups: Sequence[Lookup], file_s: float) -> Costs:
    """Return the costs that fit the CPU times best, by least squares."""
    sizes = np.array([[1, each.tried, each.matched] for each in lookups], dtype=float)
    seconds = np.array([each.cpu_s for each in lookups])
    start_s, group_s, match_s = np.linalg.lstsq(sizes, seconds, rcond=None)[0]
    quads = [each for each in lookups if each.group_stars == 4]
    rate = sum(each.matched for each in quads) / sum(each.tried * each.entries for each in quads) if quads else np.nan
    return Costs(max(0.0, float(start_s) - file_s), file_s, float(group_s), float(match_s), float(rate))


def expected_s(costs: Costs, entries: float, files: int, groups: int) -> float:
    """Return the CPU seconds of a search through ``files`` files of ``entries`` quads each, for a number of groups."""
    return costs.start_s + files * (
        costs.file_s + groups * (costs.group_s + entries * costs.matches_per_entry * costs.match_s)
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--depth", type=int, default=26, metavar="N", help="stars whose groups are tried (default: 26)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a report to this file")
    options = parser.parse_args(arguments)
    paths = reporting.installed_indexes()
    where = reporting.setting(paths)
    measure.warm(paths)
    files = index_set.scan(paths).files
    lookups = look_up(files, options.depth)
    costs = fit(lookups, file_cost_s(files))
    text = "\n\n".join([where.sentence() + ".", _table(lookups), _sentence(costs), _forecast(lookups, costs)])
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n")
    return 0


def _table(lookups: Sequence[Lookup]) -> str:
    header = ("index file", "stars in a group", "entries", "groups tried", "matched", "CPU s")
    rows = [
        [o.name, str(o.group_stars), f"{o.entries:,}", f"{o.tried:,}", f"{o.matched:,}", number(o.cpu_s)]
        for o in lookups
    ]
    return reporting.markdown_table(header, rows)


def _sentence(costs: Costs) -> str:
    return (
        f"A start costs {number(costs.start_s * 1e3, 1)} ms, a file {number(costs.file_s * 1e3, 1)} ms, "
        f"a group {number(costs.group_s * 1e6)} µs in each file, "
        f"a match {number(costs.match_s * 1e6, 1)} µs; of a million quads {number(costs.matches_per_entry * 1e6, 4)} "
        "match a group."
    )


def _forecast(lookups: Sequence[Lookup], costs: Costs) -> str:
    quads = [each for each in lookups if each.group_stars == 4]
    if not quads:
        return "No installed file has quads of four stars: nothing can be said of other series."
    known = min(quads, key=lambda each: each.low_arcmin)
    groups = max(each.tried for each in quads)
    header = ("series", "quads from", "files", "quads, millions", "a search to its end, CPU s", "with one tile, CPU s")
    rows = []
    for name, finest_arcmin, steps, files in SERIES:
        for low_arcmin in (finest_arcmin * 2 ** (step / 2) for step in range(steps)):
            entries = known.entries * (known.low_arcmin / low_arcmin) ** 2
            if low_arcmin > max(each.low_arcmin for each in quads):
                break
            whole_s = expected_s(costs, entries / files, files, groups)
            one_s = expected_s(costs, entries / files, 1, groups)
            rows.append(
                [name, f"{low_arcmin:.1f}′", str(files), f"{entries / 1e6:.1f}", number(whole_s), number(one_s)]
            )
    return reporting.markdown_table(header, rows)


if __name__ == "__main__":
    sys.exit(main())
