"""``nova batch --dry-run``: shows what a run would do with each frame, and why.  Nothing is locked or written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from novacli.batch.frames import output_paths
from novacli.batch.frames.existing_outputs import FrameFiles, existing_error, replaceable
from novacli.batch.frames.listing import FoundFrames, is_settled
from novacli.batch.frames.own_outputs import is_written_by_nova
from novacli.batch.ledger.database import Ledger
from novacli.batch.ledger.plan import PlannedFrame, Reason, plan
from novacli.batch.records import OWN_OUTPUT, BatchOutputs, FrameRecord
from novacli.batch.run.request import BatchRequest
from novacli.batch.run.session import check_mount, frames_of, plan_options
from novacli.errors import InputMissingError
from novacli.text.printable import shown_name
from solvehost.record import record

#: What a run would do with a frame: solve it; read it to see if it still has the content that its result belongs to;
#: wait until it is written; nothing; fail it, because permissions or existing files are in the way of its outputs.
SOLVE, COMPARE, WAIT, SKIP, REFUSE = "solve", "compare", "wait", "skip", "refuse"


@record
class DryRunLine:
    """What a run would do with a frame.

    ``action`` is ``solve``, ``compare``, ``wait``, ``skip`` or ``refuse``; ``files`` are the outputs that it would
    write.
    """

    path: str
    action: str
    reason: str
    files: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        """Return one line of text."""
        return f"{self.path}: {self.action}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``nova batch --dry-run --json`` prints."""
        return {"input": self.path, "action": self.action, "reason": self.reason, "files": dict(self.files)}


def dry_run(request: BatchRequest) -> tuple[FoundFrames, Iterator[DryRunLine]]:
    """Return the frames that a request names, and a line for each of them, by path.

    Raises
    ------
    NovaError
        If the run could not begin.
    """
    found = frames_of(request)
    records, written = _ledger_content(request)
    check_mount(request, found, records)
    made = plan(found.frames, records, plan_options(request, written))
    files = output_paths.output_files(found.frames, request.outputs)
    planned = {item.frame.path: item for item in made.planned}
    now_s = time.time()

    def lines() -> Iterator[DryRunLine]:
        for frame in found.frames:
            item = planned.get(frame.path)
            if item is None:
                reason = Reason.OWN_OUTPUT if records[frame.path].fate == OWN_OUTPUT else Reason.DONE
                yield DryRunLine(frame.path, SKIP, _skip_text(reason, records[frame.path]))
            elif is_settled(frame, now_s, request.settle_s):
                yield _line(item, files.get(frame.path, ()), written, request.outputs)
            else:
                yield DryRunLine(frame.path, WAIT, f"it was written to within {request.settle_s:g} s")

    return found, lines()


def _ledger_content(request: BatchRequest) -> tuple[dict[str, FrameRecord], frozenset[str]]:
    """Return the ledger's records and the outputs that it lists; none if there is no ledger yet."""
    try:
        with Ledger.read(request.ledger) as ledger:
            return ledger.records(), ledger.written_outputs()
    except InputMissingError:
        return {}, frozenset()


def _line(item: PlannedFrame, files: FrameFiles, written: frozenset[str], outputs: BatchOutputs) -> DryRunLine:
    path = item.frame.path
    if item.may_be_own_output and is_written_by_nova(path):
        return DryRunLine(path, SKIP, Reason.OWN_OUTPUT)
    own = replaceable(files, written, item.record, outputs)
    error = existing_error(path, files, own, outputs) or output_paths.denied(item.frame, files, outputs)
    if error is not None and item.known_content is None:
        return DryRunLine(path, REFUSE, str(error).removeprefix(f"{shown_name(path)}: "))
    return DryRunLine(path, SOLVE if item.known_content is None else COMPARE, item.reason, files)


def _skip_text(reason: Reason, record: FrameRecord) -> str:
    return reason if reason == Reason.OWN_OUTPUT else f"{reason} ({record.fate})"
