"""Solving one job: rewrite its star lists, race its attempts within the server's limits, and make its manifest."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from solvehost.engine import race, records, sandbox
from solvehost.engine.live_log import LiveLog, pieces
from solvehost.engine.manifest import build_manifest
from solvehost.engine.slots import Token
from solvehost.errors import DataError, InternalError, NovaError, OutputError
from solvehost.formats import axy, fitsfile, match_comments
from solvehost.formats.jobdir import JobDir
from solvehost.formats.trees import tree_bytes
from solvehost.server.engine_setup import EngineSetup
from solvehost.server.request_log import LogEntry
from solvehost.server.state_dir import ClientDir, StateDir
from solvehost.server.stdio import MessageWriter
from solvehost.server.stored_job import read_files
from solvehost.wire.escaping import escape

#: Limit of a job's directory, with the star lists and logs of all attempts.
MAX_JOB_BYTES = 512 * 2**20
#: Limit of the files in it: each counts for a share of the bytes.
MAX_JOB_FILES = 2048
#: Star lists of this size are worth returning their memory to the system.
_LARGE_BYTES = 2**20
_SIZE_CHECK_S = 0.5
#: Pieces of a log that are passed on after the race; a longer log is cut.
_MAX_LAST_PIECES = 16


class Solved(NamedTuple):
    """The outcome of a job, solved or not: its manifest, and its result files by name."""

    manifest: dict[str, Any]
    files: dict[str, bytes]


class JobRunner:
    """Runs one job on this machine.

    Parameters
    ----------
    state
        The state directory, whose settings limit the job.
    messages
        Where to write messages and the engines' logs.
    entry
        Line of the request log, completed on the way.
    upload_places
        The token of a large upload, if this is one; it is released together with the memory of the upload.
    """

    def __init__(
        self, state: StateDir, messages: MessageWriter, entry: LogEntry, upload_places: list[Token] | None = None
    ) -> None:
        self.state, self.messages, self.entry = state, messages, entry
        self._upload_places = upload_places
        self.setup = EngineSetup(state.settings)

    def rewrite_star_lists(self, axys: Mapping[int, bytes], job: JobDir) -> None:
        """Parse the star lists of a request, and write them anew, so that only known cards and columns remain.

        Parameters
        ----------
        axys
            Axy files as the client sent them, by number of attempt.
        job
            The directory to write them into.

        Raises
        ------
        DataError
            If a star list is invalid.
        OutputError
            If a star list cannot be written.
        """
        for number, data in axys.items():
            name = job.axy(number).name
            try:
                attempt = axy.parse(data)
            except DataError as exc:
                raise DataError(f"{name}: {escape(str(exc), 300)}") from exc
            if number == min(axys):
                self.entry.stars = len(attempt.stars)
            if attempt.dropped_cards:
                shown = ", ".join(escape(card, 20) for card in attempt.dropped_cards[:5])
                self.messages.write_message(f"{name}: {len(attempt.dropped_cards)} cards are not used: {shown} ...")
            try:
                axy.write(attempt, job.axy(number))
            except OSError as exc:
                raise OutputError(f"the star list cannot be written: {exc.strerror}") from exc

    def release_upload(self, axys: dict[int, bytes]) -> None:
        """Clear star lists that are on disk from memory, and let the next large upload begin."""
        release_memory(axys)
        while self._upload_places:
            self._upload_places.pop().release()

    def wait_for_turn(self, client: ClientDir, wait_s: float, cancelled: Callable[[], bool]) -> list[Token]:
        """Wait for the tokens with which a job may begin.

        Parameters
        ----------
        client
            The client whose job it is.
        wait_s
            Longest wait for all tokens together, in seconds.
        cancelled
            Called often; returns True to stop waiting.

        Returns
        -------
        list of Token
            A token of the client's running jobs if it has a limit, then an engine slot.

        Raises
        ------
        RetryLaterError
            If the tokens are not free in time, or ``cancelled`` returns True.
        """
        began = time.monotonic()
        taken: list[Token] = []
        try:
            for tokens in (client.running(), self.state.slots()):
                if tokens is not None:
                    taken.append(tokens.acquire(max(0.0, wait_s - (time.monotonic() - began)), cancelled))
        except BaseException:
            for token in taken:
                token.release()
            raise
        return taken

    def solve(self, job: JobDir, job_id: str, slot: Token, cancelled: Callable[[], bool]) -> Solved:
        """Race the attempts of a job.

        Parameters
        ----------
        job
            The job directory, with the star lists.
        job_id
            The id that the client gave the job.
        slot
            The engine slot with which the race begins; the race releases it.
        cancelled
            Called often; returns True to stop the race, or raises.

        Raises
        ------
        NovaError
            If no attempt could be made.  An attempt without a solution is a result.
        """
        settings, setup = self.state.settings, self.setup
        if not setup.is_confined:
            missing = " and no ".join(sandbox.missing())
            self.messages.write_message(f"this kernel cannot confine engines in full (it has no {missing})")
        monitor = RaceMonitor(job, self.messages, cancelled)
        terms = records.RaceTerms(
            engine=setup.engine,
            indexes=setup.indexes,
            tokens=self.state.slots(),
            wall_s=settings.max_wall,
            cpu_s=settings.max_cpu,
            limits=setup.limits(),
            cancelled=monitor.check,
            observe=lambda label: self.messages.write_message(f"started {escape(label)}"),
        )
        try:
            result = race.run(job, iter(job.attempts()), terms, slot)
        except InternalError as exc:
            self.state.check_room()  # on a full disk, an engine leaves incomplete files without a message
            raise InternalError(f"{exc}") from exc
        finally:
            monitor.close()
        self.entry.record_race(result, _matched_index(job) if result.winner else None)
        damaged = setup.indexes.damaged_names
        manifest = build_manifest(
            job, result, engine=str(setup.engine), client=settings.client, job_id=job_id, damaged=damaged
        )
        return Solved(manifest, read_files(job))


class RaceMonitor:
    """Watches a job during its race: passes on the engines' logs, and ends a job that has grown too large."""

    def __init__(self, job: JobDir, messages: MessageWriter, cancelled: Callable[[], bool]) -> None:
        self._job, self._messages, self._cancelled = job, messages, cancelled
        self._tails = LiveLog(job)
        self._size_checked_s = 0.0

    def check(self) -> bool:
        """Return True if the race must stop.  The race calls this many times a second.

        Raises
        ------
        OutputError
            If the job's directory is larger than MAX_JOB_BYTES, or has more than MAX_JOB_FILES files.
        """
        now = time.monotonic()
        if now - self._size_checked_s > _SIZE_CHECK_S:
            self._size_checked_s = now
            least_bytes = MAX_JOB_BYTES // MAX_JOB_FILES
            if tree_bytes(self._job.path, MAX_JOB_BYTES, least_bytes=least_bytes) > MAX_JOB_BYTES:
                limits = f"{MAX_JOB_BYTES // 2**20} MiB or {MAX_JOB_FILES} files"
                raise OutputError(f"the job was ended: it wrote more than {limits}")
        self._messages.write_log(self._tails.read())
        return self._cancelled()

    def close(self) -> None:
        """Pass on the rest of the logs, the beginning only if it is very long."""
        for piece in itertools.islice(self._tails.rest(), _MAX_LAST_PIECES):
            self._messages.write_log(piece)
        if not self._tails.has_seen_any and self._job.log.exists():
            for piece in pieces(self._job):
                self._messages.write_log(piece)
        self._tails.close()


def release_memory(axys: dict[int, bytes]) -> None:
    """Clear star lists that are on disk by now: many jobs may wait at the same time, and for long."""
    size = sum(map(len, axys.values()))
    axys.clear()
    if size > _LARGE_BYTES and sys.platform.startswith("linux"):
        import ctypes

        with contextlib.suppress(AttributeError):  # musl has no malloc_trim; glibc keeps freed memory without it
            ctypes.CDLL(None).malloc_trim(0)


def _matched_index(job: JobDir) -> int | None:
    """Return the number of the index that matched, None if the solution does not tell."""
    try:
        return match_comments.whole(fitsfile.read_primary_header(job.wcs).comments, match_comments.INDEX_ID)
    except (NovaError, OSError):
        return None
