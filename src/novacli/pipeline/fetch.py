"""What servers have solved, brought home into the job directories, as a solve on this machine would have left them.

The server forgets a job only after its result is safe here.  Whatever cuts a fetch short, the next one goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from novacli import errors
from novacli.backends.base import Solve
from novacli.backends.ssh import packing
from novacli.backends.ssh.command import Ssh
from novacli.backends.ssh.exit_codes import UnusableError, no_answer
from novacli.backends.ssh.gate import CancelledError, TimeUpError, Watch
from novacli.backends.ssh.remote_job import RemoteJob, forget_remote, read_remote, write_remote
from novacli.backends.ssh.retrying import patiently
from novacli.backends.ssh.server import Server
from novacli.backends.ssh.unpack import unpack
from novacli.errors import (
    InputMissingError,
    InternalError,
    NovaError,
    OutputError,
    from_solvehost,
)
from novacli.jobs.request import JobRequest, read_request
from novacli.pipeline.conclude import conclude, files_of
from novacli.records.result import FAILED, Result, error_of
from novacli.records.timing import Timing
from solvehost.errors import BusyError, SolvehostError
from solvehost.formats.jobdir import RESULT, JobDir
from solvehost.wire import JobLine
from solvehost.wire.json_lines import FAILED as FAILED_THERE
from solvehost.wire.json_lines import INTERRUPTED, SOLVED, UNSOLVED

#: How long one answer of a server is waited for.
ANSWER_S = 120.0
#: A server that loses a job as often as this does not get it again.
_MOST_SENDS = 3


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one job: its ``result``, or the ``error`` that kept it away, or the ``state`` it is still in."""

    job: JobDir
    server: str
    state: str = ""
    result: Result | None = None
    error: NovaError | None = None


@dataclass(frozen=True, slots=True)
class _Away:
    """A job that is with a server, as its record had it before the server was asked."""

    job: JobDir
    remote: RemoteJob


def fetch_jobs(jobs: Sequence[JobDir], ssh: Ssh, watch: Watch) -> Iterator[Fetched]:
    """Yield what came of each job, server by server; each server is asked once what it has.

    A job that its server does not have, or was interrupted there, is sent again from its star lists.
    """
    by_server: dict[Server, list[_Away]] = {}
    for job in jobs:
        try:
            remote = read_remote(job)
        except NovaError as exc:
            yield Fetched(job, "", error=exc)
            continue
        if remote is not None:
            by_server.setdefault(Server(remote.place, ssh), []).append(_Away(job, remote))
    for server, away in by_server.items():
        yield from _fetch_from(server, away, watch)


def _fetch_from(server: Server, away: Sequence[_Away], watch: Watch) -> Iterator[Fetched]:
    try:
        lines = {line.id: line for line in patiently(lambda: server.jobs(_answer(watch)), watch)}
    except (NovaError, TimeUpError) as exc:
        error = exc if isinstance(exc, NovaError) else no_answer(server.name)
        yield from (Fetched(each.job, server.name, error=error) for each in away)
        return
    for each in away:
        yield _settled(server, each, lines.get(each.remote.wire_id), watch)


def _answer(watch: Watch) -> Watch:
    limit = Watch.of_seconds(ANSWER_S)
    return replace(watch, deadline=min(watch.deadline, limit.deadline))


def _settled(server: Server, away: _Away, line: JobLine | None, watch: Watch) -> Fetched:
    """Do what a job's state there asks for; an error leaves the job as it is, for the next time."""
    try:
        with away.job.locked():
            if read_remote(away.job) != away.remote:
                return Fetched(away.job, server.name, state="changed")
            return _act(server, away, line, watch)
    except BusyError:
        return Fetched(away.job, server.name, state="running")
    except (NovaError, SolvehostError, TimeUpError, CancelledError, OSError) as exc:
        return Fetched(away.job, server.name, error=_as_nova_error(exc, server, away.job))


def _as_nova_error(exc: Exception, server: Server, job: JobDir) -> NovaError:
    if isinstance(exc, NovaError):
        return exc
    if isinstance(exc, SolvehostError):
        return from_solvehost(exc)
    if isinstance(exc, OSError):
        return OutputError(f"{job.path}: {exc.strerror or exc}: the job cannot be kept there")
    return no_answer(server.name)


def _act(server: Server, away: _Away, line: JobLine | None, watch: Watch) -> Fetched:
    known = away.job.read_json(RESULT)
    if known is not None:  # an earlier fetch was cut short after the result was safe
        result = Result.from_json(known)
    elif line is None or line.state == INTERRUPTED:
        return _send_again(server, away, "lost" if line is None else "interrupted", watch)
    elif line.state == FAILED_THERE:
        kind = errors.by_exit_code(line.exit_code or InternalError.exit_code)
        result = _fail(away, kind(f"{server.name}: {line.message or 'the job failed there'}"))
    elif line.state in (SOLVED, UNSOLVED):
        result = _bring(server, away, watch)
    else:
        return Fetched(away.job, server.name, state=line.state)
    if line is not None:
        _remove_there(server, away.remote.wire_id, watch)
    forget_remote(away.job)
    return Fetched(away.job, server.name, state=result.status, result=result)


def _bring(server: Server, away: _Away, watch: Watch) -> Result:
    """Fetch a reply, and make the job's result of it; one that cannot be used fails the job.

    A line that breaks, or ends in any other way than it should, leaves the job there for another time.
    """
    job, remote = away.job, away.remote
    try:
        reply = server.fetch(remote.wire_id, _answer(watch))
        race = unpack(job, remote.packet, reply, server.name)
    except UnusableError as exc:
        return _fail(away, exc)
    result, _ = conclude(job, Solve(race, server.name, remote.notes), _draft(away))
    timing = Timing(total_s=race.seconds, solve_s=race.seconds).with_race(race)
    result = replace(result, timing=timing)
    job.write_json(RESULT, result.to_json())
    return result


def _fail(away: _Away, error: NovaError) -> Result:
    draft = _draft(away)
    named = type(error)(f"{draft.input}: {error}")
    failed = replace(
        draft,
        status=FAILED,
        error=error_of(named),
        server=away.remote.place.name,
        notes=(*draft.notes, *away.remote.notes),
        timing=Timing(total_s=0.0),
        files=files_of(away.job),
    )
    away.job.write_json(RESULT, failed.to_json())
    return failed


def _draft(away: _Away) -> Result:
    return (read_request(away.job) or JobRequest()).draft(away.job)


def _send_again(server: Server, away: _Away, why: str, watch: Watch) -> Fetched:
    """Send a job once more, under its id, so that one which was there after all is not solved twice."""
    job, remote = away.job, away.remote
    if remote.times_sent >= _MOST_SENDS:
        lost = InternalError(f"{server.name}: it lost the job {remote.times_sent} times: try nova retry --to another")
        result = _fail(away, lost)
        forget_remote(job)
        return Fetched(job, server.name, state=result.status, result=result)
    packet = packing.pack(job, remote.numbers, remote.wire_id)
    line = server.detach(packet.request, _answer(watch))
    write_remote(job, remote.sent_again(f"{server.name} had {why} the job; it was sent again"))
    return Fetched(job, server.name, state=line.state)


def _remove_there(server: Server, wire_id: str, watch: Watch) -> None:
    """Have the server forget a job; if it does not, it will after some days."""
    try:
        server.rm(wire_id, _answer(watch))
    except InputMissingError:
        pass
    except (NovaError, TimeUpError) as exc:
        watch.observe(f"{server.name}: the job could not be removed there: {exc}")
