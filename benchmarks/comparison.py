"""Trials of two programs on many images, and their summary."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from measure import geometric_mean, median
from programs import FAILED, WRONG, Trial

#: Images that take solve-field longer than this are also counted separately.
SLOW_S = 3.0


@dataclass(frozen=True, slots=True)
class Side:
    """The trials of one program on one image."""

    trials: tuple[Trial, ...]

    @property
    def solved(self) -> bool:
        """True if every trial ended with an answer that is not known to be wrong."""
        return all(t.solved for t in self.trials)

    @property
    def was_wrong(self) -> bool:
        """True if any trial ended with a wrong answer."""
        return any(t.outcome == WRONG for t in self.trials)

    @property
    def failed(self) -> bool:
        """True if the program failed before it tried to solve."""
        return any(t.outcome == FAILED for t in self.trials)

    @property
    def is_unsteady(self) -> bool:
        """True if some trials solved the image and others did not."""
        return not self.solved and any(t.solved for t in self.trials)

    @property
    def wall_s(self) -> float:
        """The median of wall-clock seconds."""
        return median(t.run.wall_s for t in self.trials)

    @property
    def cpu_s(self) -> float:
        """The median of CPU seconds; NaN if a trial was killed, since the CPU time of its children is unknown."""
        return math.nan if any(t.run.timed_out for t in self.trials) else median(t.run.cpu_s for t in self.trials)

    @property
    def center_error_px(self) -> float:
        """The median distance of the centre from the truth, in pixels."""
        return median(t.error.center_px for t in self.trials if t.error is not None)

    @property
    def scale_error(self) -> float:
        """The median absolute error of the scale, as a fraction."""
        return median(abs(t.error.scale) for t in self.trials if t.error is not None)

    def plain(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "outcomes": [t.outcome for t in self.trials],
            "wall_s": [t.run.wall_s for t in self.trials],
            "cpu_s": [t.run.cpu_s for t in self.trials],
            "timed_out": any(t.run.timed_out for t in self.trials),
            "center_error_px": self.center_error_px,
            "scale_error": self.scale_error,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """One image, tried by both programs."""

    name: str
    ours: Side
    theirs: Side
    about: str = ""

    @property
    def both_solved(self) -> bool:
        """True if the image counts in ratios."""
        return self.ours.solved and self.theirs.solved

    @property
    def wall_ratio(self) -> float:
        """Ratio of solve-field's median wall-clock time to nova's."""
        return self.theirs.wall_s / self.ours.wall_s

    @property
    def cpu_ratio(self) -> float:
        """Ratio of solve-field's median CPU time to nova's."""
        return self.theirs.cpu_s / self.ours.cpu_s

    def verdict(self) -> str:
        """Return one or two words for tables: which program solved the image, or was wrong."""
        wrong = [who for who, side in (("nova", self.ours), ("solve-field", self.theirs)) if side.was_wrong]
        if wrong:
            return " and ".join(wrong) + " wrong"
        solved = {(True, True): "both", (True, False): "nova alone", (False, True): "solve-field alone"}
        return solved.get((self.ours.solved, self.theirs.solved), "neither")


@dataclass(frozen=True, slots=True)
class Summary:
    """Summary of all comparisons; ratios are over images that both solve, and above 1 if nova is faster."""

    pictures: int
    both: int
    wall_mean: float
    wall_worst: float
    wall_worst_name: str
    cpu_mean: float
    slow: int
    slow_wall_mean: float
    slower_on: tuple[str, ...]
    ours_alone: tuple[str, ...]
    theirs_alone: tuple[str, ...]
    neither: tuple[str, ...]
    ours_wrong: tuple[str, ...]
    theirs_wrong: tuple[str, ...]
    ours_failed: tuple[str, ...]
    theirs_failed: tuple[str, ...]
    unsteady: tuple[str, ...]
    ours_center_error_px: float
    theirs_center_error_px: float


def summarise(results: Sequence[Comparison]) -> Summary:
    """Return the summary of comparisons."""
    both = [c for c in results if c.both_solved]
    slow = [c for c in both if c.theirs.wall_s > SLOW_S]
    worst = min(both, key=lambda c: c.wall_ratio, default=None)
    checked = [c for c in both if c.ours.center_error_px >= 0]

    def names(condition: Callable[[Comparison], bool]) -> tuple[str, ...]:
        return tuple(c.name for c in results if condition(c))

    return Summary(
        pictures=len(results),
        both=len(both),
        wall_mean=geometric_mean(c.wall_ratio for c in both),
        wall_worst=worst.wall_ratio if worst else float("nan"),
        wall_worst_name=worst.name if worst else "",
        cpu_mean=geometric_mean(c.cpu_ratio for c in both),
        slow=len(slow),
        slow_wall_mean=geometric_mean(c.wall_ratio for c in slow),
        slower_on=tuple(c.name for c in both if c.wall_ratio < 1),
        ours_alone=names(lambda c: c.ours.solved and not c.theirs.solved),
        theirs_alone=names(lambda c: c.theirs.solved and not c.ours.solved),
        neither=names(lambda c: not (c.theirs.solved or c.ours.solved)),
        ours_wrong=names(lambda c: c.ours.was_wrong),
        theirs_wrong=names(lambda c: c.theirs.was_wrong),
        ours_failed=names(lambda c: c.ours.failed),
        theirs_failed=names(lambda c: c.theirs.failed),
        unsteady=names(lambda c: c.ours.is_unsteady or c.theirs.is_unsteady),
        ours_center_error_px=median(c.ours.center_error_px for c in checked),
        theirs_center_error_px=median(c.theirs.center_error_px for c in checked),
    )
