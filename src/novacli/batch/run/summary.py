"""What is said of a run at its end: one sentence of figures, one paragraph where something wants a look."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from novacli.batch.records import GONE, RETRIABLE, WAITING, LedgerEntry
from novacli.batch.run.recorder import RunCounts
from novacli.records.result import FAILED, SOLVED, UNSOLVED, Result
from novacli.text.printable import shown_name
from novacli.text.quantities import count_text

#: So many frames are named of each kind.
_NAMED = 8


@dataclass(slots=True)
class ProblemSummary:
    """The frames that were not solved, as far as they are named: names of unsolved ones, lines about the others."""

    unsolved: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: {"unsolved": 0, "lines": 0})

    def add(self, entry: LedgerEntry, result: Result) -> None:
        """Note a frame, if it was not solved."""
        if entry.known.fate == UNSOLVED:
            self._keep("unsolved", shown_name(entry.path))
        elif result.error is not None:
            self._keep("lines", result.error.message)

    def passed(self, path: str, why: str) -> None:
        """Note a frame that was left for the next run."""
        self._keep("lines", f"{shown_name(path)}: {why}")

    def _keep(self, kind: str, text: str) -> None:
        self.counts[kind] += 1
        kept: list[str] = getattr(self, kind)
        if len(kept) < _NAMED:
            kept.append(text)

    def sentences(self) -> list[str]:
        """Return what is to be said of them."""
        said = []
        if self.unsolved:
            said.append(f"Unsolved: {', '.join(self.unsolved)}{self._more('unsolved')}.")
        if self.lines:
            said.append(f"{'; '.join(self.lines)}{self._more('lines')}.")
        return said

    def _more(self, kind: str) -> str:
        more = self.counts[kind] - len(getattr(self, kind))
        return f" and {more} more" if more > 0 else ""


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """How a run ended.

    ``left`` is how many frames had their result already, ``ours`` how many files nova wrote itself, ``remarks`` lines
    about what could not be looked at; ``exit_code`` is that of all frames that were named.
    """

    tally: RunCounts
    exit_code: int
    elapsed_s: float
    left: int = 0
    ours: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to tell: all that there was to do is solved."""
        fates = self.tally.fates
        solved_or_gone = fates[SOLVED] + fates[GONE]
        return not self.remarks and self.tally.stopped is None and fates.total() == solved_or_gone

    def with_remark(self, text: str, exit_code: int) -> BatchOutcome:
        """Return the outcome with one more line that is to be told."""
        return dataclasses.replace(self, remarks=(*self.remarks, text), exit_code=exit_code)

    def sentence(self) -> str:
        """Return the figures, on one line."""
        others = []
        if self.left:
            others.append(f"{count_text(self.left, 'frame')} had {'its' if self.left == 1 else 'their'} result already")
        if self.ours:
            others.append(f"{count_text(self.ours, 'file')} that nova wrote left aside")
        if not self.tally.total:
            return "; ".join(["nothing to do", *others])
        parts = [f"{self.tally.fates[fate]} {word}" for fate, word in _WORDS if self.tally.fates[fate]]
        if self.tally.unchanged:
            parts.append(f"{self.tally.unchanged} unchanged")
        if self.tally.left:
            parts.append(f"{self.tally.left} left for the next run")
        rate = self.tally.done / self.elapsed_s if self.elapsed_s > 0 else 0.0
        frames = count_text(self.tally.total, "frame")
        text = f"{frames}: {', '.join(parts)}, in {self.elapsed_s:.1f} s ({rate:.2g} a second)"
        return "; ".join([text, *others])

    def paragraph(self, problems: ProblemSummary | None) -> str:
        """Return all that a person should know, on one line; without the frames where each was told already."""
        stopped = [] if self.tally.stopped is None else [f"It stopped before the end: {self.tally.stopped}."]
        named = [] if problems is None else problems.sentences()
        remarks = [f"{remark}." for remark in self.remarks]
        return " ".join([f"{self.sentence()}.", *stopped, *named, *remarks])


_WORDS = (
    (SOLVED, "solved"),
    (UNSOLVED, "unsolved"),
    (FAILED, "failed"),
    (RETRIABLE, "failed and to be tried again"),
    (WAITING, "to be tried again"),
    (GONE, "removed meanwhile"),
)
