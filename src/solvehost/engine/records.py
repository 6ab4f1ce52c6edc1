"""The records that pass between the files of this room, and to callers of a race."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import field
from pathlib import Path

from solvehost.engine.process import EngineLimits
from solvehost.engine.slots import Tokens
from solvehost.indexes.index_set import IndexSet
from solvehost.record import record

#: How an attempt can end.  DOUBTFUL: its match is due to clustered sources.  STOPPED: by another attempt's solution, a
#: time limit or a cancelled race.
SOLVED, DOUBTFUL, EXHAUSTED, CRASHED = "solved", "doubtful", "exhausted", "crashed"
NO_INDEX, STOPPED = "no-index", "stopped"
#: Status of a race that did not solve.
UNSOLVED = "unsolved"


@record
class AttemptOutcome:
    """How one attempt ended.

    ``outcome`` is solved, doubtful, exhausted, crashed, no-index or stopped; ``seconds`` is how long its engine ran,
    without the time for which it was suspended.
    """

    number: int
    label: str
    outcome: str
    seconds: float
    cpu_s: float


@record
class Candidate:
    """A match that an attempt found and that was not accepted.

    ``number`` and ``label`` name the attempt; ``ra_deg`` and ``dec_deg`` are the field's centre.
    """

    number: int
    label: str
    logodds: float
    ra_deg: float
    dec_deg: float
    pixscale_arcsec: float


@record
class RaceTerms:
    """The engine, the index files and the limits of a race.

    ``queue_wait_s`` bounds the wait for the first token, ``wall_s`` all that follows, ``total_s`` both together, and
    ``cpu_s`` the CPU time of all engines together.  ``engines`` is how many run at once (None: one for each token).
    ``cancelled`` is called often; ``observe`` gets the label of each attempt as it starts.
    """

    engine: Path
    indexes: IndexSet
    tokens: Tokens
    wall_s: float
    queue_wait_s: float = 300.0
    total_s: float = math.inf
    cpu_s: float = math.inf
    engines: int | None = None
    limits: EngineLimits = field(default_factory=EngineLimits)
    cancelled: Callable[[], bool] = lambda: False
    observe: Callable[[str], None] = lambda _label: None


@record
class RaceResult:
    """How a race ended.

    ``status`` is solved or unsolved; ``reason`` none, exhausted, time-limit or cancelled; ``winner`` the number of
    the attempt that solved, whose files are in the job directory; ``indexes`` and ``indexes_failed`` the names of the
    index files that were used and of those that did not load; ``candidate`` the best match if none was accepted.
    """

    status: str
    reason: str
    winner: int | None
    attempts: tuple[AttemptOutcome, ...]
    indexes: tuple[str, ...]
    indexes_failed: tuple[str, ...]
    seconds: float
    cpu_s: float
    candidate: Candidate | None = None
