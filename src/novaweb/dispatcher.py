"""The dispatcher: claims jobs, has an executor of :mod:`novacli.batch` solve them, and stores the results.

It fetches the content of jobs that have a URL.  The executor's worker processes read pictures, which are untrusted; the
dispatcher and the web process do not.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections

from novacli.batch.executors import Executor, TaskHungError, WorkerLostError, open_executor
from novacli.batch.frames.listing import frame_at
from novacli.batch.records import KEEP_ALL, BatchOutputs, FrameTask, RunSetup, TaskOutcome
from novacli.config import Config
from novacli.errors import NovaError
from novacli.records.params import SolveParams
from novacli.records.result import Result
from novacli.records.status import SOLVED, UNSOLVED
from novacli.text.printable import printable_line
from novaweb import folders
from novaweb.fetch import Fetch, in_thread
from novaweb.intake import complete
from novaweb.queue import queue
from novaweb.queue.queue import Claim, Ending
from novaweb.submissions.models import JobState, Submission, UserImage

#: The queue and the solves are looked at this often; a worker without a job looks less often.
_POLL_S, _IDLE_POLL_S, _BEAT_S = 0.1, 0.2, 10.0
#: A database that is gone is asked again after this time.
_DATABASE_PAUSE_S = 2.0
_MAX_MESSAGE = 1000
_CHUNK_BYTES = 1 << 20
_DATABASE_GONE = (OperationalError, InterfaceError)
_LOG = logging.getLogger("novaweb")


class Dispatcher:
    """Solves the jobs of the queue, as many at a time as its executor has workers.

    Parameters
    ----------
    web
        The settings of the service.
    nova
        The settings of solving.
    kind, workers, address
        The executor, as :func:`novacli.batch.executors.open_executor` takes it.
    """

    def __init__(self, web: Config, nova: Config, kind: str, workers: int, address: str | None = None) -> None:
        self._folders = folders.of(web)
        self._folders.make()
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._work_dir = self._folders.work / self._name.replace(":", "-")
        self._keep_work_dir()
        self._folders.sweep()
        self._setup = RunSetup(
            key=os.urandom(8).hex(),
            place=web["to"],
            config=nova,
            params=SolveParams(timeout_s=nova["timeout_s"]),
            outputs=BatchOutputs(),
            keep=KEEP_ALL,
            jobs_dir=str(self._folders.jobs),
            work_dir=str(self._work_dir),
        )
        self._executor: Executor = open_executor(kind, self._setup, workers, address)
        self._held: dict[Future[TaskOutcome], Claim] = {}
        self._fetching: dict[Future[Path], Claim] = {}
        self._fetch = Fetch(web)
        self._next_beat_s = 0.0
        self._waits_for_database = False

    def run(self, stops: Callable[[], int]) -> None:
        """Work until ``stops`` returns how often the user has asked to stop.

        If asked once, the jobs that run are finished first; if asked again, they go back to the queue.

        Raises
        ------
        UnavailableError
            If no worker can be started.
        ExecutorGoneError
            If no worker is left.
        """
        try:
            while (asked := stops()) == 0 or (asked == 1 and (self._held or self._fetching)):
                with self._patience():
                    self._turn(takes_more=asked == 0)
                time.sleep(_POLL_S if self._held or self._fetching else _IDLE_POLL_S)
        finally:
            self._close()

    def _turn(self, *, takes_more: bool) -> None:
        self._executor.watch()
        for future in [future for future in self._held if future.done()]:
            self._finish(future)
        for fetched in [future for future in self._fetching if future.done()]:
            self._finish_fetch(fetched)
        if time.monotonic() >= self._next_beat_s:
            self._beat()
        if takes_more:
            for claim in queue.claim(self._name, self._executor.workers - len(self._held) - len(self._fetching)):
                self._submit(claim)

    def _submit(self, claim: Claim) -> None:
        try:
            image = UserImage.objects.select_related("submission", "blob").get(jobs=claim.job_id)
            if image.blob is None:
                self._fetching[in_thread(self._fetch.download, image.submission.url)] = claim
                return
            task = self._task(image)
        except (NovaError, OSError, ValueError, ObjectDoesNotExist) as exc:
            reason = getattr(exc, "strerror", None) or str(exc)  # the text of an OSError has the path
            queue.finish(claim, Ending(JobState.FAILED, "error", error_message=f"the upload cannot be read: {reason}"))
            return
        (future,) = self._executor.submit([task], 0)
        self._held[future] = claim

    def _task(self, image: UserImage) -> FrameTask:
        """Return the task of an image; the limits of the service apply in place of missing ones."""
        params = SolveParams.from_json({"timeout_s": self._setup.params.timeout_s, **image.submission.params})
        return FrameTask(self._setup_with(params), frame_at(str(self._path_of(image)), None))

    def _path_of(self, image: UserImage) -> Path:
        return self._folders.blob("" if image.blob is None else image.blob.sha256)

    def _finish_fetch(self, future: Future[Path]) -> None:
        """Store what was fetched, and solve it.  If the database fails, the future stays and is asked again."""
        claim = self._fetching[future]
        try:
            path = future.result()
            submission = Submission.objects.get(images__jobs=claim.job_id)
            with path.open("rb") as stream:
                complete(submission, iter(lambda: stream.read(_CHUNK_BYTES), b""))
            path.unlink()
        except (NovaError, OSError, ObjectDoesNotExist) as exc:
            reason = printable_line(getattr(exc, "strerror", None) or str(exc))
            queue.finish(claim, Ending(JobState.FAILED, "error", error_message=reason[:_MAX_MESSAGE]))
        else:
            self._submit(claim)
        del self._fetching[future]

    def _setup_with(self, params: SolveParams) -> RunSetup:
        values = {name: getattr(self._setup, name) for name in RunSetup.__annotations__}
        return RunSetup(**{**values, "params": params})

    def _finish(self, future: Future[TaskOutcome]) -> None:
        """Store the result of a task.  If the database fails, the future stays and is asked again."""
        claim = self._held[future]
        try:
            outcome = self._executor.collect(future)
        except (WorkerLostError, TaskHungError):
            queue.retry(claim)
        except NovaError as exc:
            queue.finish(claim, Ending(JobState.FAILED, "error", error_message=printable_line(str(exc))[:_MAX_MESSAGE]))
        else:
            self._publish(claim, outcome.result)
        del self._held[future]

    def _publish(self, claim: Claim, result: Result | None) -> None:
        """End a job with its result; remove the job directory if another worker has the job by now."""
        ending = ending_of(result, self._without_paths(claim))
        if not self._store(claim, ending) and ending.directory:
            shutil.rmtree(self._folders.jobs / ending.directory, ignore_errors=True)

    def _without_paths(self, claim: Claim) -> Callable[[str], str]:
        """Return a function that replaces the path of an upload by the name that the client gave."""
        image = UserImage.objects.select_related("blob").filter(jobs=claim.job_id).first()
        if image is None:  # an administrator has removed it
            return str
        path, name = str(self._path_of(image)), image.original_name
        return lambda text: text.replace(path, name)

    def _store(self, claim: Claim, ending: Ending) -> bool:
        """Store how a job ended; return False if its result cannot be kept."""
        try:
            return queue.finish(claim, ending)
        except _DATABASE_GONE:
            raise
        except (DatabaseError, ValueError) as exc:  # such as NaN, or a NUL in a text: the next job may be better
            _LOG.error("the result of job %s cannot be stored: %s", claim.job_id, _first_line(exc))
            queue.finish(claim, Ending(JobState.FAILED, "error", error_message="the result cannot be stored"))
            return False

    def _beat(self) -> None:
        """Prolong the leases, and forget the jobs that were cancelled or taken by another worker."""
        kept = queue.beat([*self._held.values(), *self._fetching.values()])
        self._next_beat_s = time.monotonic() + _BEAT_S
        self._keep_work_dir()
        for future in [future for future, claim in self._held.items() if claim.job_id not in kept]:
            future.cancel()
        for fetching in [future for future, claim in self._fetching.items() if claim.job_id not in kept]:
            del self._fetching[fetching]

    def _keep_work_dir(self) -> None:
        """Make the folder of the jobs in progress if it is missing, and show that a worker uses it."""
        with contextlib.suppress(OSError):  # such as a full disk: the jobs say so
            self._work_dir.mkdir(mode=0o700, exist_ok=True)
            os.utime(self._work_dir)

    @contextlib.contextmanager
    def _patience(self) -> Iterator[None]:
        """Wait a while if the database is gone, in place of ending: its jobs are finished when it is back."""
        try:
            yield
        except _DATABASE_GONE as exc:
            if not self._waits_for_database:
                _LOG.error("the database cannot be used: %s: waiting for it", _first_line(exc))
            self._waits_for_database = True
            close_old_connections()
            time.sleep(_DATABASE_PAUSE_S)
        else:
            self._waits_for_database = False

    def _close(self) -> None:
        self._executor.close()
        with contextlib.suppress(*_DATABASE_GONE):
            queue.release([*self._held.values(), *self._fetching.values()])
        shutil.rmtree(self._work_dir, ignore_errors=True)


def ending_of(result: Result | None, without_paths: Callable[[str], str]) -> Ending:
    """Return how a job ends with a result.

    Parameters
    ----------
    result
        The result of the solve, None if the worker returned none.
    without_paths
        Replaces the path of the upload in a message by the name that the client gave.
    """
    if result is None:
        return Ending(JobState.FAILED, "error", error_message="the solve left no result")
    directory = Path(result.files["directory"]).name if "directory" in result.files else ""
    size = None if result.source is None else (result.source.width, result.source.height)
    if result.status == SOLVED and result.calibration is not None:
        match = result.match
        return Ending(
            JobState.SOLVED,
            directory=directory,
            size=size,
            calibration=result.calibration,
            log_odds=None if match is None else match.logodds,
            matched=None if match is None else match.n,
        )
    if result.status == UNSOLVED:
        return Ending(JobState.FAILED, result.reason or "", directory, size=size)
    message = "" if result.error is None else without_paths(result.error.message)
    return Ending(JobState.FAILED, "error", directory, printable_line(message)[:_MAX_MESSAGE], size)


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0]
