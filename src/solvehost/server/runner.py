"""Have a job of a client's solved: its star lists rebuilt, the race under the server's limits, the manifest of it."""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from solvehost.engine import program, race, records, sandbox
from solvehost.engine.live_log import LiveLog, pieces
from solvehost.engine.manifest import build_manifest
from solvehost.engine.process import EngineLimits
from solvehost.engine.slots import Token, Tokens
from solvehost.errors import ConfigError, CrashError, DataError, DiskError, SolvehostError, UnavailableError
from solvehost.formats import axy, fitsfile, match_comments
from solvehost.formats.jobdir import LOG, OUTPUTS, JobDir
from solvehost.indexes import engine_config, index_set
from solvehost.indexes.cache import IndexCache
from solvehost.server.request_log import Entry
from solvehost.server.settings import Settings
from solvehost.server.state_dir import Client, State
from solvehost.server.stdio import Remarks
from solvehost.server.stored_job import folder_bytes
from solvehost.wire.escaping import escape

#: Where programs are looked for, whatever a client's environment says.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FILE_BYTES = 64 * 2**20
#: A job's directory never grows beyond this, star lists and logs of all attempts included.
MAX_JOB_BYTES = 512 * 2**20
_LARGE_BYTES = 2**20
_LOOK_S = 0.5
_LAST_LOOKS = 16
#: In the state directory.
INDEX_CACHE = "indexes.json"


class Solved(NamedTuple):
    """What became of a job: the manifest, and the result files by name."""

    manifest: dict[str, Any]
    files: dict[str, bytes]


class Host:
    """The engine of this machine, with its index files, found when they are first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @functools.cached_property
    def engine(self) -> Path:
        """The engine's path."""
        return program.find_engine(self.settings.engine, SEARCH_PATH)

    @functools.cached_property
    def indexes(self) -> index_set.IndexSet:
        """The index files.

        Raises
        ------
        UnavailableError
            Where none loads.
        """
        places = engine_config.configured_places(self.settings.engine_config, self.engine)
        found = index_set.scan(places, IndexCache(self.settings.state / INDEX_CACHE))
        if not found.files:
            damaged = "; ".join(f"{path}: {why}" for path, why in found.damaged)
            where = ", ".join(map(str, found.searched)) or "no configuration of the engine names any"
            raise UnavailableError(
                f"no index file was found ({where}{'; ' + damaged if damaged else ''}): install some, or name an "
                "engine configuration by --engine-config"
            )
        return found

    @functools.cached_property
    def is_confined(self) -> bool:
        """Whether the kernel confines engines.

        Raises
        ------
        ConfigError
            Where it cannot, and the settings require it.
        """
        available = sandbox.is_available()
        if not available and self.settings.require_sandbox:
            raise ConfigError("the kernel cannot confine engines (no Landlock), and require_sandbox says it must")
        return available

    def check(self) -> None:
        """Find what a job needs, before it waits for its turn; raises as the properties do."""
        _ = (self.engine, self.indexes, self.is_confined)

    def limits(self) -> EngineLimits:
        """Return what one engine may use."""
        return EngineLimits(
            cpu_s=max(1, int(self.settings.max_cpu)),
            data_bytes=self.settings.max_memory_mb * 2**20,
            file_bytes=_FILE_BYTES,
            alone=True,
            confined=self.is_confined,
        )


class Watch:
    """What a race asks many times a second: is the peer gone, is it cancelled, has it grown too large?

    On the way it passes on what the engines say.
    """

    def __init__(self, job: JobDir, remarks: Remarks, cancelled: Callable[[], bool]) -> None:
        self._job, self._remarks, self._cancelled = job, remarks, cancelled
        self._tails = LiveLog(job)
        self._looked_s = 0.0

    def __call__(self) -> bool:
        """Look; say whether to stop."""
        now = time.monotonic()
        if now - self._looked_s > _LOOK_S:
            self._looked_s = now
            if folder_bytes(self._job.path) > MAX_JOB_BYTES:
                raise DiskError(f"the job wrote more than {MAX_JOB_BYTES // 2**20} MB: it was ended")
        self._remarks.show(self._tails.read())
        return self._cancelled()

    def close(self) -> None:
        """Pass on what is left, of a very long log a part."""
        for piece in itertools.islice(self._tails.rest(), _LAST_LOOKS):
            self._remarks.show(piece)
        if not self._tails.has_seen_any and self._job.log.exists():
            for piece in pieces(self._job):
                self._remarks.show(piece)
        self._tails.close()


