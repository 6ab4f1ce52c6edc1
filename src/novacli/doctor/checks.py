"""What ``nova doctor`` looks at: one small function a check, each returning frozen records.

A check says whether something is well (``ok`` True), in the way of solving (False), or worth knowing (None), and
what to do.  A look changes nothing, but makes the directory of the slots where there is none.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from novacli import config as configuration
from novacli.config import Config
from novacli.errors import ConfigError, NovaError
from novacli.indexes.coverage import partial_skies, width_ranges_deg
from novacli.indexes.places import index_places, installed_engine
from novacli.jobs.local_store import LocalStore, disk_bytes
from novacli.jobs.store import FINISHED
from novacli.text.quantities import angle_text, bytes_text, count_text
from solvehost.engine import program
from solvehost.engine.process import EngineLimits, EngineProcess, wait_for_any
from solvehost.engine.slots import Tokens
from solvehost.errors import SolvehostError
from solvehost.indexes import index_set
from solvehost.indexes.index_file import IndexFile

CONFIGURATION, ENGINE, INDEXES, JOBS_DIR, SLOTS = "configuration", "engine", "index files", "jobs directory", "slots"
#: What a failing check means for the exit code; the others never fail.
EXIT_CODES = {CONFIGURATION: 78, ENGINE: 69, INDEXES: 69, JOBS_DIR: 73, SLOTS: 73}

#: An image of 100 megapixels takes about three times its 400 MB.
_ENOUGH_MEMORY = 1_200_000_000
#: A job takes about 0.1 MB, so this is room for thousands.
_ENOUGH_DISK = 1_000_000_000
_LEAST_DISK = 10_000_000
_ENGINE_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: ``ok`` is True, False (solving cannot work) or None (worth knowing)."""

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """All checks, and the settings that they were made with."""

    checks: tuple[Check, ...]
    config: Config

    @property
    def exit_codes(self) -> list[int]:
        """The exit codes of the checks that failed."""
        return [EXIT_CODES[check.name] for check in self.checks if check.ok is False]

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``nova doctor --json`` prints, the settings aside."""
        checks = [{"name": c.name, "ok": c.ok, "detail": c.detail, "remedy": c.remedy or None} for c in self.checks]
        return {"ok": not self.exit_codes, "checks": checks}


def examine(env: Mapping[str, str] = os.environ) -> Health:
    """Look at everything; a configuration that is wrong is a failing check, and the defaults are looked at then."""
    settings, first = check_configuration(env)
    checks = [first, *check_engine(settings), *check_indexes(settings), check_slots(settings), check_memory()]
    checks += [check_jobs_dir(settings), *check_retention(settings), *check_extras()]
    return Health(tuple(checks), settings)


def check_configuration(env: Mapping[str, str]) -> tuple[Config, Check]:
    """Return the settings and whether they can be read; the defaults where they cannot."""
    try:
        settings = configuration.load(env)
    except ConfigError as exc:
        detail = f"{exc}; what follows is about the defaults"
        return _defaults(env), Check(CONFIGURATION, False, detail, "mend it, or move it away")
    there = "" if settings.file.exists() else " (not there: the defaults hold)"
    return settings, Check(CONFIGURATION, True, f"{settings.file}{there}")


def _defaults(env: Mapping[str, str]) -> Config:
    kept = {name: value for name, value in env.items() if not name.startswith("NOVA_")}
    return configuration.load({**kept, "NOVA_CONFIG": os.devnull})


def check_engine(settings: Config) -> Iterator[Check]:
    """Say where the engine is and whether it starts."""
    try:
        path = program.find_engine(settings["engine"])
    except SolvehostError as exc:
        yield Check(ENGINE, False, f"{settings['engine']} was not found", str(exc).partition(": ")[2])
        return
    problem = _start_problem(path)
    if problem is None:
        yield Check(ENGINE, True, f"{path}, which starts")
    else:
        yield Check(
            ENGINE, False, f"{path} does not start: {problem}", "install it anew, or name another by $NOVA_ENGINE"
        )


def _start_problem(path: Path) -> str | None:
    """Have the engine print its help, as a solve would start it; return what went wrong."""
    with tempfile.TemporaryDirectory(prefix="nova-doctor-") as folder:
        log = Path(folder, "log")
        try:
            child = EngineProcess([str(path), "--help"], Path(folder), log, EngineLimits())
        except (OSError, SolvehostError) as exc:
            return str(exc)
        wait_for_any([child], _ENGINE_PATIENCE_S)
        if not child.poll():
            child.kill()
            return f"it did not end within {_ENGINE_PATIENCE_S:g} s"
        lines = log.read_text(errors="replace").split("\n")
    return None if child.exit_status == 0 else lines[0][:200] or f"exit status {child.exit_status}"


def check_indexes(settings: Config) -> Iterator[Check]:
    """Say which index files there are, how wide the fields are that they can solve, and which are damaged."""
    try:
        found = index_set.scan(index_places(settings, installed_engine(settings)))
    except (SolvehostError, OSError) as exc:
        yield Check(INDEXES, False, str(exc), "name index files by index or engine_config: see nova config show")
        return
    places = ", ".join(map(str, found.searched)) or "no directory is named"
    if found.files:
        size = bytes_text(sum(f.size_bytes for f in found.files))
        yield Check(INDEXES, True, f"{len(found.files)} ({size}) in {places}")
        yield Check("fields", True, fields_text(found.files))
        yield from (Check("sky", None, text, "download the other tiles too") for text in partial_skies(found.files))
    else:
        remedy = "apt install astrometry-data-tycho2 (Debian, Ubuntu), or see data.astrometry.net"
        yield Check(INDEXES, False, f"there are none: {places}", remedy)
    for path, reason in found.damaged:
        yield Check("damaged index", None, f"{path}: {reason}; it is left out", "download it again, or remove it")


def fields_text(files: Sequence[IndexFile]) -> str:
    """Say how wide the fields are that index files can solve, and by which rule."""
    ranges = width_ranges_deg(files)
    widths = " and ".join(f"{_width_text(r.low)} to {_width_text(r.high)}" for r in ranges)
    low, high = min(f.quads_arcmin.low for f in files), max(f.quads_arcmin.high for f in files)
    luck = _width_text(ranges[0].low / 2)
    rule = f"quads of {angle_text(low)} to {angle_text(high)} are held, and must lie between 10 % of a field's smaller"
    return f"about {widths} wide, with luck from {luck} ({rule} side and its diagonal)"


def _width_text(width_deg: float) -> str:
    return angle_text(width_deg * 60, degrees_from_arcmin=6)


def check_slots(settings: Config) -> Check:
    """Say how many engines may run at once, and how many do."""
    try:
        tokens = Tokens(settings["slots_dir"], settings["slots"])
        busy = tokens.count_held()
        idle = tokens.try_acquire()  # whether there can be locks at all shows when one is taken
        if idle is not None:
            idle.release()
    except (SolvehostError, OSError) as exc:
        return Check(SLOTS, False, str(exc), "name another directory by slots_dir")
    return Check(SLOTS, True, f"{count_text(tokens.count, 'engine')} may run at once, {busy or 'none'} running")


def check_memory() -> Check:
    """Say how much memory is free."""
    free_bytes, total_bytes = _memory_bytes()
    if free_bytes is None:
        return Check("memory", True, f"{bytes_text(total_bytes)} in all")
    detail = f"{bytes_text(free_bytes)} free of {bytes_text(total_bytes)}"
    if free_bytes < _ENOUGH_MEMORY:
        return Check("memory", None, detail, "large images may not fit: use --downsample, or close something")
    return Check("memory", True, detail)


def _memory_bytes() -> tuple[int | None, int]:
    """Return free and total memory; free is None where the system does not say (macOS)."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None, total
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return (found[0] if found else None), total


