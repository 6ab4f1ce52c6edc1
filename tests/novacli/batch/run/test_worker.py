"""The outcome that a worker returns for a frame, and the files that it leaves."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fitsio
import pytest
from made_sky import DrawnField, scattered, star_picture

from novacli import config
from novacli.backends.local import engine_cpu_s
from novacli.batch.frames.listing import frame_at
from novacli.batch.records import (
    KEEP_ALL,
    KEEP_FAILURES,
    KEEP_NONE,
    BatchOutputs,
    FileContent,
    FrameTask,
    RunSetup,
    SequenceHint,
)
from novacli.batch.run import worker
from novacli.inputs import FileInput
from novacli.jobs.request import sha256_of
from novacli.pipeline import solve as pipeline
from novacli.pipeline.context import Context, Solved
from novacli.records.params import SolveParams
from novacli.records.result import Result
from novacli.records.status import FAILED, SOLVED, UNSOLVED
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir

Install = Callable[[str], Path]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A FITS image with stars that are in no catalogue."""
    path = tmp_path / "stars.fits"
    fitsio.write(str(path), star_picture(scattered(40, (300, 400)), (300, 400), flux=9000))
    return path


def task_of(path: Path, tmp_path: Path, keep: str = KEEP_FAILURES, update: bool = False, **more: object) -> FrameTask:
    jobs, work = tmp_path / "jobs", tmp_path / "jobs" / ".batch-x"
    work.mkdir(parents=True, exist_ok=True)
    outputs = BatchOutputs(tuple(kind for kind, _ in more.get("files", ())), update)  # type: ignore[union-attr, attr-defined]
    setup = RunSetup(
        os.urandom(4).hex(), "local", config.load(), SolveParams(timeout_s=60), outputs, keep, str(jobs), str(work)
    )
    return FrameTask(setup, frame_at(str(path), str(tmp_path)), **more)  # type: ignore[arg-type]


def jobs_in(tmp_path: Path) -> list[JobDir]:
    assert list((tmp_path / "jobs" / ".batch-x").iterdir()) == []
    return jobdir.list_jobs(tmp_path / "jobs")


@pytest.mark.parametrize("keep", [KEEP_FAILURES, KEEP_ALL])
def test_the_job_of_an_unsolved_frame_is_kept(stand_in: Install, picture: Path, tmp_path: Path, keep: str) -> None:
    stand_in("exit 0")
    done = worker.work(task_of(picture, tmp_path, keep))
    assert done.result is not None
    assert done.result.status == UNSOLVED
    (job,) = jobs_in(tmp_path)
    assert done.result.job == job.job_id
    assert done.result.files["directory"] == str(job.path)
    assert done.content.sha256 == sha256_of(str(picture))
    for path in done.result.files.values():
        assert Path(path).exists()
    assert (job.read_json(jobdir.RESULT) or {})["files"] == done.result.files


@pytest.mark.parametrize(("hints", "cpu_s"), [((), 120.0), ((SequenceHint("camera", "", None, None, 2.0, 1),), 40.0)])
def test_a_frame_of_a_solved_sequence_gets_less_cpu_time(
    stand_in: Install,
    picture: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hints: tuple[SequenceHint, ...],
    cpu_s: float,
) -> None:
    """In a cloudy night hundreds of frames are unsolved; only the first of a camera gets the whole time."""
    seen: list[float] = []

    def solve(_given: FileInput, _params: SolveParams, context: Context) -> Solved:
        seen.append(context.budget.cpu_share * engine_cpu_s(300))
        return Solved(Result(str(picture), UNSOLVED))

    monkeypatch.setattr(pipeline, "solve_input", solve)
    stand_in("exit 0")
    worker.work(task_of(picture, tmp_path, hints=hints))
    assert seen == [pytest.approx(cpu_s)]


def test_no_job_is_kept_with_keep_none(stand_in: Install, picture: Path, tmp_path: Path) -> None:
    stand_in("exit 0")
    done = worker.work(task_of(picture, tmp_path, KEEP_NONE))
    assert jobs_in(tmp_path) == []
    assert done.result is not None
    assert (done.result.job, done.result.files) == (None, {})


def test_a_frame_that_is_cancelled_leaves_no_job(stand_in: Install, picture: Path, tmp_path: Path) -> None:
    stand_in("exec sleep 60")
    done = worker.work(task_of(picture, tmp_path), lambda: True)
    assert done.result is not None
    assert done.result.reason == "cancelled"
    assert jobs_in(tmp_path) == []


def test_a_frame_that_changes_while_it_is_solved_is_recognised(
    stand_in: Install, picture: Path, tmp_path: Path
) -> None:
    stand_in(f"printf more >> {picture}")
    done = worker.work(task_of(picture, tmp_path))
    assert done.has_changed
    assert done.frame.size == picture.stat().st_size


