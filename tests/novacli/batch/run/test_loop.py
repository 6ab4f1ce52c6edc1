"""The loop of a batch: every frame has one fate in the ledger, even if its worker dies or hangs."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from novacli import config
from novacli.batch.executors import TaskHungError, WorkerLostError
from novacli.batch.ledger.database import Ledger
from novacli.batch.ledger.plan import PlannedFrame
from novacli.batch.records import (
    GONE,
    OWN_OUTPUT,
    RETRIABLE,
    UNCHANGED,
    WAITING,
    BatchOutputs,
    FileContent,
    FrameFile,
    FrameRecord,
    FrameTask,
    RunSetup,
    TaskOutcome,
)
from novacli.batch.run import loop
from novacli.batch.run.display import QuietDisplay
from novacli.batch.run.loop import FrameLoop, StopConditions
from novacli.batch.run.queues import FifoQueue, ListFeed
from novacli.batch.run.recorder import Recorder
from novacli.batch.run.session import _leave
from novacli.errors import DataError, InputMissingError, NovaError, OutputError, UnavailableError
from novacli.records.params import SolveParams
from novacli.records.result import Result, error_of
from novacli.records.status import FAILED, SOLVED, UNSOLVED
from solvehost.formats import jobdir

Answer = Callable[[FrameTask], TaskOutcome]
DOCS = Path(__file__).parents[4] / "docs"


class Here:
    """An executor that does each task when it is submitted."""

    def __init__(self, answer: Answer, workers: int = 2) -> None:
        self.answer, self.workers, self.room = answer, workers, 2 * workers
        self.tasks: list[FrameTask] = []
        self.is_closed = False

    def submit(self, tasks: Sequence[FrameTask], to_come: int) -> Sequence[Future[TaskOutcome]]:
        del to_come
        return [self._submit(task) for task in tasks]

    def _submit(self, task: FrameTask) -> Future[TaskOutcome]:
        self.tasks.append(task)
        future: Future[TaskOutcome] = Future()
        try:
            future.set_result(self.answer(task))
        except Exception as exc:
            future.set_exception(exc)
        return future

    def collect(self, future: Future[TaskOutcome]) -> TaskOutcome:
        return future.result()

    def watch(self) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True


class Bench:
    """A run over frames in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.night = folder / "night"
        self.night.mkdir()
        self.jobs_dir = folder / "jobs"
        self.ledger = Ledger.open(folder / "ledger.sqlite")
        self.show = QuietDisplay()
        self.stop = StopConditions()
        self.full_disk: str | None = None
        self.recorder = self.new_recorder()

    def setup(self) -> RunSetup:
        outputs = BatchOutputs(("wcs",))
        return RunSetup(
            "key", "local", config.load(), SolveParams(), outputs, "failures", str(self.jobs_dir), "/nowhere"
        )

    def new_recorder(self) -> Recorder:
        return Recorder(self.setup(), "params", self.ledger, self.show, lambda _path: self.full_disk)

    def todo(self, *names: str, known: FrameRecord | None = None) -> list[PlannedFrame]:
        made = []
        for name in names:
            path = self.night / name
            path.write_bytes(b"stars")
            status = path.stat()
            made.append(PlannedFrame(FrameFile(str(path), status.st_size, status.st_mtime_ns, str(self.night)), known))
        return made

    def run(self, todo: list[PlannedFrame], executor: Here, settle_s: float = 0) -> dict[str, str]:
        """Run, and return the fates in the ledger by name."""
        recorder = self.recorder = self.new_recorder()
        recorder.counts.plan(item.frame.path for item in todo)
        source = ListFeed(todo, settle_s, lambda item, is_gone: _leave(recorder, item, is_gone))
        FrameLoop(self.setup(), {}, executor, recorder, self.show, self.stop).run(source, FifoQueue())
        assert executor.is_closed
        return {Path(entry.path).name: entry.record.fate for entry in self.ledger.entries()}

    def fates_of_counts(self) -> dict[str, int]:
        return {fate: count for fate, count in self.recorder.counts._counts.items() if count}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.ledger.close()


def solved(task: FrameTask) -> TaskOutcome:
    return TaskOutcome(task.frame, FileContent("ab"), Result(task.frame.path, SOLVED), has_outputs=True)


def failing(error: NovaError) -> Answer:
    return lambda task: TaskOutcome(
        task.frame, FileContent("ab"), Result(task.frame.path, FAILED, error=error_of(error))
    )


def by_name(**answers: Answer | Exception) -> Answer:
    """Answer by the frame's name; frames without an answer are solved."""

    def answer(task: FrameTask) -> TaskOutcome:
        chosen = answers.get(Path(task.frame.path).stem, solved)
        if isinstance(chosen, Exception):
            raise chosen
        return chosen(task)

    return answer


