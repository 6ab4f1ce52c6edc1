"""From an image to a result: the real engine on a drawn field, and stand-ins for rare events."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import fitsio
import numpy as np
import pytest
from made_indexes import make_index
from made_lines import line_of, normalised, problems
from made_sky import DrawnField, scattered, star_picture
from numpy.typing import NDArray

from novacli import backends, config
from novacli.backends.base import SolveOutcome
from novacli.errors import InternalError, OutputError, RetryLaterError, UnavailableError
from novacli.extraction.detect import DetectionSettings, detect_sources
from novacli.files.urls import USER_POLICY
from novacli.inputs import FileInput, UrlInput, from_array
from novacli.parallel.iteration import when_ready
from novacli.pipeline.context import Context
from novacli.pipeline.solve import solve_field, solve_input
from novacli.records.budget import Budget
from novacli.records.field import Image
from novacli.records.params import Position, Scale, ScaleUnit, SolveParams
from novacli.records.parity import Parity
from novacli.records.progress import Progress
from novacli.records.status import FAILED, SOLVED, UNSOLVED
from novacli.solution.reading import Solution, Unsolved
from novacli.strategy.portfolio import BLURRED_BINNING
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir
from solvehost.indexes import index_set
from solvehost.indexes.index_file import IndexFile

GOLDEN = Path(__file__).parents[1] / "reports" / "results" / "golden"
ARCSEC = ScaleUnit.ARCSEC_PER_PIXEL
#: What of a field's star list suffices to hint at it, and a time limit that no test waits for in vain.
QUICK = {"timeout_s": 60.0}


# --- With the real engine ------------------------------------------------------------------------------------------


@pytest.mark.engine
def test_a_fits_image_is_solved_blind_with_negative_parity(
    drawn: DrawnField, fits: Path, real_context: Context
) -> None:
    solved = solve_input(FileInput(str(fits)), SolveParams(**QUICK), real_context)
    line = line_of(solved)
    assert line["status"] == SOLVED
    drawn.assert_found(line["calibration"], parity=-1)
    assert math.isclose(line["calibration"]["up_deg_e_of_n"], 25, abs_tol=0.5)
    assert solved.origin is not None
    assert solved.origin.path == str(fits)


@pytest.mark.engine
def test_a_jpeg_s_first_row_is_y_1_so_its_parity_is_positive(
    drawn: DrawnField, tmp_path: Path, real_context: Context
) -> None:
    """The same picture: up stays up, y counts down, and nova's orientation counts the other way round."""
    solved = solve_input(FileInput(str(drawn.write_jpeg(tmp_path / "field.jpg"))), SolveParams(**QUICK), real_context)
    line = line_of(solved)
    drawn.assert_found(line["calibration"], parity=+1)
    assert math.isclose(line["calibration"]["up_deg_e_of_n"], 25, abs_tol=0.5)
    assert isinstance(solved.answer, Solution)
    _, dec = solved.answer.tan_sip.tan_pixel_to_sky(400.5, 1.0)
    assert dec > drawn.dec_deg + 3, "the first row is at the top, in the north"


@pytest.mark.engine
@pytest.mark.parametrize("flip", ["left to right", "top to bottom"])
def test_a_mirrored_image_has_the_other_parity(drawn: DrawnField, real_context: Context, flip: str) -> None:
    pixels = drawn.pixels[:, ::-1] if flip == "left to right" else drawn.pixels[::-1]
    line = line_of(solve_field(from_array(pixels), SolveParams(**QUICK), real_context))
    drawn.assert_found(line["calibration"], parity=+1)


@pytest.mark.engine
def test_binning_does_not_move_the_sky(drawn: DrawnField, real_context: Context) -> None:
    """A binned and an unbinned search put the corners at the same place, to a fraction of a pixel."""
    found = []
    for binning in (1, 3):
        solved = solve_field(from_array(drawn.pixels), SolveParams(downsample=binning, **QUICK), real_context)
        assert isinstance(solved.answer, Solution)
        found.append(solved.answer.tan_sip.tan_pixel_to_sky(400.5, 300.5))
    apart_deg = math.hypot(
        (found[0][0] - found[1][0]) * math.cos(math.radians(drawn.dec_deg)), found[0][1] - found[1][1]
    )
    assert apart_deg * 3600 < 0.3 * drawn.pixscale_arcsec


