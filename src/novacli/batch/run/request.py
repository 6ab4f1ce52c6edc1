"""The request for a run, from the options of the command line."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from novacli.batch.records import BatchOutputs
from novacli.config import Config
from novacli.records.params import SolveParams
from solvehost.record import record


@record
class BatchRequest:
    """The request for a run.

    Attributes
    ----------
    given
        The paths and lists as the user named them, by which the ledger is found.
    paths
        All paths, those from lists included.
    params, config
        How to solve, and the settings.
    ledger
        The ledger's path.
    place
        Where the engines run.
    patterns
        Shell patterns for names in folders.
    newer_s
        Only files changed at or after this time, in seconds since 1970.
    outputs
        What the run writes for each solved frame.
    keep
        Which job directories stay.
    retry, force
        Fates that are tried again; True if all frames are solved again.
    settle_s
        Frames that were written to within this many seconds wait.
    sequence
        True if solved frames give hints to the next ones of their camera.
    max_time_s
        After this many seconds no frame is begun.
    wait
        True to wait for another run over the same ledger.
    workers
        The number of frames to solve at a time; None for the executor's own number.
    executor, address
        The executor of the tasks, one of :data:`novacli.batch.executors.MODULES`, and where it is.
    """

    given: tuple[str, ...]
    paths: tuple[str, ...]
    params: SolveParams
    config: Config
    ledger: Path
    place: str = "local"
    patterns: tuple[str, ...] = ()
    newer_s: float | None = None
    outputs: BatchOutputs = field(default_factory=BatchOutputs)
    keep: str = "failures"
    retry: frozenset[str] = frozenset()
    force: bool = False
    settle_s: float = 2.0
    sequence: bool = True
    max_time_s: float = float("inf")
    wait: bool = True
    workers: int | None = None
    executor: str = "pool"
    address: str | None = None
