"""Candidates: matches in the logs of running engines."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from solvehost.engine.candidates import CandidateReader, are_near
from solvehost.engine.records import Candidate
from solvehost.formats import jobdir, match_lines

LINES = (
    b"  log-odds ratio 20.5 (8e+08), 6 match, 0 conflict, 1 distractors, 18 index.\n"
    b"  RA,Dec = (-10.5,20.25), pixel scale 30 arcsec/pix.\n"
)
CANDIDATE = Candidate(1, "one", 20.5, 349.5, 20.25, 30.0)


def test_a_log_is_read_as_it_grows(tmp_path: Path) -> None:
    """The engine may have written half of a line; each match is returned once."""
    job = jobdir.JobDir(tmp_path)
    with contextlib.closing(CandidateReader(job)) as reader:
        assert reader.read(1, "one") == []
        job.run_dir(1).mkdir()
        log = job.run_dir(1) / jobdir.RUN_LOG
        log.write_bytes(b"words\n" * 1000 + LINES[:90])
        assert reader.read(1, "one") == []
        log.write_bytes(b"words\n" * 1000 + LINES)
        assert reader.read(1, "one") == [CANDIDATE]
        assert reader.read(1, "one") == []
        log.write_bytes(b"words\n" * 1000 + LINES + LINES)
        assert reader.read(1, "one") == [CANDIDATE]


def test_a_long_log_is_read_to_its_end(tmp_path: Path) -> None:
    job = jobdir.JobDir(tmp_path)
    job.run_dir(1).mkdir()
    (job.run_dir(1) / jobdir.RUN_LOG).write_bytes(LINES + b"words\n" * 2**17 + LINES)
    with contextlib.closing(CandidateReader(job)) as reader:
        assert reader.read_to_end(1, "one") == [CANDIDATE, CANDIDATE]
        assert reader.read_to_end(1, "one") == []


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"20.5", b"1e9999"), (b"20.5", b"1-2"), (b"20.25", b"91"), (b"scale 30", b"scale 0"), (b"scale 30", b"scale -1")],
)
def test_a_match_with_impossible_numbers_is_ignored(old: bytes, new: bytes) -> None:
    assert list(match_lines.read(LINES.replace(old, new) + LINES)) == list(match_lines.read(LINES))


def test_every_repetition_in_the_pattern_of_a_match_is_bounded() -> None:
    """A log by a hostile engine could otherwise take a time that grows as the square of its length."""
    pattern = match_lines._MATCH.pattern
    assert isinstance(pattern, bytes)
    assert not set(b"*+") & set(re.sub(rb"\[[^]]*\]", b"", pattern))
    assert list(match_lines.read(LINES.replace(b"(8e+08)", b"(" + b"8" * 81 + b")"))) == list(match_lines.read(b""))


@pytest.mark.parametrize(
    ("changes", "is_near"),
    [({}, True), ({"dec_deg": 20.3}, True), ({"dec_deg": 21.2}, False), ({"pixscale_arcsec": 31.0}, False)],
)
def test_candidates_are_near_if_place_and_scale_agree(changes: dict[str, float], is_near: bool) -> None:
    """The field is 1000 pixels wide, which is 8.3 degrees."""
    assert are_near(replace(CANDIDATE, **changes), CANDIDATE, 1000) is is_near