@pytest.mark.engine
def test_hints_of_a_header_are_used_and_named(drawn: DrawnField, tmp_path: Path, real_context: Context) -> None:
    cards = {"PIXSCALE": drawn.pixscale_arcsec, "OBJCTRA": "05 36 00", "OBJCTDEC": "-03 00 00"}
    path = str(drawn.write_fits(tmp_path / "hinted.fits", **cards))
    line = line_of(solve_input(FileInput(path), SolveParams(fallback=False, **QUICK), real_context))
    drawn.assert_found(line["calibration"], parity=-1)
    assert [h["source"] for h in line["hints"]] == ["PIXSCALE", "OBJCTRA/OBJCTDEC"]
    assert line["match"]["attempt"].endswith("(PIXSCALE + OBJCTRA/OBJCTDEC)")
    blind = line_of(solve_input(FileInput(path), SolveParams(blind=True, **QUICK), real_context))
    assert blind["hints"] == []
    drawn.assert_found(blind["calibration"], parity=-1)


#: Each takes for granted what is not so; the time limit is for those who wait for the wrong search to end.
WRONG = {
    "scale": {"scale": Scale(4.0, 5.0, ScaleUnit.DEG_WIDTH)},
    "place": {"position": Position(200.0, 40.0, 2.0)},
    "parity": {"parity": Parity.POSITIVE},
    "everything": {
        "scale": Scale(4.0, 5.0, ScaleUnit.DEG_WIDTH), "position": Position(200.0, 40.0, 2.0),
        "parity": Parity.POSITIVE,
    },
}  # fmt: skip


@pytest.mark.engine
@pytest.mark.parametrize("wrong", WRONG)
def test_an_image_with_a_wrong_hint_is_solved(wrong: str, drawn: DrawnField, real_context: Context) -> None:
    line = line_of(solve_field(from_array(drawn.pixels), SolveParams(**WRONG[wrong], **QUICK), real_context))
    drawn.assert_found(line["calibration"], parity=-1)
    assert line["match"]["attempt"].endswith("(blind)")


@pytest.mark.engine
@pytest.mark.parametrize("wrong", ["place", "parity"])
def test_a_wrong_hint_that_is_trusted_leaves_the_image_unsolved(
    wrong: str, drawn: DrawnField, real_context: Context
) -> None:
    params = SolveParams(**WRONG[wrong], fallback=False, timeout_s=2.0)
    solved = solve_field(from_array(drawn.pixels), params, real_context)
    line = line_of(solved)
    assert (line["status"], solved.result.exit_code) == (UNSOLVED, 1)
    assert line["reason"] in ("time-limit", "exhausted")
    assert not any(a["label"].endswith("(blind)") for a in line["timing"]["attempts"])


@pytest.mark.engine
def test_a_scale_that_no_index_file_serves_is_an_error_before_the_race(
    drawn: DrawnField, real_context: Context
) -> None:
    params = SolveParams(scale=Scale(0.001, 0.002, ARCSEC), fallback=False)
    with pytest.raises(UnavailableError, match=r"array: no installed index file fits a field .* those here solve"):
        solve_field(from_array(drawn.pixels), params, real_context)
    assert jobdir.list_jobs(real_context.jobs_dir) == []


@pytest.mark.engine
def test_a_scale_that_no_index_file_serves_is_noted_if_a_blind_attempt_follows(
    drawn: DrawnField, real_context: Context
) -> None:
    line = line_of(
        solve_field(from_array(drawn.pixels), SolveParams(scale=Scale(0.001, 0.002, ARCSEC), **QUICK), real_context)
    )
    assert line["status"] == SOLVED
    assert any("no installed index file fits" in note for note in line["notes"])


@pytest.mark.engine
def test_noise_is_unsolved(real_context: Context) -> None:
    """Stars that are in no catalogue: no false answer, and the time limit holds."""
    picture = star_picture(scattered(60, (400, 500)), (400, 500), flux=20_000)
    solved = solve_field(from_array(picture), SolveParams(timeout_s=3.0), real_context)
    line = line_of(solved)
    assert (line["status"], line["reason"]) == (UNSOLVED, "time-limit")
    assert isinstance(solved.answer, Unsolved)
    assert solved.answer.attempts == len(line["timing"]["attempts"]) > 0


