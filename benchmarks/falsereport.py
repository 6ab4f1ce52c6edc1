"""Statistics of the records of ``false_solutions.py``: counts, tails of log-odds, the rate beyond the threshold."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import falsetail
from falsetail import Heard

from novacli.backends.local import engine_cpu_s
from novacli.records.params import SolveParams

Record = Mapping[str, Any]

#: The engine's own thresholds: odds of 10⁹ to accept a match, of 10⁶ to tune one up and, as shipped, to name it.
ACCEPTS, TUNES = math.log(1e9), math.log(1e6)
#: Cuts at which the slope is measured, to check that it is constant.
CUTS = (8.0, 9.0, 10.0, 11.0, 12.0)
#: Cuts above which slopes are measured: for matches as found, and for those that were tuned up.
RAW_CUT, TUNED_CUT = 10.0, 12.0
#: Acceptance thresholds for which the rate is reported, the engine's own first.
THRESHOLDS = (ACCEPTS, 25.0, 30.0, 32.2)
#: CPU seconds of engines in a solve that finds nothing and uses its whole budget.
SOLVE_CPU_S = engine_cpu_s(SolveParams().limit_s)
_LEVELS = (8.0, 10.0, 12.0, TUNES, 16.0, 18.0, ACCEPTS)
#: Levels at which whole solves are compared with the prediction from trials.
_FORETOLD = (18.0, ACCEPTS, 25.0)
_DEPTHS = ((1, 20), (21, 50), (51, 200))
LOGODDS, _MATCHED, _CONFLICTS, _PIXSCALE, _IS_TRUE = 0, 1, 2, 5, 6


def summary(records: Sequence[Record]) -> dict[str, Any]:
    """Return the figures of all records, whole solves and parts of the search, as a JSON object."""
    full = [r for r in records if r["mode"] == "full"]
    tail = [r for r in records if r["mode"] == "tail" and "member" in r]
    return {"full": _full(full), "tail": _tail(tail, full)}


# --- Whole solves ------------------------------------------------------------------------------------------------


def _full(records: Sequence[Record]) -> dict[str, Any]:
    rows = {kind: _full_row(some) for kind, some in _grouped(records, lambda r: str(r["kind"])).items()}
    return {"kinds": rows, "all": _full_row(records), "false": [_shown(r) for r in records if _is_false(r)]}


def _full_row(records: Sequence[Record]) -> dict[str, Any]:
    named = [m for r in records for m in r["matches"] if not m[_IS_TRUE]]
    false = sum(map(_is_false, records))
    return {
        "pictures": len(records),
        "false": false,
        "share_bound": falsetail.share_bound(false, len(records)) if records else math.nan,
        "solved_at_the_true_place": sum(r["status"] == "solved" for r in records) - false,
        "exhausted": sum(r["reason"] == "exhausted" for r in records),
        "used_its_time": sum(r["reason"] == "time-limit" for r in records),
        "no_stars": sum(r["reason"] == "no-stars" for r in records),
        "cpu_s": math.fsum(r["cpu_s"] for r in records),
        "tuned": sum(m[LOGODDS] >= TUNES for m in named),
        "highest_logodds": max((m[LOGODDS] for m in named), default=math.nan),
    }


def _is_false(record: Record) -> bool:
    return record["status"] == "solved" and not record["answer"]["is_true"]


def _shown(record: Record) -> dict[str, Any]:
    return {"kind": record["kind"], "number": record["number"], **record["answer"]}


# --- Parts of the search -----------------------------------------------------------------------------------------


def _tail(records: Sequence[Record], full: Sequence[Record]) -> dict[str, Any]:
    listened = [r for r in records if r["accept_from"] is None and r.get("tuned_from") is None]
    tuned_records = [r for r in records if r.get("tuned_from") == CUTS[0]]
    later = [r for r in records if (r.get("tuned_from") or 0) > CUTS[0]]
    all_tuned = [h for _, h in _heard(tuned_records)]
    lift = falsetail.Lift(_paired(listened, tuned_records), CUTS[0], TUNES, RAW_CUT, TUNED_CUT)
    beyond = lift.beyond(THRESHOLDS)
    lowered = [r for r in records if r["accept_from"] is not None]
    heard = falsetail.by_kind(_heard(listened))
    everything = [h for some in heard.values() for h in some]
    survives = beyond[0].a_cpu_s / falsetail.fit(everything, RAW_CUT, TUNES).beyond
    return {
        "trials": len(records),
        "listened": len(records) - len(lowered),
        "lowered": len(lowered),
        "pictures": len({(r["kind"], r["number"]) for r in records}),
        "cpu_s": math.fsum(r["cpu_s"] for r in records),
        "at_the_true_place": sum(m[_IS_TRUE] for r in records for m in r["matches"]),
        "survival": dict(zip(_named(_LEVELS), falsetail.survival(everything, _LEVELS), strict=True)),
        "cuts": [_fitted(everything, cut) for cut in CUTS],
        "kinds": {kind: _kind_row(some, survives) for kind, some in heard.items()},
        "members": _rates(listened, lambda r: f"{r['member']} [{r['settings']}]"),
        "depths": _rates(listened, _depth_class),
        "beyond": [
            {**asdict(b), "a_solve": b.a_cpu_s * SOLVE_CPU_S, "a_solve_bound": b.bound * SOLVE_CPU_S} for b in beyond
        ],
        "foretold": _foretold(lift, listened, full),
        "straight": _straight(listened, full),
        "lifted_share": survives,
        "tuned": _tuned(everything, full),
        "all_tuned": {
            "survival": dict(zip(_named(_LEVELS), falsetail.survival(all_tuned, _LEVELS), strict=True)),
            "cuts": [_fitted(all_tuned, cut) for cut in CUTS],
        },
        "tuned_later": _tuned_later(later, everything, all_tuned),
        "lowered_by_threshold": {
            f"{accept_from:g}": _lowered_row(some, everything)
            for accept_from, some in sorted(_grouped(lowered, lambda r: float(r["accept_from"])).items())
        },
        "matched_stars": _matched(lowered),
    }


def _named(levels: Iterable[float]) -> list[str]:
    return [f"{level:.1f}" for level in levels]


def _heard(records: Iterable[Record]) -> list[tuple[str, Heard]]:
    """Return the logged matches of each image with its kind; matches at an image's true position are left out."""
    pictures = _grouped(records, lambda r: (r["kind"], r["number"]))
    return [(kind, _heard_at(some)) for (kind, _), some in pictures.items()]


