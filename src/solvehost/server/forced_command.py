"""The forced command: one request from standard input, one answer to standard output, for whoever holds the key.

Read → check → wait for a turn → run → reply; on failure nothing on standard output, one line on standard error, and
the exit code.  A job that is sent does not hold a slot: it is read whole before it waits for one.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from solvehost.engine.descriptors import hold_standard
from solvehost.errors import SolvehostError, UsageError
from solvehost.server import settings, supervisor
from solvehost.server.stdio import STDIN, Answer, PeerWatch, Remarks, Upload
from solvehost.wire.command import DETACH, SOLVE, Command, parse_command
from solvehost.wire.escaping import escape

if TYPE_CHECKING:
    from solvehost.server.request_log import Entry
    from solvehost.server.state_dir import State
    from solvehost.wire.request import Request

INTERNAL = 70


def main(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Serve one request; return the exit code.  In a guarded chain of processes, this is the worker."""
    hold_standard()
    remarks = Remarks()
    config = None
    try:
        config = settings.load(settings.parse_flags(words))
        command = parse_command(environment.get("SSH_ORIGINAL_COMMAND"))
        if command.verb == SOLVE:
            _refuse_terminal()
        if command == Command(SOLVE):
            supervisor.enter()
    except SolvehostError as exc:
        remarks.say(escape(str(exc), 500))
        if config is not None:
            _log_refusal(exc, config, remarks)
        return exc.exit_code
    _stop_on_signals()
    os.umask(0o077)
    return _Session(command, config, remarks).run()


def _refuse_terminal() -> None:
    if os.isatty(STDIN):
        raise UsageError("a job's id and star lists are read from standard input, which is a terminal: "
                         "see solvehost --help")  # fmt: skip


def _log_refusal(exc: SolvehostError, config: settings.Settings, remarks: Remarks) -> None:
    """Tell the sysadmin of a request that was none: whoever tries what else a key can do sends many of them."""
    from solvehost.server import request_log

    request_log.write(
        request_log.Entry(config.client, "-", exit_code=exc.exit_code, reason=str(exc)).line(), config.log, remarks
    )


def _stop_on_signals() -> None:
    """Have a signal that asks to stop end this process by an exception, so that everything is cleaned up."""
    stops = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

    def stop(number: int, _frame: object) -> None:
        for other in stops:
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in stops:
        signal.signal(number, stop)


class _Session:
    """One request, from its first byte to its exit code."""

    def __init__(self, command: Command, config: settings.Settings, remarks: Remarks) -> None:
        self.command, self.config, self.remarks = command, config, remarks
        self.answer = Answer()
        self.peer = PeerWatch()

    def run(self) -> int:
        from solvehost.server import request_log

        verb = " ".join(w for w in (self.command.verb, self.command.option) if w)
        entry = request_log.Entry(self.config.client, verb.replace(" --", "-"), self.command.job_id or "-")
        try:
            self._serve(entry)
        except SolvehostError as exc:
            entry.exit_code, entry.reason = exc.exit_code, str(exc)
            self.remarks.say(escape(str(exc), 500))
        except SystemExit as exc:
            entry.exit_code, entry.result = int(exc.code or 0), "stopped"
        except Exception as exc:
            entry.exit_code, entry.reason = INTERNAL, f"{type(exc).__name__}: {exc}"
            self.remarks.say(f"a fault in solvehost itself: {escape(entry.reason, 300)}; please report it")
        if self.command.verb == SOLVE or entry.exit_code:
            request_log.write(entry.line(), self.config.log, self.remarks)
        return entry.exit_code

    def _serve(self, entry: Entry) -> None:
        from solvehost.server.state_dir import State

        state = State(self.config).open()
        if self.command.option == DETACH:
            self._detach(state, entry)
            return
        from solvehost.engine.slots import held

        with held(state.client().connect()):  # to its end: an answer takes as long as the peer takes to read it
            if self.command.verb == SOLVE:
                self._solve(state, entry)
                return
            from solvehost.server import commands

            commands.serve(self.command, state, self.answer, self.peer)
            entry.result = "done"

    def _solve(self, state: State, entry: Entry) -> None:
        """Read a job, solve it, reply; whatever happens, its directory goes."""
        from solvehost.engine.slots import held

        client = state.client()
        with held([client.enter()]) as waiting:
            request = self._read(entry)
            # Not before the upload, which need not wait for these.
            from solvehost.formats import jobdir
            from solvehost.server import runner
            from solvehost.server.stored_job import describe
            from solvehost.wire.reply import write_reply

            state.check_room()
            state.sweep_stale()
            host = runner.Host(self.config)
            job = jobdir.create(state.work)
            try:
                with job.locked():
                    describe(job, client.name, request.job_id)
                    runner.rebuild(request.axys, job, self.remarks, entry)
                    runner.forget(request.axys)
                    host.check()
                    tokens = runner.wait_for_turn(state, client, self.config.queue_wait, self._gone)
                    waiting.pop().release()
                    with held(tokens[:-1]):
                        watch = runner.Watch(job, self.remarks, self._gone)
                        solved = runner.solve(host, state, job, watch, tokens[-1], self.remarks, entry, request.job_id)
                    reply = write_reply(solved.manifest, solved.files, mtime_s=int(time.time()))
            finally:
                jobdir.discard(job)
        self.answer.write(reply)

    def _read(self, entry: Entry) -> Request:
        from solvehost.wire.request import read_request

        upload = Upload()

        def note(job_id: str) -> None:
            upload.line_is_read()
            entry.job_id = job_id

        return read_request(upload.read, note)

    def _gone(self) -> bool:
        """Stop where the peer is gone, and only then.

        Raises
        ------
        PeerError
            Where it is.
        """
        from solvehost.errors import PeerError

        if self.peer.is_gone():
            raise PeerError("the line was lost before the job was done: send it again")
        return False

    def _detach(self, state: State, entry: Entry) -> None:
        """Read a job, keep it, have a process of its own solve it, and answer at once."""
        from solvehost.engine.slots import held
        from solvehost.wire.json_lines import write_line

        client = state.client()
        with held([client.enter()]) as waiting:
            request = self._read(entry)
            from solvehost.server import detached

            stored = detached.store(state, client, request, waiting, self.remarks, entry)
        entry.result = stored.state()
        self.answer.write([write_line(stored.line())])
