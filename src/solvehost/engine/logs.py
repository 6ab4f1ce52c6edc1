"""The logs of engines: one for each attempt while it runs, joined into ``backend.log`` when the race ends."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable

from solvehost.engine.records import AttemptOutcome
from solvehost.engine.result_files import open_plain_file
from solvehost.errors import NovaError
from solvehost.formats import axy
from solvehost.formats.jobdir import LOG, RUN_LOG, JobDir

#: Bytes that are kept of the beginning and of the end of a longer log; an engine may write megabytes a second.
_LOG_END_BYTES = 2**19
_FAILED_INDEX = re.compile(rb'(?:Failed to (?:add|load)|Couldn\'t find) index (?:from path )?"?([^"\n]+?)"?\.?\n')


def attempt_log(job: JobDir, number: int) -> bytes:
    """Return what the engine of an attempt has logged so far, without the middle of a very long log."""
    try:
        with open_plain_file(job.run_dir(number) / RUN_LOG) as stream:
            head = stream.read(_LOG_END_BYTES)
            left_out = stream.seek(0, os.SEEK_END) - 2 * _LOG_END_BYTES
            stream.seek(max(len(head), left_out + _LOG_END_BYTES))
            tail = stream.read(_LOG_END_BYTES)
    except OSError:
        return b""
    return head + (b"\n... %d bytes left out ...\n" % left_out if left_out > 0 else b"") + tail


def failed_indexes(log: bytes) -> set[str]:
    """Return the index files that did not load according to the engine's log."""
    return {m.decode(errors="replace") for m in _FAILED_INDEX.findall(log)}


def join_logs(job: JobDir, outcomes: Iterable[AttemptOutcome]) -> None:
    """Append the logs of the attempts to the job's log, each after a line with its label and outcome."""
    parts = []
    for o in outcomes:
        parts.append(f"== {o.label}: {o.outcome} after {o.seconds:.2f} s\n".encode())
        parts.append(attempt_log(job, o.number))
    with contextlib.suppress(OSError), (job.path / LOG).open("ab") as log:
        log.write(b"".join(parts))


def label_of(job: JobDir, number: int) -> str:
    """Return the label of an attempt in tables and logs."""
    try:
        label = axy.read(job.axy(number)).schedule.label
    except (NovaError, OSError):
        label = ""
    return label or f"attempt {number}"
