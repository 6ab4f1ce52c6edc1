"""From the outcome of a race to the result of the job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_jobs import make_job
from made_results import wcs_fits

from novacli.backends.base import SolveOutcome
from novacli.errors import DataError
from novacli.jobs.request import JobRequest
from novacli.pipeline.conclude import conclude, files_of
from novacli.records.hints import ScaleHint
from novacli.records.params import SolveParams
from novacli.records.provenance import Provenance
from novacli.records.result import SourceRecord
from novacli.solution import improve as refitfiles
from novacli.solution.reading import Solution, Unsolved
from solvehost.engine.records import AttemptOutcome, RaceResult
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir

SOLVED = RaceResult("solved", "none", 2, (AttemptOutcome(2, "by flux", "solved", 0.5, 0.4),), (), (), 0.5, 0.4)
EXHAUSTED = RaceResult("unsolved", "exhausted", None, (), (), (), 0.5, 0.4)


@pytest.fixture
def job(tmp_path: Path) -> JobDir:
    return make_job(tmp_path, "interrupted")


def test_a_draft_has_the_values_of_the_request(job: JobDir) -> None:
    source = {"path": "/a", "format": "FITS", "hdu": 0, "kind": "image", "width": 9, "height": 8}
    request = {"input": "a.fits", "notes": ["n"], "source": {**source, "sha256": "x"}, "created": "c"}
    draft = JobRequest.from_json(request).draft(job)
    assert (draft.input, draft.job, draft.notes, draft.created) == ("a.fits", job.job_id, ("n",), "c")
    assert draft.source == SourceRecord(**source)


def test_a_solved_race_becomes_a_solution(job: JobDir) -> None:
    job.wcs.write_bytes(wcs_fits())
    result, answer = conclude(job, JobRequest(notes=("n",)), SolveOutcome(SOLVED, "solve1", ("late",)))
    assert isinstance(answer, Solution)
    assert (result.status, result.server, result.notes) == ("solved", "solve1", ("n", "late"))
    assert result.match is not None
    assert result.match.attempt == "by flux"
    assert result.files["wcs"] == str(job.wcs)


def test_a_wrong_hint_gives_a_note(job: JobDir) -> None:
    job.wcs.write_bytes(wcs_fits())
    hint = ScaleHint(1.0, 2.0, "--scale-low/--scale-high", Provenance.USER)
    result, _ = conclude(job, JobRequest(hints=(hint,)), SolveOutcome(SOLVED))
    assert result.notes[-1].startswith('the scale by --scale-low/--scale-high is wrong: 1 to 2"/pixel')


@pytest.mark.parametrize(
    ("params", "keep"), [(None, False), (SolveParams(), False), (SolveParams(tweak_order=0), True)]
)
def test_the_distortion_order_of_the_user_is_kept(
    job: JobDir, params: SolveParams | None, keep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the solution is fitted again; its leave-one-out RMS is in the result."""
    told: list[bool] = []

    def improve(_job: JobDir, *, keep: bool) -> refitfiles.Judgement:
        told.append(keep)
        return refitfiles.Judgement(2.5, 7.5, is_new=not keep)

    monkeypatch.setattr(refitfiles, "improve", improve)
    job.wcs.write_bytes(wcs_fits())
    result, answer = conclude(job, JobRequest(params=params), SolveOutcome(SOLVED))
    assert told == [keep]
    assert result.match is not None
    assert (result.match.heldout_rms_arcsec, result.match.corner_error_arcsec) == (2.5, 7.5)
    assert isinstance(answer, Solution)
    assert answer.match.heldout_rms_arcsec == 2.5


def test_a_fit_that_fails_is_noted_and_the_engine_s_solution_is_the_result(
    job: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_job: JobDir, *, keep: bool) -> None:
        raise refitfiles.FitError(f"it failed, keep={keep}")

    monkeypatch.setattr(refitfiles, "improve", fail)
    job.wcs.write_bytes(wcs_fits())
    result, answer = conclude(job, JobRequest(notes=("n",)), SolveOutcome(SOLVED))
    assert (result.status, result.notes) == ("solved", ("n", "it failed, keep=False"))
    assert isinstance(answer, Solution)


def test_an_unsolved_race_is_a_result(job: JobDir) -> None:
    result, answer = conclude(job, JobRequest(), SolveOutcome(EXHAUSTED))
    assert answer == Unsolved("exhausted", 0, 0.5)
    assert (result.status, result.reason, result.server) == ("unsolved", "exhausted", None)


def test_follow_ups_are_no_attempts(job: JobDir) -> None:
    outcomes = tuple(AttemptOutcome(n, "a", "exhausted", 0.5, 0.4) for n in (1, 2, jobdir.FOLLOW_UPS[0]))
    _, answer = conclude(job, JobRequest(), SolveOutcome(replace(EXHAUSTED, attempts=outcomes)))
    assert answer == Unsolved("exhausted", 2, 0.5)


def test_a_missing_solution_is_an_error(job: JobDir) -> None:
    with pytest.raises(DataError, match="no such file: the job has no solution"):
        conclude(job, JobRequest(), SolveOutcome(SOLVED))


def test_only_existing_files_are_listed(job: JobDir) -> None:
    assert files_of(job) == {"directory": str(job.path), "axy": str(job.axy(1))}


def test_a_rejected_match_gives_a_note(job: JobDir) -> None:
    """If no other attempt solves the image."""
    doubted = replace(EXHAUSTED, attempts=(AttemptOutcome(1, "by flux", "doubtful", 0.5, 0.4),))
    for race, notes in ((EXHAUSTED, []), (doubted, ["rests on clustered sources"])):
        result, _ = conclude(job, JobRequest(), SolveOutcome(race))
        assert len(result.notes) == len(notes)
        assert all(words in note for words, note in zip(notes, result.notes, strict=True))
