"""A backend in one file, as an example of the smallest that passes the contract: a folder is the place.

It is registered by one line, ``"stand-in": ("standin_backend", "standin:.*")``.  The place ``standin:FOLDER`` solves
every field if ``FOLDER/wcs.fits`` exists and no field otherwise.  A job that is left there is a folder ``FOLDER/ID``,
which holds the state of the job.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from novacli.backends.base import LOST, SOLVED, UNSOLVED, WAITING, DetachOutcome, RemoteState, SolveOutcome
from novacli.config import Config
from novacli.errors import InputMissingError, UsageError
from novacli.jobs.remote import RemoteJob, StoredJob, new_remote
from novacli.records.budget import Budget
from novacli.records.check import Check
from novacli.records.progress import SILENT, Progress
from solvehost.engine.manifest import build_manifest
from solvehost.engine.records import AttemptOutcome, RaceResult
from solvehost.formats.jobdir import LOG, MANIFEST, WCS, JobDir
from solvehost.indexes.index_file import IndexFile

_PREFIX = "standin:"


def connect(config: Config, place: str) -> StandInBackend:
    del config
    return StandInBackend(check_destination(place))


def of_job(config: Config, remote: RemoteJob) -> StandInBackend:
    del config
    return StandInBackend(remote.place)


def check_place(config: Config, place: str) -> Iterator[tuple[str, Iterator[Check]]]:
    del config
    folder = Path(place.removeprefix(_PREFIX))
    yield place, iter([Check("folder", folder.is_dir(), str(folder), exit_code=69)])


def check_destination(text: str) -> str:
    if not text.startswith(_PREFIX):
        raise UsageError(f"{text!r} is not a folder of the stand-in: write {_PREFIX}FOLDER")
    return text


class StandInBackend:
    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = Path(name.removeprefix(_PREFIX))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StandInBackend) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def index_files(self) -> Sequence[IndexFile] | None:
        return None

    def notes(self) -> Sequence[str]:
        return ()

    def solve(self, job: JobDir, numbers: Iterator[int], budget: Budget, progress: Progress = SILENT) -> SolveOutcome:
        progress.observe(f"solving in {self.folder}")
        return self._solve(job, next(numbers))

    def check_detach(self) -> None:
        if not self.folder.is_dir():
            raise UsageError(f"{self.folder} is not a folder")

    def detach(self, job: JobDir, numbers: Iterator[int], budget: Budget, progress: Progress = SILENT) -> DetachOutcome:
        del budget, progress
        new_remote(job, "stand-in", self.name, {"id": job.job_id, "number": next(numbers)}).write()
        self._keep(job.job_id, WAITING)
        return DetachOutcome(self.name)

    def detach_again(self, remote: RemoteJob, budget: Budget, progress: Progress = SILENT) -> str:
        del budget, progress
        return self._keep(str(remote.reference["id"]), WAITING)

    def states(self, remotes: Sequence[RemoteJob], budget: Budget, progress: Progress = SILENT) -> list[RemoteState]:
        del budget, progress
        paths = [self._path(remote) for remote in remotes]
        return [RemoteState(path.read_text() if path.exists() else LOST) for path in paths]

    def fetch(self, remote: RemoteJob, budget: Budget, progress: Progress = SILENT) -> SolveOutcome:
        del budget, progress
        return self._solve(remote.job, int(remote.reference["number"]))

    def log(self, remote: RemoteJob, *, follow: bool) -> Iterator[str]:
        yield f"{self._path(remote).name}{' followed' if follow else ''}\n"

    def cancel(self, remote: RemoteJob) -> str:
        if not self._path(remote).exists():
            raise InputMissingError(f"{self.name}: it does not have the job")
        return self._keep(str(remote.reference["id"]), UNSOLVED)

    def remove(self, remote: RemoteJob) -> None:
        shutil.rmtree(self._path(remote).parent, ignore_errors=True)

    def stored_jobs(self) -> Iterator[tuple[str, list[StoredJob]]]:
        yield self.name, [StoredJob(path.parent.name, path.read_text()) for path in self.folder.glob("*/state")]

    def _path(self, remote: RemoteJob) -> Path:
        return self.folder / str(remote.reference["id"]) / "state"

    def _keep(self, job_id: str, state: str) -> str:
        (self.folder / job_id).mkdir(exist_ok=True)
        (self.folder / job_id / "state").write_text(state)
        return state

    def _solve(self, job: JobDir, number: int) -> SolveOutcome:
        found = self.folder / WCS
        (job.path / LOG).write_text("the stand-in looked for wcs.fits\n")
        if found.exists():
            shutil.copyfile(found, job.wcs)
        status, reason, winner = (SOLVED, "none", number) if found.exists() else (UNSOLVED, "exhausted", None)
        outcome = AttemptOutcome(number, "the only one", SOLVED if found.exists() else "exhausted", 0.0, 0.0)
        race = RaceResult(status, reason, winner, (outcome,), (), (), 0.0, 0.0)
        job.write_json(MANIFEST, build_manifest(job, race, engine="stand-in"))
        return SolveOutcome(race, self.name)