@pytest.mark.engine
def test_a_solved_line_equals_the_golden_file(drawn: DrawnField, tmp_path: Path, real_context: Context) -> None:
    """Except for seconds, ids, paths, and values that depend on the installed index files."""
    cards = {"PIXSCALE": 54.0, "OBJCTRA": "05 36 00", "OBJCTDEC": "-03 00 00", "RA": 654.0, "DEC": 1.0}
    path = str(drawn.write_fits(tmp_path / "golden.fits", **cards))
    line = normalised(line_of(solve_input(FileInput(path), SolveParams(**QUICK), real_context)))
    line["match"] = {key: type(value).__name__ for key, value in line["match"].items()}
    golden = json.loads((GOLDEN / "solved.json").read_text(encoding="utf-8"))
    assert line["calibration"] == pytest.approx(golden["calibration"], rel=0.01)
    assert {**line, "calibration": None} == {**golden, "calibration": None}
    assert [list(line), list(line["calibration"])] == [list(golden), list(golden["calibration"])]


@pytest.mark.engine
def test_the_job_directory_has_everything_except_the_pixels(
    drawn: DrawnField, fits: Path, real_context: Context
) -> None:
    line = line_of(solve_input(FileInput(str(fits)), SolveParams(**QUICK), real_context))
    (job,) = jobdir.list_jobs(real_context.jobs_dir)
    assert line["job"] == job.job_id
    assert job.read_json(jobdir.RESULT) == line
    request = job.read_json(jobdir.REQUEST)
    assert request is not None
    assert request["source"]["sha256"] == hashlib.sha256(fits.read_bytes()).hexdigest()
    assert request["source"]["path"] == str(fits)
    assert sum(f.stat().st_size for f in job.path.iterdir()) < drawn.pixels.nbytes / 2
    for path in line["files"].values():
        assert Path(path).exists()
    assert not job.run_dirs()


@pytest.mark.engine
def test_a_star_list_is_solved_like_its_image(drawn: DrawnField, tmp_path: Path, real_context: Context) -> None:
    """FITS pixel coordinates in a text file, found by other software."""
    from novacli.extraction.detect import DetectionSettings
    from novacli.extraction.extractor import StarExtractor
    from novacli.extraction.order import StarOrder

    stars = StarExtractor(from_array(drawn.pixels)).stars(DetectionSettings(1), StarOrder.FLUX)
    rows = "\n".join(f"{x:.3f},{y:.3f},{f:.1f}" for x, y, f in zip(stars.x, stars.y, stars.flux, strict=True))
    path = tmp_path / "stars.csv"
    path.write_text(f"x,y,flux\n{rows}\n")
    line = line_of(solve_input(FileInput(str(path)), SolveParams(size=(800, 600), **QUICK), real_context))
    drawn.assert_found(line["calibration"], parity=-1)
    assert line["source"]["kind"] == "stars"


