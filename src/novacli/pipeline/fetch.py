"""Bring the results of jobs that were left at other places into their job directories.

A fetched job directory is as a solve on this machine would have left it.  The place is told to remove a job only after
its result is safe here, so a fetch that is interrupted at any moment can be repeated.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from novacli import backends
from novacli.backends.base import FAILED as FAILED_THERE
from novacli.backends.base import (
    INTERRUPTED,
    LOST,
    SOLVED,
    UNSOLVED,
    JobKeeper,
    RemoteState,
    UnusableReplyError,
)
from novacli.config import Config
from novacli.errors import InternalError, NovaError, OutputError, RetryLaterError
from novacli.jobs.remote import RemoteJob, read_remote
from novacli.jobs.request import JobRequest, read_request
from novacli.pipeline.conclude import conclude, files_of
from novacli.records.budget import Budget
from novacli.records.progress import SILENT, Progress
from novacli.records.result import Result, error_of
from novacli.records.status import FAILED
from novacli.records.timing import Timing
from solvehost.formats.jobdir import RESULT, JobDir
from solvehost.record import record

#: A job that a place has lost this many times is not sent again.
_MAX_TIMES_SENT = 3


@record
class FetchOutcome:
    """The outcome for one job: its ``result``, the ``error`` that prevented it, or the ``state`` it is still in."""

    job: JobDir
    place: str
    state: str = ""
    result: Result | None = None
    error: NovaError | None = None


def fetch_jobs(
    jobs: Sequence[JobDir], config: Config, budget: Budget, progress: Progress = SILENT
) -> Iterator[FetchOutcome]:
    """Yield the outcome for each job, place by place; each place is asked once which jobs it has.

    A job that its place has lost, or that was interrupted there, is sent again from its star lists.

    Parameters
    ----------
    jobs
        The job directories; those that were left nowhere are skipped.
    config
        The settings.
    budget
        The limits of the fetch.
    progress
        What hears of each step and may cancel.
    """
    by_keeper: dict[JobKeeper, list[RemoteJob]] = {}
    for job in jobs:
        try:
            remote = read_remote(job)
            if remote is not None:
                by_keeper.setdefault(backends.of_job(remote, config), []).append(remote)
        except NovaError as exc:
            yield FetchOutcome(job, "", error=exc)
    for keeper, remotes in by_keeper.items():
        yield from _fetch_from(keeper, remotes, budget, progress)


def _fetch_from(
    keeper: JobKeeper, remotes: Sequence[RemoteJob], budget: Budget, progress: Progress
) -> Iterator[FetchOutcome]:
    try:
        states = keeper.states(remotes, budget, progress)
    except NovaError as exc:
        yield from (FetchOutcome(remote.job, remote.place, error=exc) for remote in remotes)
        return
    for remote, state in zip(remotes, states, strict=True):
        yield _settle(keeper, remote, state, budget, progress)


def _settle(
    keeper: JobKeeper, remote: RemoteJob, state: RemoteState, budget: Budget, progress: Progress
) -> FetchOutcome:
    """Do what the state of a job requires; after an error the job is as before, for the next fetch."""
    try:
        with contextlib.ExitStack() as lock:
            try:
                lock.enter_context(remote.job.locked())
            except RetryLaterError:  # another process works on the job; a busy server is an error
                return FetchOutcome(remote.job, remote.place, state="running")
            if read_remote(remote.job) != remote:
                return FetchOutcome(remote.job, remote.place, state="changed")
            return _settle_locked(keeper, remote, state, budget, progress)
    except NovaError as exc:
        return FetchOutcome(remote.job, remote.place, error=exc)
    except OSError as exc:
        error = OutputError(f"{remote.job.path}: {exc.strerror or exc}: the result cannot be written there")
        return FetchOutcome(remote.job, remote.place, error=error)


def _settle_locked(
    keeper: JobKeeper, remote: RemoteJob, state: RemoteState, budget: Budget, progress: Progress
) -> FetchOutcome:
    known = remote.job.read_json(RESULT)
    if known is not None:  # an earlier fetch was interrupted after it had written the result
        result = Result.from_json(known)
    elif state.state in (LOST, INTERRUPTED):
        return _send_again(keeper, remote, state.state, budget, progress)
    elif state.state == FAILED_THERE:
        result = _fail(remote, state.error or InternalError(f"{remote.place}: the job failed there"))
    elif state.state in (SOLVED, UNSOLVED):
        result = _fetch_result(keeper, remote, budget, progress)
    else:
        return FetchOutcome(remote.job, remote.place, state=state.state)
    if state.state != LOST:
        _remove_there(keeper, remote, progress)
    remote.forget()
    return FetchOutcome(remote.job, remote.place, state=result.status, result=result)


def _fetch_result(keeper: JobKeeper, remote: RemoteJob, budget: Budget, progress: Progress) -> Result:
    """Fetch the files of a finished job and write its ``result.json``; a reply that is no result fails the job."""
    try:
        solve = keeper.fetch(remote, budget, progress)
    except UnusableReplyError as exc:
        return _fail(remote, exc)
    race = solve.race
    result, _ = conclude(remote.job, _request(remote), replace(solve, notes=(*remote.notes, *solve.notes)))
    timing = Timing(total_s=race.seconds, solve_s=race.seconds).with_race(race)
    result = replace(result, timing=timing)
    remote.job.write_json(RESULT, result.to_json())
    return result


def _fail(remote: RemoteJob, error: NovaError) -> Result:
    """Write the ``result.json`` of a job that failed."""
    draft = _request(remote).draft(remote.job)
    failed = replace(
        draft,
        status=FAILED,
        error=error_of(type(error)(f"{draft.input}: {error}")),
        server=remote.place,
        notes=(*draft.notes, *remote.notes),
        timing=Timing(total_s=0.0),
        files=files_of(remote.job),
    )
    remote.job.write_json(RESULT, failed.to_json())
    return failed


def _request(remote: RemoteJob) -> JobRequest:
    return read_request(remote.job) or JobRequest()


def _send_again(keeper: JobKeeper, remote: RemoteJob, reason: str, budget: Budget, progress: Progress) -> FetchOutcome:
    if remote.times_sent >= _MAX_TIMES_SENT:
        error = InternalError(f"{remote.place}: it lost the job {remote.times_sent} times: try nova retry --to another")
        result = _fail(remote, error)
        remote.forget()
        return FetchOutcome(remote.job, remote.place, state=result.status, result=result)
    state = keeper.detach_again(remote, budget, progress)
    remote.sent_again(f"{remote.place} had {reason} the job; it was sent again").write()
    return FetchOutcome(remote.job, remote.place, state=state)


def _remove_there(keeper: JobKeeper, remote: RemoteJob, progress: Progress) -> None:
    """Have the place remove a job; a failure does no harm, since places remove old jobs by themselves."""
    try:
        keeper.remove(remote)
    except NovaError as exc:
        progress.observe(f"{remote.place}: the job could not be removed there: {exc}")
