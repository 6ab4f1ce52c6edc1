"""One line of JSON for each input, also for failed ones; specified in docs/reference/json.md."""

from __future__ import annotations

import json
from typing import TextIO

from novacli.records.result import Result


class _JsonLines:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def add(self, result: Result) -> None:
        self._stream.write(json.dumps(result.to_json(), allow_nan=False) + "\n")
        self._stream.flush()


def open_report(stream: TextIO) -> _JsonLines:
    """Return a report that writes JSON lines to ``stream``."""
    return _JsonLines(stream)
