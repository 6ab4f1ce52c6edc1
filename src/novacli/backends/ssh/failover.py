"""Try one server after the other, the least busy first, until one does what it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from novacli.backends.ssh.exit_codes import PASSED_ON, is_temporary
from novacli.backends.ssh.limits import check_limits
from novacli.backends.ssh.retrying import patiently
from novacli.backends.ssh.server import Server
from novacli.backends.ssh.server_pool import KnownServer, ServerPool, joined
from novacli.errors import NovaError
from novacli.records.budget import Budget
from novacli.records.progress import SILENT, Progress

T = TypeVar("T")


class Failover:
    """The servers that one job may go to, and those that have failed it so far.

    A server that is busy or out of reach is tried again with the others after a pause.  A server that failed in any
    other way is not tried again for this job.
    """

    def __init__(self, pool: ServerPool, budget: Budget, progress: Progress = SILENT) -> None:
        self._pool = pool
        self._budget, self._progress = budget, progress
        self._errors: dict[Server, NovaError] = {}
        self._given_up: set[Server] = set()

    def run(self, action: Callable[[KnownServer], T]) -> tuple[T, Server]:
        """Return what ``action`` returned, and the server on which it succeeded.

        Raises
        ------
        NovaError
            If it failed on all servers; the message names the error of each.
        """
        try:
            return patiently(lambda: self._try_all(action), self._budget, self._progress)
        except PASSED_ON as exc:
            message = str(exc)
            others = [str(error) for error in (*self._errors.values(), *self._pool.errors.values())]
            parts = [message, *(other for other in others if other not in message)]
            raise type(exc)("; ".join(dict.fromkeys(parts))) from exc

    def _try_all(self, action: Callable[[KnownServer], T]) -> tuple[T, Server]:
        errors: dict[Server, NovaError] = {}
        for known in self._pool.in_order():
            if known.server in self._given_up:
                continue
            check_limits(self._budget, self._progress)
            try:
                return action(known), known.server
            except PASSED_ON as exc:
                errors[known.server] = exc
                self._note_error(known.server, exc)
        raise joined([*errors.values(), *self._unreached(errors)] or list(self._errors.values()))

    def _note_error(self, server: Server, error: NovaError) -> None:
        self._errors[server] = error
        if not is_temporary(error):
            self._pool.forget(server)
            self._given_up.add(server)
        self._progress.observe(str(error))

    def _unreached(self, errors: dict[Server, NovaError]) -> list[NovaError]:
        asked = {server.name for server in errors}
        return [error for name, error in self._pool.errors.items() if name not in asked]

    def notes(self, server: Server | None) -> tuple[str, ...]:
        """Return a remark on each server that failed.

        Parameters
        ----------
        server
            The server that did it in the end; None if none did.
        """
        if server is None:
            return tuple(str(error) for error in self._errors.values())
        by_name = self._pool.errors | {failed.name: error for failed, error in self._errors.items()}
        return tuple(
            f"{error}; {'asked it again' if name == server.name else f'asked {server.name} instead'}"
            for name, error in by_name.items()
        )
