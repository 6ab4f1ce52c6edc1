"""The records that the steps of the pipeline share."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Protocol

from novacli.backends.base import Backend
from novacli.errors import NovaError
from novacli.matchers.base import Matcher
from novacli.records.budget import Budget
from novacli.records.calibration import Calibration
from novacli.records.field import Field, Origin
from novacli.records.hints import Hints
from novacli.records.progress import SILENT, Progress
from novacli.records.result import Result
from novacli.solution.reading import Solution, Unsolved
from solvehost.record import record


class Memory(Protocol):
    """Remembers what solved frames taught: :class:`novacli.rigs.store.RigStore`, or the memory of a sequence."""

    def recall(self, field: Field, given: Hints) -> Hints:
        """Return hints with what is known of the field's camera added."""
        ...

    def learn(self, field: Field, calibration: Calibration) -> None:
        """Remember a solved field."""
        ...


@record
class Context:
    """What a solve needs besides its input.

    Attributes
    ----------
    jobs_dir
        Directory of the job directories.
    backend
        Where to solve.
    progress
        What hears of each step and may cancel.
    rigs
        Memory of earlier frames, None to use and keep none.
    budget
        Limits besides the time limit of the parameters.
    matcher
        Proposes where wide fields are; None for no proposals.
    """

    jobs_dir: Path
    backend: Backend
    progress: Progress = SILENT
    rigs: Memory | None = None
    budget: Budget = field(default_factory=Budget)
    matcher: Matcher | None = None


@record
class Solved:
    """A result, and the objects behind it.

    ``answer`` is None if the input failed or was left with a server; ``error`` is the error of a failed input;
    ``origin`` tells where the image came from; ``winner`` is the number of the attempt that solved it.
    """

    result: Result
    answer: Solution | Unsolved | None = None
    error: NovaError | None = None
    origin: Origin | None = None
    winner: int = 1