@pytest.mark.skipif(sys.platform != "linux", reason="a child looks for stars on Linux alone")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_time_limit_is_kept_while_stars_are_looked_for(
    context: Context, field_of_stars: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engines of the first attempts have ended without a solution, and a further star list takes for ever."""

    def detect(image: Image, settings: DetectionSettings) -> NDArray[np.void]:
        if settings.binning == BLURRED_BINNING:
            time.sleep(3600)
        return detect_sources(image, settings)

    # The tests may run in a process with threads, which would look for the stars itself.
    monkeypatch.setattr("novacli.parallel.iteration.is_single_threaded", lambda: True)
    monkeypatch.setattr("novacli.extraction.extractor.detect_sources", detect)
    solved = solve_field(field_of_stars, SolveParams(timeout_s=2.0), context)
    assert (solved.result.status, solved.result.reason) == (UNSOLVED, "time-limit")


# --- With a stand-in for the engine --------------------------------------------------------------------------------


def test_an_unsolved_line_is_valid_and_has_a_reason(context: Context, field_of_stars: Any) -> None:
    solved = solve_field(field_of_stars, SolveParams(), context)
    line = line_of(solved)
    assert (line["status"], line["reason"], line["calibration"]) == (UNSOLVED, "exhausted", None)
    assert {a["outcome"] for a in line["timing"]["attempts"]} == {"exhausted"}
    assert solved.result.exit_code == 1


def test_too_few_stars_are_a_result_without_a_job(context: Context) -> None:
    """The note says how many there were, and the file's name is not repeated."""
    for count, words in ((0, "no star was found"), (1, "1 star was found"), (3, "3 stars were found")):
        picture = star_picture(scattered(count, (300, 400)), (300, 400), flux=9000)
        solved = solve_field(from_array(picture), SolveParams(), context)
        line = line_of(solved)
        assert (line["status"], line["reason"], line["job"]) == (UNSOLVED, "no-stars", None)
        assert line["notes"][-1].startswith(f"{words}, and a match takes 4")
        assert solved.answer == Unsolved("no-stars", 0, pytest.approx(0, abs=60))
    assert not context.jobs_dir.exists()


def test_a_file_that_cannot_be_read_is_a_failed_line_without_a_job(context: Context, tmp_path: Path) -> None:
    solved = solve_input(FileInput(str(tmp_path / "none.fits")), SolveParams(), context)
    line = line_of(solved)
    assert (line["status"], line["job"], line["source"], line["files"]) == (FAILED, None, {}, {})
    assert (line["error"]["exit_code"], solved.result.exit_code) == (66, 66)


def test_credentials_in_a_url_are_shown_nowhere(context: Context) -> None:
    """Not even if nothing could be downloaded."""
    words: list[str] = []
    url = "http://ada:secret@127.0.0.1:1/a.fits?token=hidden"
    solved = solve_input(
        UrlInput(url, USER_POLICY), SolveParams(), dataclasses.replace(context, progress=Progress(words.append))
    )
    line = line_of(solved)
    assert line["status"] == FAILED
    assert line["input"] == "http://***@127.0.0.1:1/a.fits?token=***"
    for text in (json.dumps(line), *words):
        assert "secret" not in text
        assert "hidden" not in text


@dataclasses.dataclass
class Failing:
    """A backend that fails after it has taken two attempts."""

    files: Sequence[IndexFile]
    error: Exception
    name: str = "failing"

    def index_files(self) -> Sequence[IndexFile]:
        return self.files

    def notes(self) -> Sequence[str]:
        return ()

    def solve(self, job: JobDir, numbers: Iterator[int | None], budget: Budget, progress: Progress) -> SolveOutcome:
        list(itertools.islice(when_ready(numbers), 2))
        raise self.error


@pytest.fixture
def failing(tmp_path: Path) -> Callable[[Exception], Context]:
    files = index_set.scan([make_index(tmp_path / "index-1.fits", 10, 2000)]).files
    return lambda error: Context(tmp_path / "jobs", Failing(files, error))


@pytest.mark.parametrize(
    ("error", "code"),
    [(InternalError("the engine failed"), 70), (RetryLaterError("busy"), 75), (OSError(28, "No space left"), 73)],
)
def test_a_job_that_fails_keeps_its_star_lists_and_its_result(
    failing: Callable[[Exception], Context], field_of_stars: Any, error: Exception, code: int
) -> None:
    context = failing(error)
    solved = solve_field(field_of_stars, SolveParams(), context)
    line = line_of(solved)
    assert (line["status"], line["error"]["exit_code"]) == (FAILED, code)
    (job,) = jobdir.list_jobs(context.jobs_dir)
    assert job.read_json(jobdir.RESULT) == line
    assert job.attempts() == [1, 2]
    assert job.state() == FAILED


@pytest.mark.parametrize(
    ("message", "expected"), [("a failed", "a: a failed"), ("a: it failed", "a: it failed")], ids=["word", "name"]
)
def test_an_error_names_its_input_once(
    failing: Callable[[Exception], Context], field_of_stars: Any, message: str, expected: str
) -> None:
    """Also if the message happens to begin like the name."""
    field = dataclasses.replace(field_of_stars, origin=dataclasses.replace(field_of_stars.origin, name="a"))
    line = line_of(solve_field(field, SolveParams(), failing(InternalError(message))))
    assert line["error"]["message"] == expected


def test_a_fault_of_nova_is_a_failed_result(
    failing: Callable[[Exception], Context], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_options: object) -> None:
        raise ZeroDivisionError("by accident")

    monkeypatch.setattr("novacli.pipeline.solve.open_field", broken)
    line = line_of(solve_input(FileInput("a.fits"), SolveParams(), failing(InternalError(""))))
    assert line["error"]["exit_code"] == 70
    assert line["error"]["message"].startswith("a.fits: ZeroDivisionError: by accident")
    monkeypatch.setenv("NOVA_DEBUG", "1")
    with pytest.raises(ZeroDivisionError, match="by accident"):
        solve_input(FileInput("a.fits"), SolveParams(), failing(InternalError("")))


def test_attempts_are_written_as_the_race_asks_for_them(
    failing: Callable[[Exception], Context], field_of_stars: Any
) -> None:
    """The first is there before the job is visible, the others come when a core is free."""
    context = failing(InternalError(""))
    seen: list[list[int]] = []

    class Watching(Failing):
        def solve(self, job: JobDir, numbers: Iterator[int | None], budget: Budget, progress: Progress) -> SolveOutcome:
            ready = when_ready(numbers)
            for _ in range(3):
                seen.append(job.attempts())
                next(ready)
            raise self.error

    backend = Watching(context.backend.index_files(), InternalError(""))
    solve_field(field_of_stars, SolveParams(), dataclasses.replace(context, backend=backend))
    assert seen == [[1], [1], [1, 2]]


def test_a_visible_job_is_locked(context: Context, field_of_stars: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise ``nova retry --state interrupted`` could take it at that moment."""
    publish, states = jobdir.publish, []

    def watched(staged: JobDir) -> JobDir:
        job = publish(staged)
        states.append(job.state())
        return job

    monkeypatch.setattr(jobdir, "publish", watched)
    result = solve_field(field_of_stars, SolveParams(), context).result
    (job,) = jobdir.list_jobs(context.jobs_dir)
    assert states == ["running"]
    assert (job.state(), job.is_locked()) == (result.status, False)


def test_progress_hears_each_step(context: Context, tmp_path: Path) -> None:

    words: list[str] = []
    fitsio.write(str(tmp_path / "a.fits"), star_picture(scattered(40, (300, 400)), (300, 400), flux=9000))
    solve_input(
        FileInput(str(tmp_path / "a.fits")),
        SolveParams(),
        dataclasses.replace(context, progress=Progress(words.append)),
    )
    assert words[0] == f"reading {tmp_path / 'a.fits'}"
    assert words[1] == "looking for stars"
    assert words[2].endswith("(blind)")


def test_a_cancelled_solve_has_the_reason_cancelled(context: Context, field_of_stars: Any) -> None:
    solved = solve_field(
        field_of_stars, SolveParams(), dataclasses.replace(context, progress=Progress(cancelled=lambda: True))
    )
    line = line_of(solved)
    assert (line["status"], line["reason"]) == (UNSOLVED, "cancelled")


def test_a_jobs_directory_that_cannot_be_made_is_named(context: Context, field_of_stars: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "jobs"):
        with pytest.raises(OutputError, match=rf"^{place}: .*: a job directory cannot be made there"):
            solve_field(field_of_stars, SolveParams(), dataclasses.replace(context, jobs_dir=place))


def test_a_job_that_cannot_be_written_leaves_nothing(
    context: Context, field_of_stars: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a job would take the room that is left on a full disk."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("novacli.pipeline.prepare.axy.write", fail)
    with pytest.raises(OutputError, match="No space left on device: a job directory cannot be made there"):
        solve_field(field_of_stars, SolveParams(), context)
    assert list(context.jobs_dir.iterdir()) == []


def test_a_damaged_index_file_is_named_in_the_notes_and_left_out(
    context: Context, field_of_stars: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "indexes" / "index-4119.fits").write_bytes(b"SIMPLE  =                    T" + bytes(50))
    monkeypatch.setenv("NOVA_INDEX", str(tmp_path / "indexes"))
    damaged = dataclasses.replace(context, backend=backends.connect("local", config.load()))
    line = line_of(solve_field(field_of_stars, SolveParams(), damaged))
    assert any("index-4119.fits is left out" in note for note in line["notes"])
    (job,) = jobdir.list_jobs(context.jobs_dir)
    assert (job.read_json(jobdir.MANIFEST) or {})["indexes"]["failed"] == ["index-4119.fits"]
    assert line["reason"] == "exhausted"


def test_the_check_against_the_schema_refuses_an_unknown_key(context: Context, field_of_stars: Any) -> None:
    """A test of the tests' own check."""
    line = solve_field(field_of_stars, SolveParams(), context).result.to_json()
    assert problems(line) == []
    assert problems({**line, "extra": 1})


def test_no_pixel_is_changed_by_a_solve(context: Context) -> None:
    picture = star_picture(scattered(40, (300, 400)), (300, 400), flux=9000)
    field = from_array(picture)
    before = field.pixels.copy()  # type: ignore[union-attr]
    solve_field(field, SolveParams(), context)
    assert np.array_equal(field.pixels, before)  # type: ignore[union-attr]
