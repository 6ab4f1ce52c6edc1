"""The status of a result; a light module, for commands that list jobs without reading results whole."""

from __future__ import annotations

SOLVED, UNSOLVED, FAILED = "solved", "unsolved", "failed"
#: Status of a job that a server has, until it is fetched.
REMOTE = "remote"
