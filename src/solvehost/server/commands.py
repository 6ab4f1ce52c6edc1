"""The protocol's commands other than ``solve``, one function each: what the server is, and the client's stored jobs.

Modules that only one of them needs are imported there, since clients often ask for ``info``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from solvehost import __version__
from solvehost.errors import InputMissingError, NovaError, RetryLaterError, by_exit_code
from solvehost.formats.jobdir import MANIFEST
from solvehost.indexes.index_file import IndexFile
from solvehost.server.engine_setup import EngineSetup
from solvehost.server.state_dir import StateDir
from solvehost.server.stdio import AnswerWriter, PeerMonitor
from solvehost.server.stored_job import StoredJob, read_files
from solvehost.wire import PROTOCOL
from solvehost.wire.command import FOLLOW, Command
from solvehost.wire.escaping import escape_lines
from solvehost.wire.json_lines import (
    FAILED,
    FINISHED_STATES,
    INTERRUPTED,
    REMOVED,
    RUNNING,
    WAITING,
    IndexLine,
    Info,
    write_line,
)

#: How long ``cancel`` waits for the engines to end before it answers, in seconds.
_CANCEL_S = 2.0
_POLL_S = 0.05


def answer(command: Command, state: StateDir, writer: AnswerWriter, peer: PeerMonitor) -> None:
    """Write the answer to a command.

    Parameters
    ----------
    command
        Any command but ``solve``.
    state
        The state directory.
    writer
        Where to write the answer.
    peer
        Tells whether the client is still connected; ``log --follow`` ends if it is not.

    Raises
    ------
    NovaError
        If there is no answer; for example, if the job does not exist.
    """
    try:
        writer.write(_COMMANDS[command.verb](command, state, peer))
    except FileNotFoundError as exc:
        if not command.job_id or state.client().job(command.job_id).exists:
            raise
        raise _no_such_job(command) from exc  # another command of this client removed the job at the same time


def _info(_command: Command, state: StateDir, _peer: PeerMonitor) -> Iterator[bytes]:
    settings = state.settings
    setup = EngineSetup(settings)
    limits = {
        "wall_s": settings.max_wall, "cpu_s": settings.max_cpu, "queue_wait_s": settings.queue_wait,
        "running": state.client().max_running(), "waiting": settings.max_waiting,
        "stored_mb": settings.max_stored_mb, "keep_days": settings.keep,
    }  # fmt: skip
    yield write_line(
        Info(
            protocols=(PROTOCOL,),
            version=__version__,
            client=settings.client,
            slots=settings.slots,
            running=state.slots().count_held(),
            waiting=state.count_waiting(),
            sandbox=setup.is_confined,
            limits=limits,
            indexes=tuple(_index_line(file) for file in setup.indexes.files),
        )
    )


def _index_line(file: IndexFile) -> IndexLine:
    low, high = file.quads_arcmin
    return IndexLine(file.path.name, file.index_id, file.healpix, file.nside, low, high, file.stars, file.quads,
                     file.size_bytes)  # fmt: skip


def _jobs(_command: Command, state: StateDir, _peer: PeerMonitor) -> Iterator[bytes]:
    state.client().sweep_if_due()
    for stored in state.client().stored():
        line = stored.line()
        if line.id:  # a job that is being removed, or is damaged, has no id
            yield write_line(line)


def _fetch(command: Command, state: StateDir, _peer: PeerMonitor) -> Iterator[bytes]:
    from solvehost.wire.reply import write_reply

    stored = _find(command, state)
    line = stored.line()
    if line.state == FAILED:
        raise by_exit_code(line.exit_code or NovaError.exit_code)(line.message or "the job failed")
    if line.state not in FINISHED_STATES:
        remedy = "send it again" if line.state == INTERRUPTED else "ask again later"
        raise RetryLaterError(f"job {command.job_id} is {line.state}: {remedy}")
    manifest = stored.job.read_json(MANIFEST)
    if manifest is None:
        raise RetryLaterError(f"job {command.job_id} is damaged: send it again")
    return write_reply(manifest, read_files(stored.job), mtime_s=int(stored.ended_s()))


def _log(command: Command, state: StateDir, peer: PeerMonitor) -> Iterator[bytes]:
    from solvehost.engine import live_log

    stored = _find(command, state)
    if command.option == FOLLOW:
        log = live_log.follow(stored.job, lambda: stored.state() in (RUNNING, WAITING))
    elif stored.job.log.exists():
        log = live_log.pieces(stored.job)
    else:
        log = live_log.so_far(stored.job)
    for piece in log:
        if peer.is_gone():
            return
        yield escape_lines(piece).encode("ascii")


def _cancel(command: Command, state: StateDir, _peer: PeerMonitor) -> Iterator[bytes]:
    stored = _find(command, state)
    stored.cancel()
    deadline = time.monotonic() + _CANCEL_S
    while stored.state() in (RUNNING, WAITING) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    yield write_line(stored.line())


def _rm(command: Command, state: StateDir, _peer: PeerMonitor) -> Iterator[bytes]:
    stored = _find(command, state)
    line = stored.line()
    if not stored.remove():
        raise RetryLaterError(f"job {command.job_id} is {line.state}: cancel it first")
    yield write_line(line._replace(state=REMOVED))


def _find(command: Command, state: StateDir) -> StoredJob:
    """Return the client's own job with the command's id; jobs of other clients do not exist for it."""
    stored = state.client().job(command.job_id)
    if not stored.exists:
        raise _no_such_job(command)
    return stored


def _no_such_job(command: Command) -> InputMissingError:
    return InputMissingError(f"there is no job {command.job_id}: it was never sent, or was removed")


_COMMANDS: dict[str, Callable[[Command, StateDir, PeerMonitor], Iterator[bytes]]] = {
    "info": _info, "jobs": _jobs, "fetch": _fetch, "log": _log, "cancel": _cancel, "rm": _rm,
}  # fmt: skip
