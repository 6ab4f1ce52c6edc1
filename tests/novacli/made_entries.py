"""Entries of a ledger made by hand: every fate, each with the JSON line that such a frame has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from novacli.batch.records import GONE, OWN_OUTPUT, RETRIABLE, WAITING, FrameRecord, LedgerEntry
from novacli.errors import DataError, OutputError
from novacli.records.result import Result, error_of
from novacli.records.status import FAILED, SOLVED, UNSOLVED
from novacli.records.timing import Timing

#: 2026-03-04 05:06:07 UTC
FINISHED_S = 1772600767.5
CALIBRATION = {
    "ra": 187.1955123456789, "dec": -56.7023, "radius": 20.8, "pixscale": 170.4, "orientation": -118.35, "parity": -1.0,
    "width_arcsec": 122520.6, "height_arcsec": 86394.9, "up_deg_e_of_n": 238.48,
}  # fmt: skip
MATCH = {
    "index": "index-4117.fits", "n": 49, "rms_arcsec": 85.2, "heldout_rms_arcsec": 92.25,
    "corner_error_arcsec": 120.5, "logodds": 248.5,
    "sip_order": 2, "attempt": "by flux",
}  # fmt: skip


def solved(path: str, **more: Any) -> LedgerEntry:
    """Return the entry of a solved frame; ``more`` sets keys of its result."""
    files = {"directory": "/jobs/0123", "wcs": "/jobs/0123/wcs.fits", "log": "/jobs/0123/log"}
    timing = {"total_s": 1.25, "read_s": 0.1, "engine_cpu_s": 0.75, "attempts": []}
    line = {"input": path, "status": SOLVED, "job": "0123", "calibration": CALIBRATION, "match": MATCH,
            "timing": timing, "files": files, "created": "2026-03-04T05:06:06.000+00:00",
            "server": "north"}  # fmt: skip
    return entry(path, SOLVED, {**Result.from_json(line).to_json(), **more})


def unsolved(path: str, reason: str = "exhausted") -> LedgerEntry:
    return entry(path, UNSOLVED, Result(path, UNSOLVED, reason=reason, timing=Timing(total_s=30.5)).to_json())


def failed(path: str, message: str = "it is no image") -> LedgerEntry:
    return entry(path, FAILED, Result(path, FAILED, error=error_of(DataError(f"{path}: {message}"))).to_json())


def retriable(path: str) -> LedgerEntry:
    return entry(path, RETRIABLE, Result(path, FAILED, error=error_of(OutputError(f"{path}: disk full"))).to_json())


def waiting(path: str) -> LedgerEntry:
    return LedgerEntry(path, FrameRecord(5, 7, None, "p", frozenset(), WAITING, 75, 0))


def gone(path: str) -> LedgerEntry:
    return LedgerEntry(path, FrameRecord(5, 7, None, "p", frozenset(), GONE, 0, 0))


def ours(path: str) -> LedgerEntry:
    return LedgerEntry(path, FrameRecord(5, 7, None, "p", frozenset(), OWN_OUTPUT, 0, 0))


def entry(path: str, fate: str, line: dict[str, Any] | str) -> LedgerEntry:
    text = line if isinstance(line, str) else json.dumps(line, allow_nan=False)
    return LedgerEntry(path, FrameRecord(2880, 7, "ab" * 32, "p", frozenset({"wcs"}), fate, 0, 2), text, FINISHED_S)


def every_fate() -> list[LedgerEntry]:
    """Return one entry of each fate, in the order of their paths."""
    return [solved("/n/a.fits"), unsolved("/n/b.fits"), failed("/n/c.fits"), retriable("/n/d.fits"),
            waiting("/n/e.fits"), gone("/n/f.fits"), ours("/n/g.wcs")]  # fmt: skip


def many(count: int) -> Iterator[LedgerEntry]:
    """Yield entries over the whole sky, each tenth unsolved, each hundredth failed."""
    for number in range(count):
        path = f"/data/night-{number // 500:03d}/frame-{number:05d}.fits"
        if number % 100 == 99:
            yield failed(path)
        elif number % 10 == 9:
            yield unsolved(path)
        else:
            ra, dec = number * 0.618034 * 360 % 360, (number * 7919 % 1400) / 10 - 50
            yield solved(path, calibration={**CALIBRATION, "ra": ra, "dec": dec})
