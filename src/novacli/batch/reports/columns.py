"""The columns of batch reports: CSV and ECSV have all of them, the HTML page a selection."""

from __future__ import annotations

import os.path
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

from novacli.batch.records import LedgerEntry
from novacli.records.result import Result
from novacli.text.printable import printable_line
from solvehost.record import record

#: A cell: text is one printable line and never empty; None if the value is unknown or does not apply to the frame.
Value = str | float | int | None
_Read = Callable[[LedgerEntry, Result], Any]
YES, NO = "yes", "no"


@record
class Column:
    """A column of a report.

    Attributes
    ----------
    name, unit, datatype, meaning
        As in the header of an ECSV file; the unit in astropy's notation.
    read
        Returns the raw value of a frame.
    """

    name: str
    unit: str | None
    datatype: Literal["string", "float64", "int64"]
    meaning: str
    read: _Read

    def value(self, entry: LedgerEntry, result: Result) -> Value:
        """Return the cell of a frame; ``result`` is the entry's own, or a placeholder if it has none."""
        value = self.read(entry, result)
        if value is None or value == "":
            return None
        if self.datatype == "string":
            return printable_line(str(value))
        return int(value) if self.datatype == "int64" else float(value)


def values(entry: LedgerEntry) -> list[Value]:
    """Return the cells of a frame in the order of ``COLUMNS``."""
    result = entry.result or Result(entry.path, entry.record.fate)
    return [column.value(entry, result) for column in COLUMNS]


def utc_text(seconds: float) -> str:
    """Return a time, given in seconds since 1970, in ISO 8601 to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _in(part: str, key: str) -> _Read:
    """Read ``key`` of one of the records that a result holds."""
    return lambda _entry, result: getattr(getattr(result, part), key, None)


def _degrees(key: str) -> _Read:
    def read(_entry: LedgerEntry, result: Result) -> float | None:
        arcsec = getattr(result.calibration, key, None)
        return None if arcsec is None else arcsec / 3600

    return read


def _present(entry: LedgerEntry, _result: Result) -> str:
    """Return "yes" if the file exists, else "no"; a ledger also has frames that were renamed or removed later."""
    return YES if os.path.exists(entry.path) else NO  # noqa: PTH110 - may hold any bytes


def _finished(entry: LedgerEntry, _result: Result) -> str | None:
    return None if entry.finished_s is None else utc_text(entry.finished_s)


def _rms_px(_entry: LedgerEntry, result: Result) -> float | None:
    if result.match is None or result.calibration is None or result.match.rms_arcsec is None:
        return None
    return result.match.rms_arcsec / result.calibration.pixscale


COLUMNS = (
    Column("path", None, "string", "the frame's file", lambda e, _: e.path),
    Column("fate", None, "string", "outcome, see Fates",
           lambda e, _: e.record.fate),
    Column("present", None, "string", "whether the file existed when the report was made: yes or no", _present),
    Column("ra", "deg", "float64", "right ascension of the frame's centre, ICRS", _in("calibration", "ra")),
    Column("dec", "deg", "float64", "declination of the frame's centre, ICRS", _in("calibration", "dec")),
    Column("pixscale", "arcsec / pix", "float64", "pixel scale", _in("calibration", "pixscale")),
    Column("width_deg", "deg", "float64", "width in pixels times the pixel scale", _degrees("width_arcsec")),
    Column("height_deg", "deg", "float64", "height in pixels times the pixel scale", _degrees("height_arcsec")),
    Column("orientation", "deg", "float64", "as nova.astrometry.net defines it", _in("calibration", "orientation")),
    Column("parity", None, "int64", "sign of det(CD): 1 or -1", _in("calibration", "parity")),
    Column("stars", None, "int64", "matched stars", _in("match", "n")),
    Column("rms_arcsec", "arcsec", "float64", "root mean square separation of matched stars from their reference stars",
           _in("match", "rms_arcsec")),
    Column("rms_px", "pix", "float64", "the same in pixels", _rms_px),
    Column("heldout_rms_arcsec", "arcsec", "float64", "the same with each star compared with a fit to all other stars",
           _in("match", "heldout_rms_arcsec")),
    Column("corner_error_arcsec", "arcsec", "float64",
           "estimated error at the worst corner: smaller with a probability of 90 percent",
           _in("match", "corner_error_arcsec")),
    Column("logodds", None, "float64", "natural logarithm of the odds that the match is true", _in("match", "logodds")),
    Column("sip_order", None, "int64", "order of the polynomials (SIP) that describe the distortion, 0 for none",
           _in("match", "sip_order")),
    Column("attempt", None, "string", "label of the attempt that solved it", _in("match", "attempt")),
    Column("time_s", "s", "float64", "wall-clock time of the whole frame", _in("timing", "total_s")),
    Column("engine_cpu_s", "s", "float64", "CPU time of all engines", _in("timing", "engine_cpu_s")),
    Column("server", None, "string", "server that solved it; empty for this machine", lambda _, r: r.server),
    Column("tries", None, "int64", "number of times this content was tried with these parameters",
           lambda e, _: e.record.tries),
    Column("finished", None, "string", "time when it was finished: ISO 8601, UTC", _finished),
    Column("reason", None, "string", "why an unsolved frame is unsolved, as in the JSON output",
           lambda _, r: r.reason),
    Column("error", None, "string", "error message: what happened and what to do", _in("error", "message")),
    Column("job", None, "string", "id of its job", lambda _, r: r.job),
    Column("log", None, "string", "file with the engine's log", lambda _, r: r.files.get("log")),
)  # fmt: skip
NAMES = tuple(column.name for column in COLUMNS)
