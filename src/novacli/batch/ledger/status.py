"""The status of a batch: the number of frames of each fate in its ledger, and whether a run is in progress."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from novacli.batch.ledger.database import Ledger, RunRecord
from novacli.batch.ledger.lock import is_locked
from novacli.batch.records import FATES, OWN_OUTPUT, RETRIABLE
from novacli.text.printable import printable_line
from solvehost.record import record

#: The state of a run without an outcome: it was killed (or the power failed), or it is in progress.
KILLED, RUNNING = "killed", "running"
#: How many paths are shown; a shell pattern may have named thousands.
_NAMED = 3
#: Fate → the words that are shown, if they are not the fate's own word.
_WORDS = {RETRIABLE: "failed and to be tried again", OWN_OUTPUT: "written by nova"}


@record
class LedgerStatus:
    """A ledger's path, the last run over it, the state of that run, and the number of frames of each fate."""

    path: Path
    run: RunRecord | None
    state: str | None
    counts: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``nova batch status --json`` prints."""
        return {
            "ledger": str(self.path),
            "paths": [] if self.run is None else self.run.what,
            "state": self.state,
            "began_s": None if self.run is None else self.run.began_s,
            "ended_s": None if self.run is None else self.run.ended_s,
            "frames": {fate: self.counts.get(fate, 0) for fate in FATES},
        }


def state_of(path: Path) -> LedgerStatus:
    """Return the status of a ledger.

    Raises
    ------
    NovaError
        If it does not exist, or cannot be read.
    """
    with Ledger.read(path) as ledger:
        run = ledger.last_run()
        is_on = is_locked(path)
        unended = RUNNING if is_on else KILLED
        state = None if run is None else run.outcome or unended
        return LedgerStatus(path, run, state, ledger.counts())


def write_states(states: Sequence[LedgerStatus], stream: TextIO) -> None:
    """Write a paragraph about each ledger."""
    for state in states:
        for line in _lines(state):
            stream.write(f"{printable_line(line)}\n")


def _lines(state: LedgerStatus) -> list[str]:
    what = _named(state.run.what) if state.run is not None else str(state.path)
    counted = [f"{state.counts[fate]} {_WORDS.get(fate, fate)}" for fate in FATES if state.counts.get(fate)]
    lines = [f"{what}: {', '.join(counted) or 'no frame yet'}"]
    if state.run is not None:
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(state.run.began_s))
        who = f" (pid {state.run.pid})" if state.state == RUNNING else ""
        lines.append(f"  last run: {began}, {state.state}{who}")
    lines.append(f"  ledger: {state.path}")
    return lines


def _named(paths: Sequence[str]) -> str:
    more = [f"and {len(paths) - _NAMED:,} more"] if len(paths) > _NAMED else []
    return " ".join([*paths[:_NAMED], *more])
