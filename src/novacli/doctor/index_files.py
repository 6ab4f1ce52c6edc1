"""Check the installed index files, and describe the fields that index files serve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from novacli.config import Config
from novacli.errors import NovaError, UnavailableError
from novacli.indexes.coverage import partial_skies, width_ranges_deg
from novacli.indexes.places import index_places, installed_engine
from novacli.indexes.series import name_problem
from novacli.records.check import Check
from novacli.text.quantities import angle_text, bytes_text
from solvehost.indexes import index_set
from solvehost.indexes.index_file import IndexFile


def check_indexes(settings: Config) -> Iterator[Check]:
    """Check which index files are installed, which fields they serve, and which are damaged."""
    code = UnavailableError.exit_code
    try:
        found = index_set.scan(index_places(settings, installed_engine(settings)))
    except (NovaError, OSError) as exc:
        remedy = "name index files by index or engine_config: see nova config show"
        yield Check("index files", False, str(exc), remedy, code)
        return
    searched = ", ".join(map(str, found.searched)) or "no directory is named"
    if found.files:
        size = bytes_text(sum(f.size_bytes for f in found.files))
        yield Check("index files", True, f"{len(found.files)} ({size}) in {searched}")
        yield Check("fields", True, fields_text(found.files))
        yield from (Check("sky", None, text, "download the other tiles too") for text in partial_skies(found.files))
    else:
        remedy = "apt install astrometry-data-tycho2 (Debian, Ubuntu), or nova index get 4100"
        yield Check("index files", False, f"there are none: {searched}", remedy, code)
    for path, reason in found.damaged:
        yield Check("damaged index", None, f"{path}: {reason}; it is left out", "download it again, or remove it")
    for file in found.files:
        if (problem := name_problem(file)) is not None:
            yield Check("renamed index", None, f"{file.path}: {problem}", "give it its own name, or download it again")


def fields_text(files: Sequence[IndexFile]) -> str:
    """Return a sentence on the widths of the fields that index files serve, with the rule behind it."""
    ranges = width_ranges_deg(files)
    widths = " and ".join(f"{_width_text(r.low)} to {_width_text(r.high)}" for r in ranges)
    low, high = min(f.quads_arcmin.low for f in files), max(f.quads_arcmin.high for f in files)
    smallest = _width_text(ranges[0].low / 2)
    rule = (
        f"the files hold quads of {angle_text(low)} to {angle_text(high)}, and a quad must lie between 10 % of a "
        "field's smaller side and its diagonal"
    )
    return f"about {widths} wide, sometimes from {smallest} ({rule})"


def _width_text(width_deg: float) -> str:
    return angle_text(width_deg * 60, degrees_from_arcmin=6)