def check_jobs_dir(settings: Config) -> Check:
    """Say whether jobs can be kept, and how much room there is."""
    root: Path = settings["jobs_dir"]
    nearest = next(path for path in (root, *root.absolute().parents) if os.path.exists(path))  # noqa: PTH110 - never raises
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return Check(JOBS_DIR, False, f"{root}: nothing can be written there", "name another by jobs_dir or $NOVA_JOBS")
    free_bytes = shutil.disk_usage(nearest).free
    detail = f"{root}, {bytes_text(free_bytes)} free"
    if free_bytes >= _ENOUGH_DISK:
        return Check(JOBS_DIR, True, detail)
    return Check(JOBS_DIR, None if free_bytes >= _LEAST_DISK else False, detail, "make room: nova rm --older-than 30d")


def check_retention(settings: Config) -> Iterator[Check]:
    """Say how many jobs are kept, how much room they take, and what the limits are."""
    store = LocalStore(settings["jobs_dir"])
    try:
        jobs = store.summaries()
    except NovaError:
        return  # the check of the jobs directory says so
    finished = sum(job.state in FINISHED for job in jobs)
    limits = f"those untouched go after {settings['keep_days']:g} days, finished ones beyond {settings['keep_jobs']:,}"
    detail = f"{count_text(len(jobs), 'job')} ({finished:,} finished, {bytes_text(disk_bytes(store.root))}); {limits}"
    yield Check("retention", True, detail)


def check_extras() -> Iterator[Check]:
    """Say which optional input formats can be read."""
    for module, what in (("xisf", "XISF images"), ("rawpy", "camera raw files")):
        if importlib.util.find_spec(module) is None:
            yield Check(module, None, f"not installed: {what} cannot be read", f"pip install {module}")
        else:
            yield Check(module, True, f"{what} can be read")
