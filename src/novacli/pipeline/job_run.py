"""One job under its lock: run the race or leave it with a server, then write the result.

A run ends in one of three ways: ``result.json`` is written last; an error is written as a failed ``result.json``; or
the process dies, and the job is seen as interrupted, since nothing holds its lock any more.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import field, replace

from novacli.backends.base import Detach
from novacli.errors import InternalError, NovaError, OutputError, fault_text
from novacli.jobs.request import JobRequest
from novacli.jobs.source_digest import digest_recorded
from novacli.pipeline.conclude import conclude, files_of
from novacli.pipeline.context import Context, Solved
from novacli.records.budget import Budget
from novacli.records.result import error_of
from novacli.records.status import FAILED, REMOTE
from novacli.records.timing import Clock
from solvehost.formats.jobdir import RESULT, JobDir
from solvehost.indexes.index_file import IndexFile
from solvehost.record import record

#: A job whose time limit has passed while it was prepared still gets this long.
_LEAST_S = 1.0


@record
class JobRun:
    """A job that has its directory and its first star list.

    Attributes
    ----------
    job
        Its directory.
    request
        Its ``job.json``.
    numbers
        Numbers of its attempts; the star list of each is written before its number is yielded, and None is
        yielded as long as it is being prepared.  Closed after the race, which ends the process that prepares them.
    context
        Where it runs, with which limits.
    lock
        Holds the job's lock while it is entered.
    clock
        Measures its steps.
    """

    job: JobDir
    request: JobRequest
    numbers: Generator[int | None]
    context: Context
    lock: AbstractContextManager[object]
    clock: Clock = field(default_factory=Clock)

    def solve(self) -> Solved:
        """Run the race of a new job and write the result.

        Raises
        ------
        NovaError
            If another process holds the lock, or the lock cannot be opened.
        """
        with self._locked():
            try:
                with digest_recorded(self.job, self.request):
                    return self._race()
            except Exception as exc:
                return self._fail(exc)

    def solve_again(self) -> Solved:
        """Remove the results of an earlier run, run the race and write the result.

        Raises
        ------
        NovaError
            As :meth:`solve`.
        """
        with self._locked():
            try:
                self.job.clear_results()
                return self._race()
            except Exception as exc:
                return self._fail(exc)

    def detach(self, leave: Detach) -> Solved:
        """Leave the job with a server by ``leave``; the result is remote.

        Raises
        ------
        NovaError
            As :meth:`solve`.
        """
        with self._locked():
            try:
                with digest_recorded(self.job, self.request):
                    return self._leave(leave)
            except Exception as exc:
                return self._fail(exc)

    def _race(self) -> Solved:
        with contextlib.closing(self.numbers) as numbers:
            solve = self.context.backend.solve(self.job, numbers, self._budget(), self.context.progress)
        self.clock.lap("solve_s")
        result, answer = conclude(self.job, self.request, solve, self._index_files())
        self.clock.lap("result_s")
        result = replace(result, timing=self.clock.timing().with_race(solve.race))
        self.job.write_json(RESULT, result.to_json())
        return Solved(result, answer, winner=solve.race.winner or 1)

    def _index_files(self) -> Sequence[IndexFile] | None:
        """Return the index files of the place; None if it does not answer any more."""
        with contextlib.suppress(NovaError):
            return self.context.backend.index_files()
        return None

    def _leave(self, leave: Detach) -> Solved:
        with contextlib.closing(self.numbers) as numbers:
            sent = leave(self.job, numbers, self._budget(), self.context.progress)
        self.clock.lap("send_s")
        draft = self.request.draft(self.job)
        notes = (*draft.notes, *sent.notes)
        timing, files = self.clock.timing(), files_of(self.job)
        return Solved(replace(draft, status=REMOTE, server=sent.server, notes=notes, timing=timing, files=files))

    def _budget(self) -> Budget:
        return self.context.budget.at_most(max(_LEAST_S, self.request.timeout_s - self.clock.elapsed_s))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with self.lock:
                yield
        except OSError as exc:
            raise OutputError(f"{self.job.path}: {exc.strerror or exc}: the job cannot be worked on there") from exc

    def _fail(self, exc: Exception) -> Solved:
        """Write a failed result, which names the input: the code that runs engines does not know it.

        Star lists stay, so that the job can be tried again.
        """
        error = self._as_nova_error(exc)
        failed = replace(
            self.request.draft(self.job),
            status=FAILED,
            error=error_of(error),
            timing=self.clock.timing(),
            files=files_of(self.job),
        )
        self.job.write_json(RESULT, failed.to_json())
        if isinstance(error, InternalError) and error.__cause__ is exc and os.environ.get("NOVA_DEBUG"):
            raise exc
        return Solved(failed, error=error)

    def _as_nova_error(self, exc: Exception) -> NovaError:
        if isinstance(exc, NovaError):
            error = exc
        elif isinstance(exc, OSError):
            error = OutputError(f"{self.job.path}: {exc.strerror or exc}: the job cannot be kept there")
        else:
            error = InternalError(fault_text(exc))
            error.__cause__ = exc
        shown = f"{self.request.input}: "
        if str(error).startswith(shown):
            return error
        named = type(error)(f"{shown}{error}")
        named.__cause__ = error.__cause__
        return named
