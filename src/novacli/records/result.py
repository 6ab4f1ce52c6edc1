"""One input's result: the record behind ``--json``, ``result.json`` and the table.  Light: no numpy.

Its keys are specified in docs/reference/json.md and src/novacli/reports/results/schema.json.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from novacli.errors import NovaError

SOLVED, UNSOLVED, FAILED = "solved", "unsolved", "failed"
#: Of a job that a server has, until it is fetched.
REMOTE = "remote"
_EXIT_CODES = {SOLVED: 0, UNSOLVED: 1, REMOTE: 0}


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one input.

    ``status`` is solved, unsolved, failed or remote (a server has it); ``reason`` says why an unsolved one is
    (exhausted, time-limit, cancelled, no-stars); ``error`` is {message, exit_code, retry_is_safe} of a failed one.
    ``calibration`` and ``match`` are as :mod:`novacli.solution.reading` builds them; ``server`` is where it was solved,
    None for this machine.
    """

    input: str
    status: str
    job: str | None = None
    reason: str | None = None
    calibration: dict[str, Any] | None = None
    match: dict[str, Any] | None = None
    hints: list[dict[str, Any]] = field(default_factory=list)
    timing: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    source: dict[str, Any] = field(default_factory=dict)
    created: str | None = None
    server: str | None = None

    @property
    def exit_code(self) -> int:
        """The exit code that this input alone would give."""
        if self.error is not None:
            return int(self.error["exit_code"])
        return _EXIT_CODES.get(self.status, 70)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Result:
        """Return the record of a JSON object; unknown keys are passed over."""
        known = {f.name for f in dataclasses.fields(cls)}
        return cls(**{k: v for k, v in value.items() if k in known})


def error_of(exc: NovaError) -> dict[str, Any]:
    """Return what a result says of an error."""
    return {"message": str(exc), "exit_code": exc.exit_code, "retry_is_safe": exc.retry_is_safe}