def test_a_frame_with_known_content_is_not_solved(stand_in: Install, picture: Path, tmp_path: Path) -> None:
    marker = tmp_path / "engine-ran"
    stand_in(f"touch {marker}")
    before = task_of(picture, tmp_path)
    os.utime(picture, ns=(5, 5))
    done = worker.work(replace(before, known_content=FileContent(sha256_of(str(picture)))))
    assert (done.result, done.is_own_output, done.frame.mtime_ns) == (None, False, 5)
    assert not marker.exists()
    assert worker.work(replace(before, known_content=FileContent("0" * 64))).result is not None
    assert marker.exists()


def test_an_output_of_nova_is_recognised_if_it_is_new(tmp_path: Path, slots_dir: Path) -> None:
    path = tmp_path / "a.wcs"
    card = "HISTORY This is a WCS header was created by Astrometry.net."
    cards = [
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    0",
        card,
        "END",
    ]
    path.write_bytes("".join(c.ljust(80) for c in cards).ljust(2880).encode())
    assert worker.work(task_of(path, tmp_path, may_be_own_output=True)).is_own_output
    done = worker.work(task_of(path, tmp_path))
    assert done.result is not None
    assert done.result.status == FAILED


def test_an_error_that_concerns_a_frame_is_in_its_result(tmp_path: Path, stand_in: Install) -> None:
    stand_in("exit 0")
    junk = tmp_path / "junk.fits"
    junk.write_text("no image")
    task = task_of(junk, tmp_path)
    junk_result = worker.work(task).result
    assert junk_result is not None and junk_result.error is not None
    assert junk_result.exit_code == 65
    assert junk_result.error.message.startswith(str(junk))
    junk.unlink()
    gone = worker.work(task).result
    assert gone is not None
    assert gone.exit_code == 66


def test_a_wrong_place_fails_the_frame_and_not_the_worker(picture: Path, tmp_path: Path) -> None:
    task = task_of(picture, tmp_path)
    done = worker.work(replace(task, setup=replace(task.setup, key="elsewhere", place="-o,x")))
    assert done.result is not None
    assert done.result.exit_code == 2
    assert done.result.error is not None
    assert done.result.error.message.startswith(str(picture))