def rebuild(axys: Mapping[int, bytes], job: JobDir, remarks: Remarks, entry: Entry) -> None:
    """Write the star lists of a request into a job directory, anew: what is not known to be harmless is left out.

    Raises
    ------
    DataError
        Where one cannot be used.
    DiskError
        Where one cannot be written.
    """
    for number, data in axys.items():
        name = job.axy(number).name
        try:
            attempt = axy.parse(data)
        except DataError as exc:
            raise DataError(f"{name}: {escape(str(exc), 300)}") from exc
        if number == min(axys):
            entry.stars = len(attempt.stars)
        if attempt.dropped_cards:
            shown = ", ".join(escape(card, 20) for card in attempt.dropped_cards[:5])
            remarks.say(f"{name}: {len(attempt.dropped_cards)} cards are not used: {shown} ...")
        try:
            axy.write(attempt, job.axy(number))
        except OSError as exc:
            raise DiskError(f"the star list cannot be kept: {exc.strerror}") from exc


def forget(axys: dict[int, bytes]) -> None:
    """Give back the memory of star lists that are on disk now: a job may wait long, and beside many others."""
    size = sum(map(len, axys.values()))
    axys.clear()
    if size > _LARGE_BYTES and sys.platform.startswith("linux"):
        import ctypes

        with contextlib.suppress(AttributeError):  # the C library keeps what was freed; musl's has no such call
            ctypes.CDLL(None).malloc_trim(0)


def wait_for_turn(state: State, client: Client, wait_s: float, cancelled: Callable[[], bool]) -> list[Token]:
    """Return the tokens that a job needs to begin: an engine's, last, and before it the client's where it has a limit.

    Raises
    ------
    BusyError
        Where they did not come free in time, or ``cancelled`` said to stop.
    """
    began = time.monotonic()
    held: list[Token] = []
    wanted: list[Tokens] = [t for t in (client.running(), state.slots()) if t is not None]
    try:
        for tokens in wanted:
            held.append(tokens.acquire(max(0.0, wait_s - (time.monotonic() - began)), cancelled))
    except BaseException:
        for token in held:
            token.release()
        raise
    return held


def solve(
    host: Host, state: State, job: JobDir, watch: Watch, first: Token, remarks: Remarks, entry: Entry, job_id: str
) -> Solved:
    """Race a job's attempts, and return the manifest and the files that there are.

    Raises
    ------
    SolvehostError
        Where it could not be tried; that it was tried and not solved is a result.
    """
    settings = state.settings
    if not host.is_confined:
        remarks.say("the kernel cannot confine engines (no Landlock): they run under limits alone")
    terms = records.RaceTerms(
        engine=host.engine,
        indexes=host.indexes,
        tokens=state.slots(),
        wall_s=settings.max_wall,
        cpu_s=settings.max_cpu,
        limits=host.limits(),
        cancelled=watch,
        observe=lambda label: remarks.say(f"started {escape(label)}"),
    )
    try:
        result = race.run(job, iter(job.attempts()), terms, first)
    except CrashError as exc:
        state.check_room()  # an engine that finds the disk full leaves half of its files, and says nothing
        raise CrashError(f"{exc}") from exc
    finally:
        watch.close()
    entry.note(result, _matched(job) if result.winner else None)
    manifest = build_manifest(
        job,
        result,
        engine=str(host.engine),
        client=settings.client,
        job_id=job_id,
        damaged=host.indexes.damaged_names,
    )
    return Solved(manifest, read_files(job))


def read_files(job: JobDir) -> dict[str, bytes]:
    """Return what a finished job has to send."""
    return {name: (job.path / name).read_bytes() for name in (LOG, *OUTPUTS) if (job.path / name).is_file()}


def _matched(job: JobDir) -> int | None:
    """Return the number of the index file that matched."""
    try:
        return match_comments.whole(fitsfile.read_primary_header(job.wcs).comments, match_comments.INDEX_ID)
    except (SolvehostError, OSError):
        return None