def test_every_outcome_is_recorded(bench: Bench) -> None:
    def unsolved(task: FrameTask) -> TaskOutcome:
        return TaskOutcome(task.frame, FileContent("cd"), Result(task.frame.path, UNSOLVED, reason="exhausted"))

    executor = Here(by_name(b=unsolved, c=failing(DataError("c is no image"))))
    assert bench.run(bench.todo("a.fits", "b.fits", "c.fits"), executor) == {
        "a.fits": SOLVED, "b.fits": UNSOLVED, "c.fits": FAILED
    }  # fmt: skip
    entry = bench.ledger.entry(str(bench.night / "a.fits"))
    assert entry is not None and entry.result is not None
    assert (entry.record.outputs, entry.record.sha256, entry.record.tries) == (frozenset({"wcs"}), "ab", 1)
    assert bench.recorder.counts.left == 0
    assert bench.recorder.counts.stopped is None
    assert bench.show.problems.sentences() == [f"{bench.night}/b.fits: unsolved (exhausted).", "c is no image."]


def test_a_frame_that_kills_two_workers_is_failed(bench: Bench) -> None:
    executor = Here(by_name(b=WorkerLostError("was killed by SIGSEGV")))
    assert bench.run(bench.todo("a.fits", "b.fits", "c.fits"), executor) == {
        "a.fits": SOLVED, "b.fits": FAILED, "c.fits": SOLVED
    }  # fmt: skip
    assert sum(Path(task.frame.path).name == "b.fits" for task in executor.tasks) == 2
    entry = bench.ledger.entry(str(bench.night / "b.fits"))
    assert entry is not None and entry.result is not None and entry.result.error is not None
    assert entry.record.exit_code == 70
    assert entry.result.error.message.startswith(f"{bench.night}/b.fits: a worker was killed by SIGSEGV over it, twice")
    assert entry.result.error.retry_is_safe is False
    assert entry.result.timing.total_s is not None


@pytest.mark.parametrize(
    "lost", [WorkerLostError("died"), *[WorkerLostError("was released", is_frames_fault=False)] * 2]
)
def test_a_frame_whose_worker_dies_once_is_tried_again(bench: Bench, lost: WorkerLostError) -> None:
    falls = [lost] if lost.is_frames_fault else [lost] * 3

    def answer(task: FrameTask) -> TaskOutcome:
        if falls:
            raise falls.pop()
        return solved(task)

    assert bench.run(bench.todo("a.fits"), Here(answer)) == {"a.fits": SOLVED}


def test_a_frame_that_hangs_in_three_runs_is_failed(bench: Bench) -> None:
    executor = Here(by_name(a=TaskHungError("within 420 s, and was stopped")))
    known = None
    fates = []
    for _ in range(4):
        fates.append(bench.run(bench.todo("a.fits", known=known), executor)["a.fits"])
        known = bench.recorder.records[str(bench.night / "a.fits")]
    assert fates == [RETRIABLE, RETRIABLE, FAILED, FAILED]
    entry = bench.ledger.entry(str(bench.night / "a.fits"))
    assert entry is not None and entry.line is not None
    assert "total_s" in json.loads(entry.line)["timing"]


def test_an_exception_in_a_worker_fails_its_frame(bench: Bench) -> None:
    assert bench.run(bench.todo("a.fits", "b.fits"), Here(by_name(a=ValueError("oh")))) == {
        "a.fits": RETRIABLE, "b.fits": SOLVED
    }  # fmt: skip
    entry = bench.ledger.entry(str(bench.night / "a.fits"))
    assert entry is not None and entry.line is not None
    assert "ValueError: oh: a fault in nova itself" in entry.line
    assert "total_s" in json.loads(entry.line)["timing"]


def test_own_outputs_unchanged_and_changed_files_are_recorded(bench: Bench) -> None:
    known = FrameRecord(5, 1, "ab", "params", frozenset(), SOLVED, 0, 1)
    touched = bench.todo("touched.fits", known=known)
    bench.run(touched, Here(solved))
    executor = Here(
        by_name(
            copy=lambda task: TaskOutcome(task.frame, is_own_output=True),
            touched=lambda task: TaskOutcome(replace(task.frame, mtime_ns=77), FileContent("ab")),
            growing=lambda task: replace(solved(task), has_changed=True),
        )
    )
    fates = bench.run([*bench.todo("copy.fits", "growing.fits"), *touched], executor)
    assert fates == {"copy.fits": OWN_OUTPUT, "growing.fits": WAITING, "touched.fits": SOLVED}
    assert bench.ledger.records()[str(bench.night / "touched.fits")].mtime_ns == 77
    assert bench.recorder.counts.total == 2  # a copy is no frame
    assert bench.recorder.counts[UNCHANGED] == 1
    assert "growing.fits: it was written to while it was being solved" in bench.show.problems.sentences()[0]


def gone(task: FrameTask) -> TaskOutcome:
    Path(task.frame.path).unlink()
    return failing(InputMissingError(f"{task.frame.path} is not there"))(task)


def test_a_removed_frame_is_gone_and_the_run_goes_on(bench: Bench) -> None:
    assert bench.run(bench.todo("a.fits", "b.fits"), Here(by_name(a=gone))) == {"a.fits": GONE, "b.fits": SOLVED}
    assert bench.recorder.counts.stopped is None


