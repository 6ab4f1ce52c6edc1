"""The web backend: solves at one service, and looks after jobs that were left there."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence

from novacli.backends.base import (
    FAILED,
    LOST,
    RUNNING,
    SOLVED,
    UNSOLVED,
    DetachOutcome,
    RemoteState,
    SolveOutcome,
)
from novacli.backends.web.client import ApiClient, StoppedError, Waits
from novacli.backends.web.keys import find_key
from novacli.backends.web.request import upload_request
from novacli.backends.web.services import Service
from novacli.backends.web.solving import ENDED, WebSolve
from novacli.backends.web.uploads import Upload, number_of
from novacli.config import Config
from novacli.errors import InputMissingError, NovaError, RetryLaterError, UsageError
from novacli.jobs.remote import RemoteJob, StoredJob, damaged_remote, new_remote
from novacli.records.budget import Budget
from novacli.records.progress import SILENT, Progress
from novacli.text.printable import printable_line
from solvehost.formats.jobdir import JobDir
from solvehost.indexes.index_file import IndexFile

KIND = "web"
_ANSWER_S = 60.0
_MAX_LISTED = 50


class WebBackend:
    """A web service; a ``Backend`` and a ``JobKeeper``."""

    def __init__(self, service: Service, config: Config) -> None:
        self.name = service.name
        self._service, self._config = service, config

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WebBackend) and self._service.url == other._service.url

    def __hash__(self) -> int:
        return hash(self._service.url)

    @functools.cached_property
    def _client(self) -> ApiClient:
        return ApiClient(self._service, lambda: find_key(self._service, self._config))

    def _solve_of(self, job: JobDir) -> WebSolve:
        request = upload_request(job, self._config)
        return WebSolve(self._client, job, request, Upload(self._service, request.digest, self._config))

    # --- Backend ---------------------------------------------------------------------------------------------------

    def index_files(self) -> Sequence[IndexFile] | None:
        """Return None: services do not tell which index files they have.

        Raises
        ------
        DeniedError
            If there is no API key for the service, so that no job is prepared in vain.
        """
        find_key(self._service, self._config)
        return None

    def notes(self) -> Sequence[str]:
        """Return nothing."""
        return ()

    def solve(
        self, job: JobDir, numbers: Iterator[int | None], budget: Budget, progress: Progress = SILENT
    ) -> SolveOutcome:
        """Solve the first star list at the service, which makes attempts of its own."""
        del numbers
        return self._solve_of(job).run(budget, progress)

    # --- JobKeeper -------------------------------------------------------------------------------------------------

    def check_detach(self) -> None:
        """Raise if there is no API key for the service."""
        find_key(self._service, self._config)

    def detach(
        self, job: JobDir, numbers: Iterator[int | None], budget: Budget, progress: Progress = SILENT
    ) -> DetachOutcome:
        """Upload a job, to be fetched later."""
        del numbers
        remote = new_remote(job, KIND, self.name, {"url": self._service.url})
        remote.write()
        self._send(job, budget, progress)
        return DetachOutcome(self.name)

    def detach_again(self, remote: RemoteJob, budget: Budget, progress: Progress = SILENT) -> str:
        """Upload a job again that the service has lost."""
        self._send(remote.job, budget, progress)
        return RUNNING

    def _send(self, job: JobDir, budget: Budget, progress: Progress) -> int:
        try:
            return self._solve_of(job).send(budget, progress)
        except StoppedError as exc:
            raise RetryLaterError(f"{self.name}: it did not take the job in time: run nova fetch later") from exc

    def states(self, remotes: Sequence[RemoteJob], budget: Budget, progress: Progress = SILENT) -> list[RemoteState]:
        """Return the state of each job."""
        return [self._state(remote, budget, progress) for remote in remotes]

    def _state(self, remote: RemoteJob, budget: Budget, progress: Progress) -> RemoteState:
        try:
            number = self._send(remote.job, budget, progress)
            word = self._call(f"jobs/{number}", budget, progress).get("status")
        except InputMissingError:
            self._upload_of(remote).forget()
            return RemoteState(LOST)
        except RetryLaterError:
            raise
        except NovaError as exc:
            return RemoteState(FAILED, exc)
        is_solved = ENDED.get(word) if isinstance(word, str) else None
        return RemoteState(RUNNING if is_solved is None else SOLVED if is_solved else UNSOLVED)

    def _call(self, endpoint: str, budget: Budget, progress: Progress) -> dict[str, object]:
        try:
            return self._client.patiently(lambda: self._client.call(endpoint), budget.at_most(_ANSWER_S), progress)
        except StoppedError as exc:
            raise RetryLaterError(f"{self.name}: asking it was cancelled") from exc

    def _upload_of(self, remote: RemoteJob) -> Upload:
        return Upload(self._service, upload_request(remote.job, self._config).digest, self._config)

    def fetch(self, remote: RemoteJob, budget: Budget, progress: Progress = SILENT) -> SolveOutcome:
        """Put the result of a job into its job directory."""
        return self._solve_of(remote.job).run(budget, progress)

    def log(self, remote: RemoteJob, *, follow: bool) -> Iterator[str]:
        """Yield the log of a job; services show it when the job has ended."""
        budget = Budget() if follow else Budget.of_seconds(_ANSWER_S)
        number, waits = self._send(remote.job, budget, SILENT), Waits(budget)
        while follow and self._call(f"jobs/{number}", budget, SILENT).get("status") not in ENDED:
            waits.wait()
        text = self._client.patiently(lambda: self._client.log(number), budget).decode("utf-8", "replace")
        yield from (printable_line(line) for line in text.splitlines())

    def cancel(self, remote: RemoteJob) -> str:
        """End a job there, if the service can; nova-web can."""
        number = self._known_number(remote)
        try:
            self._call(f"jobs/{number}/cancel", Budget.of_seconds(_ANSWER_S), SILENT)
        except InputMissingError as exc:
            self._call(f"jobs/{number}", Budget.of_seconds(_ANSWER_S), SILENT)  # raises if there is no such job
            raise UsageError(f"{self.name}: it cannot cancel jobs") from exc
        return UNSOLVED

    def _known_number(self, remote: RemoteJob) -> int:
        known = self._upload_of(remote).read()
        if known is None or known.job is None:
            raise damaged_remote(remote.job)
        return known.job

    def remove(self, remote: RemoteJob) -> None:
        """Delete the submission there, if the service can, as nova-web can, and its record on this machine."""
        upload = self._upload_of(remote)
        known = upload.read()
        upload.forget()
        if known is not None and known.submission is not None:
            with contextlib.suppress(InputMissingError):
                self._call(f"submissions/{known.submission}/delete", Budget.of_seconds(_ANSWER_S), SILENT)

    def stored_jobs(self) -> Iterator[tuple[str, list[StoredJob]]]:
        """Yield the service with the newest jobs of the user there."""
        budget = Budget.of_seconds(_ANSWER_S)
        jobs = self._call("myjobs", budget, SILENT).get("jobs")
        numbers = [number for job in jobs if (number := number_of(job)) is not None] if isinstance(jobs, list) else []
        yield self.name, [self._stored(number, budget) for number in sorted(numbers, reverse=True)[:_MAX_LISTED]]

    def _stored(self, number: int, budget: Budget) -> StoredJob:
        word = self._call(f"jobs/{number}", budget, SILENT).get("status")
        is_solved = ENDED.get(word) if isinstance(word, str) else None
        return StoredJob(str(number), RUNNING if is_solved is None else SOLVED if is_solved else UNSOLVED)
