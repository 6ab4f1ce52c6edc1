"""Solve a job at a web service: upload its star list, wait, and put the result into the job directory."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from novacli.backends.base import SolveOutcome, UnusableReplyError
from novacli.backends.received import put_in_place
from novacli.backends.web.client import ApiClient, ServiceBusyError, StoppedError, Waits
from novacli.backends.web.request import UploadRequest
from novacli.backends.web.uploads import Upload, UploadState, number_of
from novacli.errors import InputMissingError, NovaError, RetryLaterError, UnavailableError
from novacli.records.budget import Budget
from novacli.records.progress import Progress
from solvehost.engine import records
from solvehost.engine.logs import label_of
from solvehost.engine.manifest import build_manifest
from solvehost.engine.records import AttemptOutcome, RaceResult
from solvehost.formats.jobdir import CORR, LOG, MANIFEST, RDLS, WCS, JobDir

#: What a service says of a job → True if it is solved.  All other words mean that it goes on.
ENDED = {"success": True, "failure": False}
_FILES = {WCS: "wcs_file", CORR: "corr_file", RDLS: "rdls_file"}
#: How many of the newest jobs are searched for an upload whose answer was lost.
_SEARCHED = 100
#: How often they are searched before the upload is sent again.
_LOOKS = 4


class WebSolve:
    """One solve at a service."""

    def __init__(self, client: ApiClient, job: JobDir, request: UploadRequest, upload: Upload) -> None:
        self._client, self._job, self._request, self._upload = client, job, request, upload

    def run(self, budget: Budget, progress: Progress) -> SolveOutcome:
        """Upload the job unless that was done before, wait for its end, and fetch the result.

        The record of a solved upload stays for some days, so that a process that is killed before the result is written
        does not upload the job again.

        Raises
        ------
        NovaError
            If the service cannot be used.
        """
        began = time.monotonic()
        name = self._client.service.name
        try:
            number, is_solved = self._wait_for_end(budget, progress)
            race = self.fetch(number, budget, progress) if is_solved else self._unsolved(number, budget, progress)
        except StoppedError as exc:
            race = self._race(records.UNSOLVED, exc.reason)
        else:
            if race.status != records.SOLVED:  # the next solve is a new one
                self._upload.forget()
        return SolveOutcome(_lasting(race, time.monotonic() - began), name)

    def _wait_for_end(self, budget: Budget, progress: Progress) -> tuple[int, bool]:
        """Return the number of the job, and True if it is solved; a job that the service lost is sent again, once."""
        for is_last in (False, True):
            try:
                number = self.send(budget, progress)
                progress.observe(f"{self._client.service.name} solves it as job {number}")
                return number, self._wait(number, budget, progress)
            except InputMissingError:
                self._upload.forget()
                if is_last:
                    break
        raise RetryLaterError(f"{self._client.service.name}: it has lost the job twice: try again later")

    def send(self, budget: Budget, progress: Progress) -> int:
        """Upload the job unless that was done before; return its number at the service, once it has one."""
        known = self._upload.read()
        if known is None:
            self._upload.write(UploadState())
            known = self._send(budget, progress)
        elif known.submission is None and known.job is None:
            progress.observe(f"looking for the upload at {self._client.service.name}")
            found = self._find_again(budget, progress)
            known = self._send(budget, progress) if found is None else UploadState(job=found)
        self._upload.write(known)
        if known.job is not None:
            return known.job
        number = self._number_of_job(known.submission or 0, budget, progress)
        self._upload.write(UploadState(known.submission, number))
        return number

    def _send(self, budget: Budget, progress: Progress) -> UploadState:
        """Upload the star list; after an answer that was lost, look for the upload before it is sent again."""
        waits, name = Waits(budget, progress), self._client.service.name
        self._client.patiently(self._client.login, budget, progress)
        progress.observe(f"uploading {len(self._request.content) // 1000 + 1} kB to {name}")
        while True:
            try:
                file = (self._request.name, self._request.content, "application/fits")
                answer = self._client.call("upload", self._request.fields, files={"file": file})
                break
            except ServiceBusyError as exc:
                progress.observe(f"{exc}; trying again")
                waits.wait(exc.wait_s)
                found = self._find_again(budget, progress)
                if found is not None:
                    return UploadState(job=found)
        number = number_of(answer.get("subid"))
        if number is None:
            raise UnavailableError(f"{name}: its reply to an upload names no submission")
        return UploadState(submission=number)

    def _find_again(self, budget: Budget, progress: Progress) -> int | None:
        """Return the number of the job of this upload, None if there is none.

        The search is repeated, since a service may list a job some time after it has taken the upload.
        """
        waits = Waits(budget, progress)
        for look in range(_LOOKS):
            if look:
                waits.wait()
            found = self._client.patiently(self._find, budget, progress)
            if found is not None:
                return found
        return None

    def _find(self) -> int | None:
        """Return the number of the job of this upload among the newest jobs of the user; None if there is none."""
        jobs = self._client.call("myjobs").get("jobs")
        numbers = [number for job in jobs if (number := number_of(job)) is not None] if isinstance(jobs, list) else []
        for number in sorted(numbers, reverse=True)[:_SEARCHED]:
            if self._client.call(f"jobs/{number}/info").get("original_filename") == self._request.name:
                return number
        return None

    def _number_of_job(self, submission: int, budget: Budget, progress: Progress) -> int:
        """Wait until a submission has a job, and return its number."""
        waits, name = Waits(budget, progress), self._client.service.name
        while True:
            found = self._client.patiently(lambda: self._client.call(f"submissions/{submission}"), budget, progress)
            jobs = found.get("jobs")
            numbers = [number_of(job) for job in jobs] if isinstance(jobs, list) else []
            number = next((number for number in numbers if number is not None), None)
            if number is not None:
                return number
            message = found.get("error_message")
            if message:
                self._upload.forget()
                raise UnavailableError(f"{name}: it cannot read the star list: {self._client.shown(str(message))}")
            waits.wait()

    def _wait(self, number: int, budget: Budget, progress: Progress) -> bool:
        """Wait for the end of a job; return True if it is solved.

        Raises
        ------
        InputMissingError
            If the service does not have the job any more.
        """
        waits = Waits(budget, progress)
        while True:
            state = self._client.patiently(lambda: self._client.call(f"jobs/{number}"), budget, progress)
            word = state.get("status")
            if isinstance(word, str) and word in ENDED:
                return ENDED[word]
            waits.wait()

    def fetch(self, number: int, budget: Budget, progress: Progress) -> RaceResult:
        """Put the files of a solved job into the job directory, checked against the stars that were sent.

        Raises
        ------
        UnusableReplyError
            If they are not a solution of the field.
        """
        files = {name: self._file(address, number, budget, progress) for name, address in _FILES.items()}
        there = {name: content for name, content in files.items() if content is not None}
        there[LOG] = self.log(number, budget, progress)
        if WCS not in there:
            raise UnusableReplyError(f"{self._client.service.name}: job {number} is solved, but has no WCS")
        put_in_place(self._job, there, 1, self._client.service.name, sent=[1])
        race = self._race(records.SOLVED, "")
        self._job.write_json(MANIFEST, build_manifest(self._job, race, engine=self._client.service.url))
        return race

    def _unsolved(self, number: int, budget: Budget, progress: Progress) -> RaceResult:
        put_in_place(self._job, {LOG: self.log(number, budget, progress)}, None, self._client.service.name, sent=[1])
        race = self._race(records.UNSOLVED, "exhausted")
        self._job.write_json(MANIFEST, build_manifest(self._job, race, engine=self._client.service.url))
        return race

    def log(self, number: int, budget: Budget, progress: Progress) -> bytes:
        """Return the log of a job; empty if the service shows none."""
        try:
            return self._client.patiently(lambda: self._client.log(number), budget, progress)
        except NovaError:
            return b""

    def _file(self, address: str, number: int, budget: Budget, progress: Progress) -> bytes | None:
        try:
            return self._client.patiently(lambda: self._client.file(address, number), budget, progress)
        except InputMissingError:
            return None

    def _race(self, status: str, reason: str) -> RaceResult:
        """Return the race as far as it is known: the service tells of one attempt."""
        outcome = records.SOLVED if status == records.SOLVED else records.EXHAUSTED
        attempt = AttemptOutcome(1, label_of(self._job, 1), outcome, 0.0, 0.0)
        winner = 1 if status == records.SOLVED else None
        return RaceResult(status, reason, winner, (attempt,), (), (), 0.0, 0.0)


def _lasting(race: RaceResult, seconds: float) -> RaceResult:
    """Return a race with its duration."""
    values: Mapping[str, Any] = {name: getattr(race, name) for name in RaceResult.__annotations__}
    return RaceResult(**{**values, "seconds": round(seconds, 3)})
