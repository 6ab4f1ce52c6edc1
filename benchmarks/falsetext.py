"""The statistics of ``falsereport.py`` in words and tables: plain text and Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import reporting
from falsereport import LOGODDS, SOLVE_CPU_S, Record


def one_line(records: Sequence[Record]) -> str:
    """Return the outcome of one image, for progress messages."""
    cpu_s = math.fsum(r.get("cpu_s", 0.0) for r in records)
    named = [m for r in records for m in r.get("matches", ())]
    highest = reporting.number(max((m[LOGODDS] for m in named), default=math.nan), 1)
    ends = ", ".join(sorted({str(r.get("reason", r.get("end"))) for r in records}))
    status = records[0].get("status", f"{len(records)} trials")
    return f"{status} ({ends}), {cpu_s:.0f} s of CPU, {len(named)} matches named, highest {highest}"


def _full_table(figures: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    header = ["kind", "pictures", "false", "at true place", "exhausted", "time used", "no stars", "CPU s"]
    header += ["≥ 13.8", "highest"]
    names = ("pictures", "false", "solved_at_the_true_place", "exhausted", "used_its_time", "no_stars")
    rows = [
        [kind, *(str(row[n]) for n in names), f"{row['cpu_s']:.0f}", str(row["tuned"]), _one(row["highest_logodds"])]
        for kind, row in [*figures["kinds"].items(), ("all", figures["all"])]
    ]
    return header, rows


def _kind_table(figures: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    header = ["kind", "pictures", "CPU s", "≥ 8", "a CPU s", "slope", "shape", "highest"]
    header += ["> 20.7 a solve", "95 % bound"]
    worst_first = sorted(figures["kinds"].items(), key=lambda item: -_or_zero(item[1]["bound"]))
    rows = [
        [
            kind, str(row["pictures"]), f"{row['cpu_s']:.0f}", str(row["count"]), _rate(row), _two(row["slope"]),
            _shape(row), _one(row["highest_logodds"]), _small(row["a_solve"]), _small(row["a_solve_bound"]),
        ]
        for kind, row in worst_first
    ]  # fmt: skip
    return header, rows


def _fit_table(
    name: str, fits: Iterable[tuple[str, Mapping[str, Any]]], above: str = "13.8"
) -> tuple[list[str], list[list[str]]]:
    header = [name, "matches", "CPU s", "a CPU s", "slope", "shape", f"> {above} a CPU s", "95 % bound"]
    rows = [
        [
            label, str(f["count"]), f"{f['cpu_s']:.0f}", _rate(f), _two(f["slope"]), _shape(f), _small(f["beyond"]),
            _small(f["bound"]),
        ]
        for label, f in fits
    ]  # fmt: skip
    return header, rows


def _beyond_table(figures: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    header = ["accepted from", "a CPU s", "95 % bound", f"a solve of {SOLVE_CPU_S:.0f} CPU s", "95 % bound"]
    names = ("a_cpu_s", "bound", "a_solve", "a_solve_bound")
    return header, [[_one(b["threshold"]), *(_small(b[name]) for name in names)] for b in figures["beyond"]]


def _later_table(figures: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = figures["tuned_later"].items()
    return ["log-odds", "found", "expected"], [[level, str(r["found"]), _one(r["expected"])] for level, r in rows]


def _foretold_table(figures: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [level, str(row["found"]), _two(row["expected"]), _two(row["bound"])]
        for level, row in figures["foretold"].items()
    ]
    return ["log-odds", "found", "expected", "95 % bound"], rows


def _straight_table(figures: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    header = ["accepted from", "matches", "slope", "shape", "a CPU s", "95 % bound"]
    header += [f"a solve of {SOLVE_CPU_S:.0f} CPU s", "95 % bound"]
    rows = [
        [
            _one(f["threshold"]), str(f["count"]), _two(f["slope"]), _shape(f), _small(f["beyond"]), _small(f["bound"]),
            _small(f["beyond"] * SOLVE_CPU_S), _small(f["bound"] * SOLVE_CPU_S),
        ]
        for f in figures["straight"]
    ]  # fmt: skip
    return header, rows


def _lowered_table(figures: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    header = ["accepted from", "trials", "accepted", "a CPU s", "named a CPU s", "slope", "highest"]
    rows = [
        [name, str(r["trials"]), str(r["accepted"]), _two(r["a_cpu_s"]), _two(r["named_a_cpu_s"]), _two(r["slope"]),
         _one(r["highest_logodds"])]
        for name, r in figures["lowered_by_threshold"].items()
    ]  # fmt: skip
    return header, rows


def _matched_table(figures: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    header = ["log-odds", "false matches", "matched, median", "most", "conflicts, median"]
    rows = [
        [f"{band} to {int(band) + 2}", str(r["matches"]), f"{r['matched_median']:g}", str(r["matched_most"]),
         f"{r['conflicts_median']:g}"]
        for band, r in figures["matched_stars"].items()
    ]  # fmt: skip
    return header, rows


def _parts(figures: Mapping[str, Any]) -> list[tuple[str, tuple[list[str], list[list[str]]]]]:
    tail = figures["tail"]
    cuts = [(f"{f['cut']:g}", f) for f in tail["cuts"]]
    return [
        ("Whole solves", _full_table(figures["full"])),
        ("False matches by kind, worst first", _kind_table(tail)),
        ("The slope above other cuts", _fit_table("cut", cuts)),
        ("After the engine's tune-up", _fit_table("cut", [("13.8", tail["tuned"])], "20.7")),
        ("Above a threshold, as shipped but for it", _beyond_table(tail)),
        ("In whole solves: as many as the trials make it?", _foretold_table(tail)),
        ("Straight from whole solves, matches from 13.8 on", _straight_table(tail)),
        ("Every match tuned up", _fit_table("cut", [(f"{f['cut']:g}", f) for f in tail["all_tuned"]["cuts"]])),
        ("Matches from 10 on tuned up: as many as the assumption makes it?", _later_table(tail)),
        ("By depth of the search", _fit_table("stars", tail["depths"].items())),
        ("By member", _fit_table("member", tail["members"].items())),
        ("With acceptance lowered", _lowered_table(tail)),
        ("Stars matched beside the quad's own", _matched_table(tail)),
    ]


def sentences(figures: Mapping[str, Any]) -> list[str]:
    """Return the most important figures."""
    full, tail = figures["full"]["all"], figures["tail"]
    seen, tuned = (
        ", ".join(f"{count} from {level}" for level, count in part["survival"].items())
        for part in (tail, tail["all_tuned"])
    )
    return [
        f"{full['pictures']} whole solves, {full['false']} false (95 % bound of the share: "
        f"{_small(full['share_bound'])}), {full['cpu_s']:.0f} s of engine CPU.",
        f"{tail['trials']} trials at {tail['pictures']} pictures ({tail['listened']} listened to, "
        f"{tail['lowered']} with acceptance lowered), {tail['cpu_s']:.0f} s of engine CPU.",
        f"False matches that were heard, by log-odds: {seen}.",
        f"The same where every match was tuned up: {tuned}.",
        f"Highest after tune-up: {', '.join(_one(v) for v in tail['tuned']['highest']) or 'none'}.",
    ]


def text(figures: Mapping[str, Any]) -> str:
    """Return the report as plain text."""
    tables = [f"{title}\n{reporting.text_table(*table)}" for title, table in _parts(figures) if table[1]]
    return "\n\n".join([*sentences(figures), *tables])


def markdown(figures: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    tables = [f"#### {title}\n\n{reporting.markdown_table(*table)}" for title, table in _parts(figures) if table[1]]
    return "\n\n".join(["\n".join(f"- {s}" for s in sentences(figures)), *tables]) + "\n"


def _rate(fit: Mapping[str, Any]) -> str:
    return _two(fit["count"] / fit["cpu_s"]) if fit["cpu_s"] else "–"


def _shape(fit: Mapping[str, Any]) -> str:
    low, high = fit["shape_limits"]
    return f"{_two(fit['shape'])} ({_two(low)} to {_two(high)})"


def _or_zero(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _one(value: float) -> str:
    return reporting.number(value, 1)


def _two(value: float) -> str:
    return reporting.number(value, 2)


def _small(value: float) -> str:
    return f"{value:.1e}" if math.isfinite(value) else "–"
