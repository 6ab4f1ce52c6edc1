"""The paragraph that cron mails: each reason once, and the command that lists all frames."""

from __future__ import annotations

from pathlib import Path

from novacli.batch.records import FrameRecord, LedgerEntry
from novacli.batch.run.recorder import RunCounts
from novacli.batch.run.summary import BatchOutcome, ProblemSummary
from novacli.records.result import ErrorRecord, Result
from novacli.records.status import FAILED, UNSOLVED


def problems(*frames: tuple[str, str, str]) -> ProblemSummary:
    """A summary of frames: (path, fate, reason)."""
    made = ProblemSummary()
    for path, fate, reason in frames:
        record = FrameRecord(1, 1, None, "", frozenset(), fate, 1, 1)
        if fate == UNSOLVED:
            result = Result(path, UNSOLVED, reason=reason)
        else:
            result = Result(path, FAILED, error=ErrorRecord(f"{path} {reason}", 65, retry_is_safe=False))
        made.add(LedgerEntry(path, record), result)
    return made


def test_each_reason_is_reported_once_with_its_count() -> None:
    frames = [(f"/n/{n}.fits", FAILED, "is a text file") for n in range(40)]
    frames += [(f"/n/u{n}.fits", UNSOLVED, "exhausted") for n in range(2)]
    assert problems(*frames).sentences() == [
        "/n/0.fits is a text file (and 39 more frames for the same reason).",
        "/n/u0.fits: unsolved (exhausted) (and 1 more frame for the same reason).",
    ]


def test_many_reasons_are_cut_short() -> None:
    shown = problems(*((f"/n/{n}.fits", FAILED, f"has fault {n}") for n in range(20))).sentences()
    assert len(shown) == 9
    assert shown[-1] == "And 12 more reasons."


def test_the_command_that_lists_all_frames_follows(tmp_path: Path) -> None:
    counts = RunCounts(["/n/a.fits"], {"/n/a.fits": FAILED})
    outcome = BatchOutcome(counts, 65, 1.0, ledger=tmp_path / "a b.sqlite")
    paragraph = outcome.paragraph(problems(("/n/a.fits", FAILED, "is a text file")))
    assert paragraph.endswith(
        f"/n/a.fits is a text file. All frames: nova batch report --ledger '{tmp_path}/a b.sqlite'"
    )


def test_an_earlier_failure_that_was_not_reported_makes_a_quiet_run_speak() -> None:
    outcome = BatchOutcome(RunCounts(), 65, 1.0, earlier=problems(("/n/a.fits", FAILED, "is a text file")))
    assert not outcome.is_well
    assert "An earlier run, which was cut off, found: /n/a.fits is a text file." in outcome.paragraph(None)
    assert BatchOutcome(RunCounts(), 0, 1.0, remarks=("x",)).is_well
    assert not BatchOutcome(RunCounts(), 0, 1.0, remarks=("x",), new_remarks=("x",)).is_well
