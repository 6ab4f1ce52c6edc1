"""The engine's index files: where they are, what scales they hold, and whether they are whole.

An index holds quads (groups of stars) of diameters within its scale range; a field can be solved by indexes whose
quads fit into it.  Source of the header cards: the index files themselves (SCALE_L and SCALE_U in radians).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from solvehost.errors import ConfigError, DataError
from solvehost.formats import fitsfile
from solvehost.formats.axy import Attempt, Range
from solvehost.indexes import healpix as tiles

if TYPE_CHECKING:
    from solvehost.indexes.cache import IndexCache

#: Fraction of the image's smaller side below which quads are not tried, and of its diagonal above: the engine's own.
QUAD_FRACTION = Range(0.1, 1.0)
#: Widths of fields that the engine considers where nothing says more (its own defaults), in degrees.
FIELD_WIDTH_DEG = Range(0.1, 180.0)
_ARCMIN_PER_RADIAN = math.degrees(1) * 60
_CONFIG_NAMES = ("/etc/astrometry.cfg", "/usr/local/etc/astrometry.cfg", "/opt/homebrew/etc/astrometry.cfg")


@dataclass(frozen=True, slots=True)
class IndexFile:
    """One index file that loads.

    ``quads_arcmin`` is the range of its quads' diameters; ``healpix`` -1 is the whole sky.
    """

    path: Path
    index_id: int
    healpix: int
    nside: int
    quads_arcmin: Range
    stars: int
    quads: int
    size_bytes: int

    @property
    def middle_arcmin(self) -> float:
        """The geometric middle of its quads' diameters."""
        return math.sqrt(self.quads_arcmin.low * self.quads_arcmin.high)


@dataclass(frozen=True, slots=True)
class IndexSet:
    """The index files that were found: those that load, and (path, reason) of those that do not."""

    files: tuple[IndexFile, ...]
    damaged: tuple[tuple[Path, str], ...] = ()
    searched: tuple[Path, ...] = ()

    @property
    def damaged_names(self) -> tuple[str, ...]:
        """The names of those that do not load, as manifests list them."""
        return tuple(path.name for path, _ in self.damaged)

    @property
    def quads_arcmin(self) -> Range | None:
        """The range of quad diameters that all files cover together, None where there is no file."""
        if not self.files:
            return None
        return Range(min(f.quads_arcmin.low for f in self.files), max(f.quads_arcmin.high for f in self.files))


def read_index(path: Path) -> IndexFile:
    """Return what the header of an index file says, after a look at its size.

    Raises
    ------
    DataError
        Where it is no index file, or is cut short; the message does not name it.
    """
    if not path.is_file():
        raise DataError("it is missing, or no regular file")
    with path.open("rb") as stream:
        hdus = list(fitsfile.iter_hdus(stream))
        size = os.fstat(stream.fileno()).st_size
    if not hdus:
        raise DataError("the file is empty")
    first = hdus[0][0]
    if "INDEXID" not in first:
        raise DataError("it is no index file (its header has no INDEXID)")
    low, high = (float(first[k]) * _ARCMIN_PER_RADIAN for k in ("SCALE_L", "SCALE_U"))
    if not 0 < low <= high < math.inf:
        raise DataError("its range of scales makes no sense (SCALE_L, SCALE_U)")
    if "\n" in str(path):
        raise DataError("its path has a line break in it, which the engine's configuration cannot hold")
    return IndexFile(
        path=path,
        index_id=first.number("INDEXID"),
        healpix=first.number("HEALPIX", -1),
        nside=first.number("HPNSIDE", 0),
        quads_arcmin=Range(low, high),
        stars=first.number("NSTARS", 0),
        quads=first.number("NQUADS", 0),
        size_bytes=size,
    )


def _is_candidate(name: str) -> bool:
    return name.endswith((".fits", ".fit")) and not name.startswith(".")


def scan(places: Iterable[Path], cache: IndexCache | None = None) -> IndexSet:
    """Read the index files named, or lying in the directories named; ``cache`` spares those that have not changed.

    In a directory, FITS files that are no index are passed over; a file named by the caller that is none is
    reported as damaged, and so is a directory that cannot be read.  Paths come back absolute: the engine runs
    elsewhere.
    """
    searched = tuple(place.absolute() for place in places)
    good: dict[Path, IndexFile] = {}
    bad: dict[Path, str] = {}
    for place in searched:
        try:
            named = not place.is_dir()
            paths = [place] if named else sorted(p for p in place.iterdir() if _is_candidate(p.name))
        except OSError as exc:
            bad[place] = exc.strerror or str(exc)
            continue
        for path in paths:
            try:
                good.setdefault(path.resolve(), _read_or_recall(path, cache))
            except (DataError, KeyError, ValueError, TypeError) as exc:
                if named or path.name.startswith("index-"):
                    bad[path] = str(exc) if isinstance(exc, DataError) else "its header cannot be understood"
            except OSError as exc:
                bad[path] = exc.strerror or str(exc)
    if cache is not None:
        cache.save()
    files = tuple(sorted(good.values(), key=lambda f: (f.middle_arcmin, f.path.name)))
    return IndexSet(files, tuple(bad.items()), searched)