def _heard_at(records: Sequence[Record]) -> Heard:
    values = tuple(m[LOGODDS] for r in records for m in r["matches"] if not m[_IS_TRUE])
    return Heard(math.fsum(r["cpu_s"] for r in records), values)


def _paired(listened: Sequence[Record], tuned: Sequence[Record]) -> list[tuple[Heard, Heard]]:
    """Return the logged matches without and with a tune-up of every match, for images that have both."""
    groups = [_grouped(records, lambda r: (r["kind"], r["number"])) for records in (listened, tuned)]
    return [
        (_heard_at(some), _heard_at(groups[1][picture])) for picture, some in groups[0].items() if picture in groups[1]
    ]


def _fitted(heard: Sequence[Heard], cut: float, threshold: float = TUNES) -> dict[str, Any]:
    return asdict(falsetail.fit(heard, cut, threshold))


def _kind_row(heard: Sequence[Heard], survives: float) -> dict[str, Any]:
    """Return a kind's tail below the tune-up threshold, and the matches that a whole solve would find above it.

    ``survives`` is the share of tuned matches that come above it, of all kinds together.
    """
    row = _fitted(heard, CUTS[0])
    highest = max((value for h in heard for value in h.logodds), default=math.nan)
    a_solve = survives * SOLVE_CPU_S
    solves = {"a_solve": row["beyond"] * a_solve, "a_solve_bound": row["bound"] * a_solve}
    return {"pictures": len(heard), "highest_logodds": highest, **row, **solves}


def _rates(records: Sequence[Record], key: Callable[[Record], str]) -> dict[str, Any]:
    """Return rate above the lowest cut and slope, for each group of records."""
    groups = _grouped(records, key)
    return {name: _fitted([h for _, h in _heard(some)], CUTS[0]) for name, some in sorted(groups.items())}


def _depth_class(record: Record) -> str:
    return next(f"{low}-{high}" for low, high in _DEPTHS if record["depth"][0] <= high)