def test_a_missing_folder_stops_the_run_and_its_frames_wait(bench: Bench) -> None:
    def unmounted(task: FrameTask) -> TaskOutcome:
        if bench.night.exists():
            bench.night.rename(bench.night.with_name("elsewhere"))
        return failing(InputMissingError(f"{task.frame.path} is not there"))(task)

    names = [f"{n}.fits" for n in range(20)]
    fates = bench.run(bench.todo(*names), Here(unmounted))
    assert set(fates.values()) == {WAITING}
    assert bench.recorder.counts.stopped == f"{bench.night} does not exist any more: check the mount"
    assert bench.recorder.counts.left > 0


@pytest.mark.parametrize(("full", "stops"), [("the disk of /d is full", True), (None, False)])
def test_a_full_disk_stops_the_run_and_an_output_that_cannot_be_written_does_not(
    bench: Bench, full: str | None, stops: bool
) -> None:
    bench.full_disk = full
    bench.run(bench.todo(*[f"{n}.fits" for n in range(20)]), Here(failing(OutputError("it cannot be written"))))
    assert bench.recorder.counts.stopped == full
    assert (bench.recorder.counts.left > 0) == stops


def test_three_failures_in_a_row_without_an_engine_stop_the_run(bench: Bench) -> None:
    bench.run(bench.todo(*[f"{n}.fits" for n in range(20)]), Here(failing(UnavailableError("no engine"))))
    assert bench.recorder.counts.stopped == "3 frames in a row failed, and so would the others"
    assert bench.recorder.counts[RETRIABLE] < 10


def test_no_frame_is_begun_after_the_time_limit(bench: Bench) -> None:
    bench.stop.until_s = 0.0
    executor = Here(solved)
    assert bench.run(bench.todo("a.fits"), executor) == {}
    assert executor.tasks == []
    assert bench.recorder.counts.stopped == "the time limit passed"


@pytest.mark.parametrize("page", ["howto/batch.md", "reference/cli.md"])
def test_the_documentation_says_how_much_longer_than_its_time_a_run_may_take(page: str) -> None:
    text = " ".join((DOCS / page).read_text(encoding="utf-8").split())
    shown = [part[:400] for part in text.split("`--max-time")]
    assert any(f"have {loop._GRACE_S:.0f} s more" in part and "left for the next run" in part for part in shown)


def test_a_frame_that_does_not_end_in_time_is_left_for_the_next_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_GRACE_S", 0.0)

    class Stuck(Here):
        """Never ends a frame after the time limit."""

        def _submit(self, task: FrameTask) -> Future[TaskOutcome]:
            self.tasks.append(task)
            bench.stop.until_s = 0.0
            future: Future[TaskOutcome] = Future()
            future.set_running_or_notify_cancel()
            return future

    executor = Stuck(solved)
    assert bench.run(bench.todo("a.fits"), executor) == {}
    assert (len(executor.tasks), bench.recorder.counts.left) == (1, 1)
    assert bench.recorder.counts.stopped == "the time limit passed"


def test_a_signal_leaves_the_remaining_frames(bench: Bench) -> None:
    def answer(task: FrameTask) -> TaskOutcome:
        bench.stop.signal = signal.SIGTERM
        return solved(task)

    executor = Here(answer)
    bench.run(bench.todo(*[f"{n}.fits" for n in range(20)]), executor)
    assert len(executor.tasks) == executor.room
    assert bench.recorder.counts.stopped == "it was interrupted"


def test_a_frame_gets_more_engines_only_if_cores_are_idle(bench: Bench) -> None:
    executor = Here(solved, workers=2)
    bench.run(bench.todo(*[f"{n}.fits" for n in range(9)]), executor)
    assert [task.engines for task in executor.tasks] == [1] * 8 + [None]


def test_the_job_of_an_earlier_result_is_removed(bench: Bench) -> None:
    def with_job(task: FrameTask) -> TaskOutcome:
        job = jobdir.create(bench.jobs_dir)
        job.write_json(jobdir.REQUEST, {})
        job = jobdir.publish(job)
        return TaskOutcome(task.frame, FileContent("ab"), Result(task.frame.path, UNSOLVED, job=job.job_id))

    todo = bench.todo("a.fits")
    bench.run(todo, Here(with_job))
    (first,) = jobdir.list_jobs(bench.jobs_dir)
    bench.run([replace(todo[0], record=bench.recorder.records[todo[0].frame.path])], Here(with_job))
    (second,) = jobdir.list_jobs(bench.jobs_dir)
    assert second != first


def test_a_young_frame_comes_once_it_is_settled(bench: Bench) -> None:
    todo = bench.todo("quiet.fits", "growing.fits", "removed.fits")
    (bench.night / "growing.fits").write_bytes(b"more stars")
    (bench.night / "removed.fits").unlink()
    fates = bench.run(todo, Here(solved), settle_s=0.3)
    assert fates == {"quiet.fits": SOLVED, "growing.fits": WAITING, "removed.fits": GONE}
