"""The beginning of every report (machine, versions of programs) and its tables, in Markdown and plain text."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import programs


@dataclass(frozen=True, slots=True)
class Setting:
    """The machine and the versions of a measurement; ``load`` is the mean number of busy processes in a minute."""

    date: str
    processor: str
    cores: int
    system: str
    python: str
    nova: str
    engine: str
    index_files: int
    index_bytes: int
    load: float

    def sentence(self) -> str:
        """Return a description in words."""
        return (
            f"{self.date}, {self.processor}, {self.cores} cores, {self.system}, Python {self.python}, "
            f"nova {self.nova}, astrometry-engine {self.engine}, {self.index_files} index files of "
            f"{self.index_bytes / 1e6:.0f} MB, load before it began {self.load:.1f}"
        )


def setting(index_files: Sequence[Path]) -> Setting:
    """Return the setting of this process."""
    from novacli import __version__

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Setting(
        date=datetime.now(UTC).date().isoformat(),
        processor=_processor(),
        cores=cores,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        nova=__version__,
        engine=programs.engine_version(),
        index_files=len(index_files),
        index_bytes=sum(path.stat().st_size for path in index_files),
        load=round(os.getloadavg()[0], 2),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown processor")


def installed_indexes() -> list[Path]:
    """Return the index files that both programs use by default."""
    from novacli.config import load
    from novacli.indexes.places import index_places
    from solvehost.engine import program
    from solvehost.indexes import index_set

    config = load({key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ})
    return [file.path for file in index_set.scan(index_places(config, program.find_engine(config["engine"]))).files]


def as_plain(value: Any) -> Any:
    """Return a record as a JSON value; NaN and infinity become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(item) for item in value]
    return as_plain(asdict(value)) if hasattr(value, "__dataclass_fields__") else value


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; all columns but the first are aligned to the right."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *rows])


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of plain text; all columns but the first are aligned to the right."""
    widths = [max(len(row[n]) for row in [header, *rows]) for n in range(len(header))]
    return "\n".join(text_row(row, widths) for row in [header, *rows])


def text_row(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line of a table of plain text."""
    first, *others = (
        cell.ljust(width) if n == 0 else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *others]).rstrip()


def number(value: float, digits: int = 2, unit: str = "") -> str:
    """Return a figure for a table; a dash for NaN and infinity."""
    return f"{value:.{digits}f}{unit}" if math.isfinite(value) else "–"