@pytest.mark.parametrize(
    ("forbidden", "files", "update", "remedy"),
    [
        ("stars.fits", (), True, "make it writable, or use --wcs or --out DIR in place of --update"),
        (".", (), True, "make it and its folder writable, or use --out DIR in place of --update"),
        (".", (("wcs", "stars.wcs"),), False, "make it and its folder writable, or write below another folder"),
        ("out", (("wcs", "out/stars.wcs"),), False, "or write below another folder by --out DIR"),
    ],
)
def test_denied_outputs_are_refused_before_an_engine_runs(
    forbidden: str, files: tuple[tuple[str, str], ...], update: bool, remedy: str,
    stand_in: Install, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    marker = tmp_path / "engine-ran"
    stand_in(f"touch {marker}")
    (tmp_path / "out").mkdir()
    real = os.access
    denied = tmp_path / forbidden

    def access(path: os.PathLike[str] | str, mode: int) -> bool:
        return (Path(path) != denied or not mode & os.W_OK) and real(path, mode)

    task = task_of(picture, tmp_path, update=update, files=tuple((kind, str(tmp_path / name)) for kind, name in files))
    monkeypatch.setattr(os, "access", access)
    result = worker.work(task).result
    assert result is not None and result.error is not None
    assert (result.status, result.exit_code, result.error.retry_is_safe) == (FAILED, 73, False)
    assert remedy in result.error.message
    assert not marker.exists()
    denied = tmp_path / "elsewhere"
    assert worker.work(task).result is not None
    assert marker.exists()


def test_a_missing_file_is_reported_before_a_denied_output(
    stand_in: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in("exit 0")
    path = tmp_path / "a.fits"
    path.touch()
    task = task_of(path, tmp_path, update=True)
    path.unlink()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK and real(path, mode))
    result = worker.work(task).result
    assert result is not None
    assert result.exit_code == 66


@pytest.mark.parametrize("name", ["new_fits", "wcs"])
def test_an_image_of_the_user_s_is_never_replaced(stand_in: Install, picture: Path, tmp_path: Path, name: str) -> None:
    """Another frame may have the name of an output; then no engine runs."""
    marker = tmp_path / "ran"
    stand_in(f"touch '{marker}'")
    other = tmp_path / "a.new.fits"
    other.write_bytes(picture.read_bytes())
    result = worker.work(task_of(picture, tmp_path, files=((name, str(other)),))).result
    assert result is not None
    assert result.error is not None
    assert "would replace" in result.error.message
    assert "an image that nova did not write: move it" in result.error.message
    assert other.read_bytes() == picture.read_bytes()
    assert not marker.exists()


@pytest.mark.parametrize("name", ["wcs", "rdls", "corr", "axy"])
def test_a_file_that_the_batch_did_not_write_is_not_replaced(
    stand_in: Install, picture: Path, tmp_path: Path, name: str
) -> None:
    stand_in(f"echo run >> {tmp_path}/engines; exit 0")
    theirs = tmp_path / f"stars.{name}"
    theirs.write_text("notes")
    task = task_of(picture, tmp_path, files=((name, str(theirs)),))
    done = worker.work(task)
    assert done.result is not None
    assert done.result.error is not None
    assert done.result.exit_code == 73
    expected = f"{picture}: --{name} would replace {theirs}, which this batch did not write: "
    assert done.result.error.message.startswith(expected)
    assert done.result.error.message.endswith("or replace it by --overwrite")
    assert done.result.timing.total_s is not None
    assert (done.written, theirs.read_text()) == ((), "notes")
    assert not (tmp_path / "engines").exists()
    overwriting = replace(task.setup, outputs=replace(task.setup.outputs, overwrite=True))
    for allowed in (replace(task, replaceable=(str(theirs),)), replace(task, setup=overwriting)):
        result = worker.work(allowed).result
        assert result is not None
        assert result.status == UNSOLVED


def test_a_folder_in_place_of_an_output_is_refused_before_an_engine_runs(picture: Path, tmp_path: Path) -> None:
    (tmp_path / "stars.wcs").mkdir()
    result = worker.work(task_of(picture, tmp_path, files=(("wcs", str(tmp_path / "stars.wcs")),))).result
    assert result is not None
    assert result.error is not None
    assert "stars.wcs, a folder: move it" in result.error.message


def test_update_of_a_frame_that_is_not_fits_is_refused_before_it_is_solved(stand_in: Install, tmp_path: Path) -> None:
    from PIL import Image

    marker = tmp_path / "ran"
    stand_in(f"touch '{marker}'")
    Image.new("L", (30, 20)).save(tmp_path / "photo.jpg")
    result = worker.work(task_of(tmp_path / "photo.jpg", tmp_path, update=True)).result
    assert result is not None
    assert result.error is not None
    assert "photo.jpg is a JPEG file, which --update cannot write into" in result.error.message
    assert not marker.exists()


@pytest.mark.engine
@pytest.mark.parametrize("keep", [KEEP_FAILURES, KEEP_ALL])
def test_a_solved_frame_has_its_outputs_and_its_new_digest(
    drawn: DrawnField, real_indexes: object, slots_dir: Path, tmp_path: Path, keep: str
) -> None:
    frame = drawn.write_fits(tmp_path / "a.fits")
    plain = sha256_of(str(frame))
    files = (("wcs", str(tmp_path / "out" / "a.wcs")), ("new_fits", str(tmp_path / "out" / "a.fits")))
    done = worker.work(task_of(frame, tmp_path, keep, update=True, files=files))
    assert done.result is not None
    assert (done.result.status, done.result.error, done.has_outputs, done.has_changed) == (SOLVED, None, True, False)
    assert done.content.sha256 == sha256_of(str(frame)) != plain
    assert (done.frame.size, done.frame.mtime_ns) == (frame.stat().st_size, frame.stat().st_mtime_ns)
    assert "CRVAL1" in fitsio.read_header(str(frame))
    assert {kind: done.result.files[kind] for kind, _ in files} == dict(files)
    assert all(Path(path).exists() for path in done.result.files.values())
    assert len(jobs_in(tmp_path)) == (keep == KEEP_ALL)
    assert json.loads(json.dumps(done.result.to_json()))["job"] == (done.result.job if keep == KEEP_ALL else None)


@pytest.mark.engine
def test_an_output_that_cannot_be_written_fails_a_solved_frame(
    drawn: DrawnField, real_indexes: object, slots_dir: Path, tmp_path: Path
) -> None:
    frame = drawn.write_fits(tmp_path / "a.fits")
    (tmp_path / "file").write_text("no folder")
    done = worker.work(task_of(frame, tmp_path, files=(("wcs", str(tmp_path / "file" / "a.wcs")),)))
    assert done.result is not None
    assert (done.result.status, done.result.exit_code, done.has_outputs) == (SOLVED, 73, False)


def test_a_full_disk_is_noticed_before_a_frame_is_solved(
    stand_in: Install, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "engine-ran"
    stand_in(f"touch {marker}")
    task = task_of(picture, tmp_path)
    fields = list(os.statvfs(tmp_path))
    fields[4] = 0  # f_bavail
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result(fields))
    result = worker.work(task).result
    assert result is not None and result.error is not None
    assert (result.exit_code, result.error.retry_is_safe) == (73, True)
    assert "is full: free some space" in result.error.message
    assert not marker.exists()


@pytest.mark.engine
def test_the_solution_of_another_batch_is_no_reason_to_solve_a_frame_again(
    drawn: DrawnField, real_indexes: object, slots_dir: Path, tmp_path: Path
) -> None:
    """Two crontab lines update the frames of nested folders, each with a ledger of its own."""
    frame = drawn.write_fits(tmp_path / "a.fits")
    first = worker.work(task_of(frame, tmp_path, update=True))
    second = worker.work(task_of(frame, tmp_path, update=True))
    assert first.content is not None and second.content is not None
    again = worker.work(task_of(frame, tmp_path, update=True, known_content=first.content))
    assert again.result is None
    assert again.content == second.content
    fitsio.write(str(frame), fitsio.read(str(frame))[::-1], header=fitsio.read_header(str(frame)), clobber=True)
    changed = worker.work(task_of(frame, tmp_path, update=True, known_content=first.content))
    assert changed.result is not None
