"""An executor for tests, which does each task by a function of the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import ClassVar

from novacli.batch.frames.listing import frame_at
from novacli.batch.records import FileContent, FrameTask, RunSetup, TaskOutcome
from novacli.errors import DataError, InputMissingError, NovaError
from novacli.records.calibration import Calibration
from novacli.records.result import Result, error_of
from novacli.records.status import FAILED, SOLVED
from novacli.records.timing import Timing
from solvehost.formats import fitsfile

CALIBRATION = Calibration(
    ra=10.0, dec=20.0, radius=1.0, pixscale=2.0, orientation=0.0, parity=1.0, width_arcsec=7200.0, height_arcsec=3600.0,
    up_deg_e_of_n=0.0,
)  # fmt: skip

#: A FITS file with an image of 5,000 pixels.
FITS = fitsfile.end_header(
    [fitsfile.card(*pair) for pair in (("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 1), ("NAXIS1", 5000))]
) + fitsfile.pad_data(bytes(5000))


def solve(task: FrameTask) -> TaskOutcome:
    """Solve a frame that begins with ``good``, or is a FITS file of the length that :data:`FITS` has."""
    path = task.frame.path
    try:
        with open(path, "rb") as file:
            content = file.read()
        frame = frame_at(path, task.frame.root)
    except OSError:
        return TaskOutcome(task.frame, result=_failed(path, InputMissingError(f"{path} is not there")))
    if content.startswith(b"good") or (content.startswith(b"SIMPLE") and len(content) == len(FITS)):
        result = Result(path, SOLVED, calibration=CALIBRATION, timing=Timing(total_s=0.0))
        return TaskOutcome(frame, FileContent("digest"), result, has_changed=frame != task.frame, has_outputs=True)
    return TaskOutcome(
        frame,
        FileContent("digest"),
        _failed(path, DataError(f"{path}: it is no image")),
        has_changed=frame != task.frame,
    )


def _failed(path: str, error: NovaError) -> Result:
    return Result(path, FAILED, error=error_of(error))


class Executor:
    """Does each task at once by ``do``, which a test may replace; ``tasks`` lists the paths of its frames."""

    do: Callable[[FrameTask], TaskOutcome] = staticmethod(solve)
    tasks: ClassVar[list[str]] = []

    workers, room = 1, 2

    def submit(self, tasks: Sequence[FrameTask], to_come: int) -> Sequence[Future[TaskOutcome]]:
        """Do the tasks."""
        del to_come
        return [self._submit(task) for task in tasks]

    def _submit(self, task: FrameTask) -> Future[TaskOutcome]:
        future: Future[TaskOutcome] = Future()
        type(self).tasks.append(task.frame.path)
        try:
            future.set_result(type(self).do(task))
        except Exception as exc:
            future.set_exception(exc)
        return future

    def collect(self, future: Future[TaskOutcome]) -> TaskOutcome:
        """Return the outcome of a task."""
        return future.result()

    def watch(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def open_executor(setup: RunSetup, workers: int, address: str | None) -> Executor:
    """Return a new executor."""
    del setup, workers, address
    return Executor()