def _read_or_recall(path: Path, cache: IndexCache | None) -> IndexFile:
    if cache is None:
        return read_index(path)
    status = path.stat()
    known = cache.get(path, status)
    if known is None:
        known = read_index(path)
        cache.put(path, status, known)
    return known


def config_candidates(engine: Path | None) -> list[Path]:
    """Return where an engine's configuration may stand, likeliest first: beside it, then where packages put it."""
    beside = [engine.parent.parent / "etc" / "astrometry.cfg"] if engine is not None else []
    return [*beside, *(Path(p) for p in _CONFIG_NAMES)]


def configured_places(config: Path | None, engine: Path | None) -> tuple[Path, ...]:
    """Return what an engine configuration names: ``config``'s, else that of the first one found (none: nothing).

    Raises
    ------
    ConfigError
        Where it cannot be read.
    """
    for candidate in [config] if config is not None else config_candidates(engine):
        if candidate == config or candidate.is_file():
            return places_of_config(candidate)
    return ()


def places_of_config(path: Path) -> tuple[Path, ...]:
    """Return the directories and files that an engine configuration names (add_path, index).

    Raises
    ------
    ConfigError
        Where the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}: the engine's configuration cannot be read") from exc
    words = [line.strip().split(None, 1) for line in lines if line.strip() and not line.strip().startswith("#")]
    folders = [Path(rest[0].strip()) for key, *rest in words if key == "add_path" and rest]
    named = [_find(Path(rest[0].strip()), folders) for key, *rest in words if key == "index" and rest]
    if not named or any(key in ("autoindex", "indexset", "multiindex") for key, *_ in words):
        return tuple(folders + named)
    return tuple(named)


def _find(name: Path, folders: Sequence[Path]) -> Path:
    tries = [name] if name.is_absolute() else [f / n for f in folders for n in (name, Path(f"{name}.fits"))]
    return next((t for t in tries if t.exists()), tries[0] if tries else name)


# --- Which index files can match a field -------------------------------------------------------------------------


def quad_range_arcmin(width: int, height: int, scale_arcsec: Range | None, fraction: Range = QUAD_FRACTION) -> Range:
    """Return the diameters of quads that fit into a field, for a range of pixel scales (None: any)."""
    low, high = scale_arcsec or Range(*(w * 3600 / width for w in FIELD_WIDTH_DEG))
    return Range(fraction.low * min(width, height) * low / 60, fraction.high * math.hypot(width, height) * high / 60)


def overlaps(a: Range, b: Range) -> bool:
    """Say whether two ranges share a point."""
    return a.low <= b.high and b.low <= a.high


def select(attempt: Attempt, files: Sequence[IndexFile]) -> tuple[IndexFile, ...]:
    """Return the index files that an attempt uses, in the order that it asks for.

    A file serves if its quads fit the field at the attempt's scales, the middle of its range lies in the attempt's
    own window (so windows that touch share no file), and its part of the sky reaches into the attempt's.
    """
    scales = attempt.scales_arcsec_per_pixel
    span = Range(min(s.low for s in scales), max(s.high for s in scales)) if scales else None
    fits = quad_range_arcmin(attempt.width, attempt.height, span, attempt.quad_fraction or QUAD_FRACTION)
    window = attempt.schedule.quads_arcmin
    chosen = [
        f
        for f in files
        if overlaps(f.quads_arcmin, fits)
        and (window is None or window.low <= f.middle_arcmin < window.high)
        and _is_near(f, attempt)
    ]
    return tuple(sorted(chosen, key=lambda f: f.middle_arcmin, reverse=attempt.schedule.coarse_first))


def _is_near(file: IndexFile, attempt: Attempt) -> bool:
    """Say whether the tile of a file reaches into where the attempt looks; quads may lie across the tile's edge."""
    if file.healpix < 0 or attempt.center_deg is None or attempt.radius_deg is None:
        return True
    radius_deg = attempt.radius_deg + file.quads_arcmin.high / 60
    return tiles.may_hold(file.healpix, file.nside, attempt.center_deg, radius_deg)