def _tuned(listened: Sequence[Heard], full: Sequence[Record]) -> dict[str, Any]:
    """Return the tail of matches that the engine tuned up: named by whole solves as well."""
    heard = [*listened, *(h for _, h in _heard(full))]
    values = sorted((v for h in heard for v in h.logodds if v >= TUNES), reverse=True)
    fitted = _fitted(heard, TUNES, ACCEPTS)
    count_bound = falsetail.count_bound(fitted["count"]) / fitted["cpu_s"] if fitted["cpu_s"] else math.nan
    return {**fitted, "rate_bound": count_bound, "highest": values[:10]}


def _foretold(lift: falsetail.Lift, listened: Sequence[Record], full: Sequence[Record]) -> dict[str, Any]:
    """Return the number of matches of whole solves above some levels, and the number that trials predict.

    Both are of the kinds that were listened to.
    """
    heard = _of_kinds(listened, full)
    cpu_s = math.fsum(h.cpu_s for h in heard)
    found = falsetail.survival(heard, _FORETOLD)
    return {
        f"{beyond.threshold:.1f}": {"found": n, "expected": beyond.a_cpu_s * cpu_s, "bound": beyond.bound * cpu_s}
        for beyond, n in zip(lift.beyond(_FORETOLD), found, strict=True)
    }


def _straight(listened: Sequence[Record], full: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the tail of the matches that whole solves tuned up, for the kinds with trials; it needs no assumptions."""
    return [_fitted(_of_kinds(listened, full), TUNES, threshold) for threshold in THRESHOLDS]


def _of_kinds(listened: Sequence[Record], full: Sequence[Record]) -> list[Heard]:
    kinds = {r["kind"] for r in listened}
    return [h for kind, h in _heard(full) if kind in kinds]


def _tuned_later(later: Sequence[Record], raw: Sequence[Heard], tuned: Sequence[Heard]) -> dict[str, Any]:
    """Return how many matches a tune-up from a higher log-odds raises above some levels, and the expected number.

    It should bring those that a tune-up from the lowest cut on brings above a level that much lower, less what there
    are fewer of to begin with.
    """
    if not later:
        return {}
    heard = [h for _, h in _heard(later)]
    begins = later[0]["tuned_from"]
    fewer = falsetail.survival(raw, [begins])[0] / max(1, falsetail.survival(raw, [CUTS[0]])[0])
    share = fewer * math.fsum(h.cpu_s for h in heard) / math.fsum(h.cpu_s for h in tuned)
    levels = [level for level in _LEVELS if level > begins]
    moved = falsetail.survival(tuned, [level - (begins - CUTS[0]) for level in levels])
    found = falsetail.survival(heard, levels)
    return {
        f"{level:.1f}": {"found": n, "expected": share * m} for level, n, m in zip(levels, found, moved, strict=True)
    }


def _lowered_row(records: Sequence[Record], listened: Sequence[Heard]) -> dict[str, Any]:
    """Return how often a match was accepted above a lowered threshold, and how often one was logged above it."""
    found = [
        r["matches"][0] for r in records if r["end"] == "solved" and r["matches"] and not r["matches"][0][_IS_TRUE]
    ]
    accept_from = records[0]["accept_from"]
    cpu_s = math.fsum(r["cpu_s"] for r in records)
    excess = [m[LOGODDS] - accept_from for m in found]
    named = falsetail.survival(listened, [accept_from])[0] if accept_from >= CUTS[0] else math.nan
    heard_cpu_s = math.fsum(h.cpu_s for h in listened)
    return {
        "trials": len(records),
        "accepted": len(found),
        "a_cpu_s": len(found) / cpu_s if cpu_s else math.nan,
        "named_a_cpu_s": named / heard_cpu_s if heard_cpu_s else math.nan,
        "slope": statistics.fmean(excess) if excess else math.nan,
        "highest_logodds": max((m[LOGODDS] for m in found), default=math.nan),
    }


def _matched(lowered: Sequence[Record]) -> dict[str, Any]:
    """Return how many stars matched, without the quad's own, by log-odds of accepted false matches."""
    found = [m for r in lowered if r["end"] == "solved" for m in r["matches"][:1] if not m[_IS_TRUE]]
    bands = _grouped(found, lambda m: f"{2 * int(m[LOGODDS] // 2)}")
    return {
        band: {
            "matches": len(some),
            "matched_median": statistics.median(m[_MATCHED] for m in some),
            "matched_most": max(m[_MATCHED] for m in some),
            "conflicts_median": statistics.median(m[_CONFLICTS] for m in some),
        }
        for band, some in sorted(bands.items(), key=lambda item: int(item[0]))
    }


def _grouped(records: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return groups
