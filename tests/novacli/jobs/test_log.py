from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_jobs import make_job

from novacli.errors import InputMissingError
from novacli.jobs.log import follow_log, read_log
from solvehost.formats.jobdir import RESULT, JobDir


def start_attempt(job: JobDir, text: bytes) -> Path:
    job.run_dir(1).mkdir()
    (job.run_dir(1) / "log").write_bytes(text)
    return job.run_dir(1) / "log"


class Solver:
    """Works on a job while its log is followed: does one step each time the follower pauses."""

    def __init__(self, job: JobDir, lock: contextlib.ExitStack) -> None:
        self.steps = self._work(job, lock)

    def pause(self, _seconds: float) -> None:
        next(self.steps, None)

    @staticmethod
    def _work(job: JobDir, lock: contextlib.ExitStack) -> Iterator[None]:
        log = start_attempt(job, b"one\n")
        yield
        with log.open("ab") as stream:
            stream.write(b"two \xc3")
        yield
        with log.open("ab") as stream:
            stream.write(b"\xa9\nthree\n")
        job.log.write_bytes(b"== by flux: solved after 1.00 s\none\n")
        shutil.rmtree(job.run_dir(1))
        job.write_json(RESULT, {"status": "solved", "input": "a"})
        lock.close()


def test_control_characters_in_the_log_of_a_finished_job_are_escaped(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    job.log.write_bytes(b"Field 1: \x1b[31msolved\x1b[0m\r\n\tby \xff\n")
    assert "".join(read_log(job)) == "Field 1: \\x1b[31msolved\\x1b[0m\\x0d\n\tby \\xff\n"


def test_a_reply_that_is_being_unpacked_is_not_an_attempt(tmp_path: Path) -> None:
    """The files of a server are in a hidden directory for a moment; after a kill they stay there."""
    job = make_job(tmp_path, "running")
    start_attempt(job, b"so far\n")
    (job.path / ".run-reply").mkdir()
    assert "".join(read_log(job)).endswith("so far\n")


def test_following_a_finished_job_yields_its_whole_log(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    job.log.write_text("all\n")
    assert "".join(follow_log(job)) == "all\n"


def test_the_log_of_a_running_job_is_the_logs_of_its_attempts_so_far(tmp_path: Path) -> None:
    job = make_job(tmp_path, "running")
    start_attempt(job, b"so far\n")
    with job.locked():
        assert "".join(read_log(job)) == "== attempt 1\nso far\n"


def test_following_yields_the_whole_log_of_an_attempt_that_is_removed_at_the_end(tmp_path: Path) -> None:
    job = make_job(tmp_path, "running")
    with contextlib.ExitStack() as lock:
        lock.enter_context(job.locked())
        solver = Solver(job, lock)
        text = "".join(follow_log(job, solver.pause))
    assert text == "== attempt 1\none\ntwo é\nthree\n== by flux: solved after 1.00 s\n"


def test_following_an_interrupted_job_ends(tmp_path: Path) -> None:
    job = make_job(tmp_path, "interrupted")
    start_attempt(job, b"cut off")
    assert "".join(follow_log(job, lambda _s: None)) == "== attempt 1\ncut off"


def test_a_race_that_ends_before_it_is_followed_is_yielded_from_its_log(tmp_path: Path) -> None:
    job = make_job(tmp_path, "running")
    with contextlib.ExitStack() as lock:
        lock.enter_context(job.locked())

        def finish(_seconds: float) -> None:
            job.log.write_text("== by flux: solved after 0.01 s\nall\n")
            lock.close()

        assert "".join(follow_log(job, finish)) == "== by flux: solved after 0.01 s\nall\n"


def test_a_job_without_a_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="has no log"):
        list(read_log(make_job(tmp_path)))
