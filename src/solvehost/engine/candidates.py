"""Candidates: matches that the engines of a race have logged, and whose odds are too low to be accepted.

An engine drops a match below the odds that its attempt asks for.  The log keeps the match's place and scale, which is
enough to look there again (``follow_up.py``).
"""

from __future__ import annotations

import contextlib
import math
from typing import BinaryIO

from solvehost.engine.records import Candidate
from solvehost.engine.result_files import open_plain_file
from solvehost.formats import match_lines
from solvehost.formats.jobdir import RUN_LOG, JobDir
from solvehost.indexes.sphere import separation_deg

#: Bytes of a log that are read at a time, and that are kept because a match may continue in what follows.
_CHUNK, _KEPT = 1 << 18, 1000
#: Two candidates are at the same place if their centres differ by less than this fraction of the field's width, and
#: their scales by less than this ratio.
_SAME_PLACE, _SAME_SCALE = 0.1, 1.02


def are_near(one: Candidate, other: Candidate, width_px: int) -> bool:
    """Return True if two candidates at a field ``width_px`` pixels wide have the same place and scale."""
    apart_deg = separation_deg((one.ra_deg, one.dec_deg), (other.ra_deg, other.dec_deg))
    ratio = abs(math.log(one.pixscale_arcsec / other.pixscale_arcsec))
    is_at_same_place = apart_deg < _SAME_PLACE * width_px * one.pixscale_arcsec / 3600
    return is_at_same_place and ratio < math.log(_SAME_SCALE)


class CandidateReader:
    """Reads the candidates from the logs of a race's attempts as they grow; close it to close the logs."""

    def __init__(self, job: JobDir) -> None:
        self._job = job
        self._logs: dict[int, BinaryIO] = {}
        self._kept: dict[int, bytes] = {}
        self._files = contextlib.ExitStack()

    def read(self, number: int, label: str) -> list[Candidate]:
        """Return the candidates that an attempt has logged since the last call, or in the next ``_CHUNK`` bytes."""
        return self._read_chunk(number, label) or []

    def read_to_end(self, number: int, label: str) -> list[Candidate]:
        """Return all candidates that an attempt has logged since the last call; its engine must have ended."""
        chunks = iter(lambda: self._read_chunk(number, label), None)
        return [candidate for chunk in chunks for candidate in chunk]

    def _read_chunk(self, number: int, label: str) -> list[Candidate] | None:
        """Return the candidates in the next ``_CHUNK`` bytes of a log; None if there are no more bytes."""
        try:
            if number not in self._logs:
                log = open_plain_file(self._job.run_dir(number) / RUN_LOG)
                self._logs[number] = self._files.enter_context(log)
            fresh = self._logs[number].read(_CHUNK)
        except OSError:
            return None
        if not fresh:
            return None
        text = self._kept.get(number, b"") + fresh
        found = list(match_lines.read(text))
        self._kept[number] = text[max(match_lines.end(text), len(text) - _KEPT) :]
        return [Candidate(number, label, m.logodds, m.ra_deg, m.dec_deg, m.pixscale_arcsec) for m in found]

    def close(self) -> None:
        """Close the logs."""
        self._files.close()
