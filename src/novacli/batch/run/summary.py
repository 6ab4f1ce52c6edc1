"""The summary of a run for the user: one sentence of figures, and a paragraph if something needs attention."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from novacli.batch.records import GONE, RETRIABLE, UNCHANGED, WAITING, LedgerEntry
from novacli.batch.run.recorder import RunCounts
from novacli.records.result import Result
from novacli.records.status import FAILED, SOLVED, UNSOLVED
from novacli.text.printable import shown_name
from novacli.text.quantities import count_text
from solvehost.record import record

#: The largest number of different reasons in a summary.
_MAX_REASONS = 8


@dataclass(slots=True)
class ProblemSummary:
    """The frames that were not solved: for each reason its first frame, and the number of frames."""

    first: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, entry: LedgerEntry, result: Result) -> None:
        """Add a frame, unless it was solved."""
        shown = shown_name(entry.path)
        if entry.record.fate == UNSOLVED:
            self._add(shown, f"{shown}: unsolved ({result.reason})")
        elif result.error is not None:
            self._add(shown, result.error.message)

    def passed(self, path: str, why: str) -> None:
        """Add a frame that was left for the next run."""
        self._add(shown_name(path), f"{shown_name(path)}: {why}")

    def _add(self, shown: str, message: str) -> None:
        reason = message.replace(shown, "")
        self.first.setdefault(reason, message)
        self.counts[reason] += 1

    def sentences(self) -> list[str]:
        """Return one sentence a reason, the most frequent first."""
        found = [_sentence(self.first[reason], count) for reason, count in self.counts.most_common(_MAX_REASONS)]
        more = len(self.counts) - len(found)
        return [*found, f"And {count_text(more, 'more reason')}."] if more > 0 else found


def _sentence(message: str, count: int) -> str:
    others = "" if count == 1 else f" (and {count_text(count - 1, 'more frame')} for the same reason)"
    return f"{message.rstrip('.')}{others}."


@record
class BatchOutcome:
    """The outcome of a run.

    Attributes
    ----------
    counts
        The number of frames of each fate.
    exit_code
        The exit code of all frames that were named, solved by this run or not.
    elapsed_s
        Wall-clock seconds of the run.
    skipped, own_outputs
        The number of frames that had their result already, and of files that nova wrote.
    remarks, new_remarks
        One line for each path that could not be read; and those of them that the last run did not report.
    earlier
        Frames whose failure is not reported yet, because the run that found it was killed.
    ledger
        The ledger's path.
    """

    counts: RunCounts
    exit_code: int
    elapsed_s: float
    skipped: int = 0
    own_outputs: int = 0
    remarks: tuple[str, ...] = ()
    new_remarks: tuple[str, ...] = ()
    earlier: ProblemSummary = field(default_factory=ProblemSummary)
    ledger: Path | None = None

    @property
    def is_well(self) -> bool:
        """True if a quiet run prints nothing: it solved all its frames, and every earlier failure was reported."""
        has_failures = self.counts.done > self.counts[SOLVED] + self.counts[GONE] + self.counts[UNCHANGED]
        return not (has_failures or self.counts.stopped or self.new_remarks or self.earlier.counts)

    def sentence(self) -> str:
        """Return the figures, on one line."""
        others = []
        if self.skipped:
            their = "its" if self.skipped == 1 else "their"
            others.append(f"{count_text(self.skipped, 'frame')} had {their} result already")
        if self.own_outputs:
            others.append(f"{count_text(self.own_outputs, 'file')} written by nova left out")
        if not self.counts.total:
            return "; ".join(["nothing to do", *others])
        parts = [f"{self.counts[fate]} {word}" for fate, word in _WORDS if self.counts[fate]]
        if self.counts.left:
            parts.append(f"{self.counts.left} left for the next run")
        rate = self.counts.done / self.elapsed_s if self.elapsed_s > 0 else 0.0
        frames = count_text(self.counts.total, "frame")
        text = f"{frames}: {', '.join(parts)}, in {self.elapsed_s:.1f} s ({rate:.2g} a second)"
        return "; ".join([text, *others])

    def paragraph(self, problems: ProblemSummary | None, *, only_new: bool = False) -> str:
        """Return the whole summary on one line.

        Parameters
        ----------
        problems
            The frames of this run that were not solved; None if the user has seen each of them.
        only_new
            Leave out remarks that the last run reported.
        """
        stopped = [] if self.counts.stopped is None else [f"It stopped before the end: {self.counts.stopped}."]
        found = [] if problems is None else problems.sentences()
        earlier = self.earlier.sentences()
        if earlier:
            earlier = ["An earlier run, which was cut off, found:", *earlier]
        remarks = [f"{remark}." for remark in (self.new_remarks if only_new else self.remarks)]
        return " ".join([f"{self.sentence()}.", *stopped, *found, *earlier, *remarks, *self._command(found + earlier)])

    def _command(self, problems: list[str]) -> list[str]:
        """Return the command that lists all frames, if the summary has problems."""
        if not problems or self.ledger is None:
            return []
        return [f"All frames: nova batch report --ledger {shlex.quote(str(self.ledger.absolute()))}"]


#: Fate → word in the sentence, in the order of the sentence.
_WORDS = (
    (SOLVED, "solved"),
    (UNSOLVED, "unsolved"),
    (FAILED, "failed"),
    (RETRIABLE, "failed and to be tried again"),
    (WAITING, "to be tried again"),
    (GONE, "removed meanwhile"),
    (UNCHANGED, "unchanged"),
)
