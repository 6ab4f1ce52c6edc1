"""The forced command: read one request from standard input, write one answer to standard output.

The steps are: read, check, wait for a turn, solve, reply.  If the request fails, standard output stays empty, standard
error gets one line, and the exit code tells the kind of failure.  A job takes a slot only after it was read completely,
so a slow upload delays no other job.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from solvehost.engine.descriptors import hold_standard
from solvehost.errors import CommandLineError, ConfigError, NovaError
from solvehost.server import settings, supervisor
from solvehost.server.stdio import STDIN, AnswerWriter, MessageWriter, PeerMonitor, RequestReader
from solvehost.wire.command import DETACH, SOLVE, Command, parse_command
from solvehost.wire.escaping import escape

if TYPE_CHECKING:
    from solvehost.engine.slots import Token
    from solvehost.server.request_log import LogEntry
    from solvehost.server.state_dir import ClientDir, StateDir
    from solvehost.wire.request import Request


def main(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Serve one request; return the exit code.  A plain ``solve`` returns in the worker, below two supervisors."""
    hold_standard()
    messages = MessageWriter()
    config = None
    try:
        loaded = settings.load(settings.parse_flags(words))
        _refuse_root(loaded)  # before a log exists that root owns, to which the server's user could not write
        config = loaded
        command = parse_command(environment.get("SSH_ORIGINAL_COMMAND"))
        if command.verb == SOLVE:
            _refuse_terminal()
        if command == Command(SOLVE):
            supervisor.enter_worker()
    except NovaError as exc:
        messages.write_message(escape(str(exc), 500))
        if config is not None:
            _log_refusal(exc, config, messages)
        return exc.exit_code
    _exit_on_signals()
    os.umask(0o077)
    return _RequestHandler(command, config, messages).run()


def _refuse_root(config: settings.Settings) -> None:
    if os.geteuid() == 0 and not config.allow_root:
        raise ConfigError(
            "the server runs as root, whom neither file modes nor limits stop: serve as a user without privileges "
            "(useradd --system --create-home --shell /bin/sh solve), or give --allow-root in a test"
        )


def _refuse_terminal() -> None:
    if os.isatty(STDIN):
        raise CommandLineError(
            "standard input is a terminal, but a job's id and star lists are read from it: see solvehost --help"
        )


def _log_refusal(exc: NovaError, config: settings.Settings, messages: MessageWriter) -> None:
    """Log a request that is not a valid command: many of them are a sign that someone probes what a key can do."""
    from solvehost.server import request_log

    entry = request_log.LogEntry(config.client, "-", exit_code=exc.exit_code, reason=str(exc))
    request_log.write(entry.line(), config.log, messages)


def _exit_on_signals() -> None:
    """Turn the first signal to stop into SystemExit, so that everything is cleaned up; ignore further ones."""
    stop_signals = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

    def stop(number: int, _frame: object) -> None:
        for other in stop_signals:
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in stop_signals:
        signal.signal(number, stop)


class _RequestHandler:
    """Handles one request, from its first byte to its exit code."""

    def __init__(self, command: Command, config: settings.Settings, messages: MessageWriter) -> None:
        self.command, self.config, self.messages = command, config, messages
        self.writer = AnswerWriter()
        self.peer = PeerMonitor()

    def run(self) -> int:
        """Handle the request, report a failure, log it, and return the exit code."""
        from solvehost.server import request_log

        verb = " ".join(w for w in (self.command.verb, self.command.option) if w)
        entry = request_log.LogEntry(self.config.client, verb.replace(" --", "-"), self.command.job_id or "-")
        try:
            self._handle(entry)
        except NovaError as exc:
            entry.exit_code, entry.reason = exc.exit_code, str(exc)
            self.messages.write_message(escape(str(exc), 500))
        except SystemExit as exc:
            entry.exit_code, entry.result = int(exc.code or 0), "stopped"
        except Exception as exc:
            entry.exit_code, entry.reason = NovaError.exit_code, f"{type(exc).__name__}: {exc}"
            self.messages.write_message(f"a fault in solvehost itself: {escape(entry.reason, 300)}; please report it")
        if self.command.verb == SOLVE or entry.exit_code:
            request_log.write(entry.line(), self.config.log, self.messages)
        return entry.exit_code

    def _handle(self, entry: LogEntry) -> None:
        from solvehost.server.state_dir import StateDir

        state = StateDir(self.config).open()
        if self.command.option == DETACH:
            self._detach(state, entry)
            return
        from solvehost.engine.slots import hold

        with hold(state.client().connect()):  # until the peer has read the whole answer
            if self.command.verb == SOLVE:
                self._solve(state, entry)
                return
            from solvehost.server import commands

            commands.answer(self.command, state, self.writer, self.peer)
            entry.result = "done"

    def _solve(self, state: StateDir, entry: LogEntry) -> None:
        """Read a job, solve it, and reply; remove its directory in any case."""
        from solvehost.engine.slots import hold

        client = state.client()
        with hold([client.begin_waiting()]) as waiting, hold([]) as upload_places:
            request = self._read_request(entry, client, upload_places)
            # These imports take time, and reading the upload need not wait for them.
            from solvehost.formats import jobdir
            from solvehost.server.runner import JobRunner
            from solvehost.server.stored_job import record_owner
            from solvehost.wire.reply import write_reply

            state.check_room()
            state.sweep_stale()
            runner = JobRunner(state, self.messages, entry, upload_places)
            job = state.stage()
            try:
                with job.locked():
                    record_owner(job, client.name, request.job_id)
                    runner.rewrite_star_lists(request.axys, job)
                    runner.release_upload(request.axys)
                    runner.setup.check()
                    tokens = runner.wait_for_turn(client, self.config.queue_wait, self._raise_if_gone)
                    waiting.pop().release()
                    with hold(tokens[:-1]):
                        solved = runner.solve(job, request.job_id, tokens[-1], self._raise_if_gone)
                    reply = write_reply(solved.manifest, solved.files, mtime_s=int(time.time()))
            finally:
                jobdir.discard(job)
        self.writer.write(reply)

    def _detach(self, state: StateDir, entry: LogEntry) -> None:
        """Read a job, store it, start a process that solves it, and answer at once."""
        from solvehost.engine.slots import hold
        from solvehost.wire.json_lines import write_line

        client = state.client()
        with hold([client.begin_waiting()]) as waiting, hold([]) as upload_places:
            request = self._read_request(entry, client, upload_places)
            from solvehost.server import detached
            from solvehost.server.runner import JobRunner

            runner = JobRunner(state, self.messages, entry, upload_places)
            stored = detached.store(runner, client, request, waiting)
        entry.result = stored.state()
        self.writer.write([write_line(stored.line())])

    def _read_request(self, entry: LogEntry, client: ClientDir, upload_places: list[Token]) -> Request:
        """Read the request; if it is large, wait for a token first, and append it to ``upload_places``."""
        from solvehost.wire.request import read_request

        reader = RequestReader(on_large=lambda wait_s: upload_places.append(client.uploads().acquire(wait_s)))

        def record_id(job_id: str) -> None:
            reader.end_id_line()
            entry.job_id = job_id

        return read_request(reader.read, record_id)

    def _raise_if_gone(self) -> bool:
        """Raise TransferError if the client has disconnected; else return False (the race asks whether to stop)."""
        from solvehost.errors import TransferError

        if self.peer.is_gone():
            raise TransferError("the connection was lost before the job was done: send it again")
        return False
