"""Runs that watch a folder: the fates of frames that land in different ways, and the lines of the log."""

from __future__ import annotations

import dataclasses
import gc
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import standin_executor
from made_sky import DrawnField

from novacli import config
from novacli.batch import executors
from novacli.batch.frames import watch
from novacli.batch.frames.watch import WatchSettings
from novacli.batch.ledger.database import Ledger
from novacli.batch.ledger.lock import locked
from novacli.batch.records import BatchOutputs, FileContent, FrameTask, TaskOutcome
from novacli.batch.run import loop
from novacli.batch.run.display import LineDisplay, ProblemDisplay
from novacli.batch.run.request import BatchRequest
from novacli.batch.run.summary import BatchOutcome
from novacli.batch.run.watch_session import watch_batch
from novacli.errors import DeniedError, InputMissingError, NovaError, OutputError, RetryLaterError, UsageError
from novacli.records.params import SolveParams
from novacli.records.result import Result, error_of
from novacli.records.status import FAILED

SOURCE = Path(__file__).parents[4] / "src"
#: Longer than any wait in a correct run.
LONG_S = 300.0


@pytest.fixture(autouse=True)
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[standin_executor.Executor]]:
    """Make the stand-in executor available, and the loop fast."""
    monkeypatch.setitem(executors.MODULES, "standin", "standin_executor")
    monkeypatch.setattr(loop, "_TICK_S", 0.01)
    monkeypatch.setattr(watch, "_LISTING_SHARE", 1.0)
    monkeypatch.setattr(standin_executor.Executor, "do", staticmethod(standin_executor.solve))
    monkeypatch.setattr(standin_executor.Executor, "tasks", [])
    yield standin_executor.Executor


#: Settings of a watch that ends by a signal.
FOR_EVER = {"idle_s": float("inf")}


class Night:
    """A folder, and runs that watch it; ``log`` holds the lines of frames, ``said`` those of the run."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "night"
        self.folder.mkdir()
        self.ledger = tmp_path / "ledger.sqlite"
        self.jobs = tmp_path / "jobs"
        self.log, self.said = io.StringIO(), list[str]()
        self.is_watched = False

    def watch(
        self, *, only_troubles: bool = False, terms: dict[str, Any] | None = None, **changes: Any
    ) -> BatchOutcome:
        """Watch until nothing landed for half a second, or :meth:`end` is called."""
        request = BatchRequest(
            given=(str(self.folder),),
            paths=(str(self.folder),),
            params=SolveParams(),
            config=config.load().replaced("--jobs-dir", jobs_dir=self.jobs),
            ledger=self.ledger,
            executor="standin",
            max_time_s=LONG_S,
        )
        show = ProblemDisplay(self.log) if only_troubles else LineDisplay(self.log)
        how = WatchSettings(**{"settle_s": 0.2, "poll_s": 0.02, "idle_s": 0.5, **(terms or {})})
        self.is_watched = True
        try:
            return watch_batch(dataclasses.replace(request, **changes), how, show, self.said.append)
        finally:
            self.is_watched = False

    def end(self) -> None:
        """End the watch by SIGTERM, as systemd does."""
        if self.is_watched:
            os.kill(os.getpid(), signal.SIGTERM)

    def lines(self) -> list[str]:
        """The lines of the log, without the folder and what differs from run to run."""
        text = self.log.getvalue().replace(f"{self.folder}/", "")
        return sorted(line.partition(",")[0] for line in text.splitlines())

    def fates(self) -> dict[str, str]:
        """The fates in the ledger, by name."""
        with Ledger.read(self.ledger) as ledger:
            return {str(Path(e.path).relative_to(self.folder)): e.record.fate for e in ledger.entries()}

    def write(self, name: str, content: str = "good", *, ago_s: float = 100.0) -> Path:
        """Write a file that is ``ago_s`` seconds old."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(content)
        os.utime(path, (time.time() - ago_s,) * 2)
        return path


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


@pytest.fixture
def beside() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Return a function that runs another one in a thread beside the watch."""
    threads: list[threading.Thread] = []

    def start(what: Callable[[], None]) -> None:
        threads.append(threading.Thread(target=what, daemon=True))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(LONG_S)


def wait_for(what: Callable[[], object]) -> None:
    until_s = time.monotonic() + LONG_S
    while not what():
        assert time.monotonic() < until_s, "what the test waits for did not happen"
        time.sleep(0.01)


def test_frames_that_land_in_different_ways_are_all_done(
    night: Night, beside: Callable[[Callable[[], None]], None]
) -> None:
    """Frames are incomplete at first, renamed, removed and rewritten, and folders appear: all are done in the end."""
    tasks = standin_executor.Executor.tasks

    def is_done(name: str) -> Callable[[], bool]:
        return lambda: str(night.folder / name) in tasks

    def camera() -> None:
        with (night.folder / "half.fits").open("wb") as half, (night.folder / "removed.fits").open("wb") as removed:
            for file in (half, removed):
                file.write(standin_executor.FITS[:4000])
                file.flush()
            (night.folder / "kept.jpg.part").write_text("good")
            night.write("old.jpg")
            wait_for(is_done("old.jpg"))
            half.write(standin_executor.FITS[4000:])
        (night.folder / "removed.fits").unlink()
        (night.folder / "kept.jpg.part").rename(night.folder / "kept.jpg")
        night.write("target/red/new.jpg")
        night.write("no-picture.jpg", "bad")
        (night.folder / "notes.txt.tmp").write_text("good")
        wait_for(is_done("half.fits"))
        wait_for(is_done("kept.jpg"))
        wait_for(is_done("no-picture.jpg"))
        night.write("no-picture.jpg", "good after all", ago_s=50.0)
        night.write("last.jpg", ago_s=0)
        wait_for(lambda: len(tasks) == 7 and night.log.getvalue().count("solved") == 6)
        night.end()

    beside(camera)
    outcome = night.watch(terms=FOR_EVER)
    assert night.lines() == [
        "half.fits: solved",
        "kept.jpg: solved",
        "last.jpg: solved",
        "no-picture.jpg: it is no image",
        "no-picture.jpg: solved",
        "old.jpg: solved",
        "target/red/new.jpg: solved",
    ]
    assert night.fates() == dict.fromkeys(
        ["half.fits", "kept.jpg", "last.jpg", "no-picture.jpg", "old.jpg", "target/red/new.jpg"], "solved"
    )
    assert len(tasks) == 7
    assert (outcome.exit_code, outcome.counts.total, outcome.counts.left) == (0, 6, 0)
    assert outcome.sentence().startswith("6 frames: 6 solved, in ")
    assert len(night.said) == 1


def test_a_log_has_lines_for_problems_only(night: Night) -> None:
    for number in range(20):
        night.write(f"{number}.jpg")
    night.write("bad.jpg", "bad")
    outcome = night.watch(only_troubles=True)
    assert night.lines() == ["bad.jpg: it is no image"]
    assert outcome.exit_code == 65
    assert outcome.sentence().startswith("21 frames: 20 solved, 1 failed, in ")


def test_frames_with_a_result_are_skipped(night: Night) -> None:
    night.write("a.jpg")
    night.watch()
    outcome = night.watch()
    assert len(standin_executor.Executor.tasks) == 1
    assert (outcome.counts.total, outcome.skipped, outcome.exit_code) == (0, 1, 0)
    assert night.watch(force=True).counts.total == 1
    assert len(standin_executor.Executor.tasks) == 2


def test_an_updated_frame_is_not_done_again(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger has the size and time of the frame with its solution."""

    def update(task: FrameTask) -> TaskOutcome:
        done = standin_executor.solve(task)
        path = night.write("a.jpg", "good, with a solution", ago_s=0)
        status = path.stat()
        return dataclasses.replace(
            done,
            has_changed=False,
            frame=dataclasses.replace(task.frame, size=status.st_size, mtime_ns=status.st_mtime_ns),
        )

    monkeypatch.setattr(standin_executor.Executor, "do", staticmethod(update))
    night.write("a.jpg")
    outcome = night.watch(outputs=BatchOutputs(update=True))
    assert len(standin_executor.Executor.tasks) == 1
    assert outcome.exit_code == 0


def test_a_removed_frame_is_counted_and_not_reported(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    def remove(task: FrameTask) -> TaskOutcome:
        Path(task.frame.path).unlink()
        return standin_executor.solve(task)

    monkeypatch.setattr(standin_executor.Executor, "do", staticmethod(remove))
    night.write("a.jpg")
    outcome = night.watch()
    assert night.lines() == []
    assert night.fates() == {"a.jpg": "gone"}
    assert (outcome.exit_code, outcome.is_well) == (0, True)
    assert "1 removed meanwhile" in outcome.sentence()


def test_a_mount_that_vanishes_and_comes_back(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: Callable[[Callable[[], None]], None]
) -> None:
    """Each has one line, and the frames that were lost are done in the end."""
    away = tmp_path / "away"

    def vanish(task: FrameTask) -> TaskOutcome:
        if task.frame.path.endswith("b.jpg") and not any("does not exist" in line for line in night.said):
            night.folder.rename(away)
        return standin_executor.solve(task)

    def come_back() -> None:
        wait_for(lambda: any("does not exist" in line for line in night.said))
        away.rename(night.folder)
        wait_for(lambda: night.log.getvalue().count("solved") == 4)
        night.end()

    monkeypatch.setattr(standin_executor.Executor, "do", staticmethod(vanish))
    for name in "abcd":
        night.write(f"{name}.jpg")
    beside(come_back)
    outcome = night.watch(terms=FOR_EVER)
    assert night.fates() == dict.fromkeys(["a.jpg", "b.jpg", "c.jpg", "d.jpg"], "solved")
    assert night.lines() == ["a.jpg: solved", "b.jpg: solved", "c.jpg: solved", "d.jpg: solved"]
    shown = [line.removeprefix(str(night.folder)).partition(",")[0] for line in night.said[1:]]
    assert shown == [" does not exist any more: check the mount; its frames wait", " exists again"]
    assert (outcome.exit_code, outcome.counts.stopped) == (0, None)


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize(("error", "refused"), [(DeniedError, os.R_OK), (OutputError, os.W_OK)])
def test_a_denied_frame_is_done_once_permissions_allow_it(
    is_known: bool, error: type[NovaError], refused: int, night: Night, monkeypatch: pytest.MonkeyPatch,
    beside: Callable[[Callable[[], None]], None],
) -> None:  # fmt: skip
    """An earlier run may have reported it; permissions change neither the time of the file nor that of its folder."""
    path = night.write("a.fits")
    path.write_bytes(standin_executor.FITS)
    os.utime(path, (1e9, 1e9))
    allowed = threading.Event()
    real = os.access

    def refuse(task: FrameTask) -> TaskOutcome:
        if allowed.is_set():
            return standin_executor.solve(task)
        failed = replace(error_of(error(f"{path}: no")), retry_is_safe=False)
        return TaskOutcome(task.frame, FileContent("digest"), Result(str(path), FAILED, error=failed))

    def allow() -> None:
        wait_for(lambda: is_known or "no" in night.log.getvalue())
        wait_for(lambda: str(path) in looks)
        allowed.set()
        wait_for(lambda: "solved" in night.log.getvalue())
        night.end()

    looks: list[str] = []

    def access(what: str | Path, mode: int, **_: Any) -> bool:
        if mode & refused:
            looks.append(str(what))
        return real(what, mode) and (allowed.is_set() or not mode & refused)

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(watch, "_RELIST_S", 0.05)
    monkeypatch.setattr(standin_executor.Executor, "do", staticmethod(refuse))
    outputs = BatchOutputs(update=True)
    if is_known:
        night.watch(outputs=outputs)
        looks.clear()
    beside(allow)
    assert night.watch(terms=FOR_EVER, outputs=outputs).exit_code == 0
    assert len(standin_executor.Executor.tasks) == 2


def test_a_frame_that_only_seems_allowed_is_tried_three_times(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """As over NFS, whose server decides."""
    path = night.write("a.jpg")

    def refuse(task: FrameTask) -> TaskOutcome:
        failed = error_of(DeniedError(f"{path}: no"))
        return TaskOutcome(task.frame, FileContent("digest"), Result(str(path), FAILED, error=failed))

    monkeypatch.setattr(watch, "_RELIST_S", 0.05)
    monkeypatch.setattr(standin_executor.Executor, "do", staticmethod(refuse))
    night.watch()
    assert len(standin_executor.Executor.tasks) == watch._MAX_TRIES


def test_outputs_find_their_names_as_frames_land(night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files: dict[str, str] = {}

    def note(task: FrameTask) -> TaskOutcome:
        files[Path(task.frame.path).name] = dict(task.files)["wcs"]
        if len(files) == 1:
            night.write("a.fit", "good", ago_s=90)
        return standin_executor.solve(task)

    monkeypatch.setattr(standin_executor.Executor, "do", staticmethod(note))
    night.write("a.fits")
    night.watch(outputs=BatchOutputs(("wcs",), out_dir=str(tmp_path / "out")))
    assert files == {"a.fits": f"{tmp_path}/out/night/a.wcs", "a.fit": f"{tmp_path}/out/night/a.fit.wcs"}


def test_two_runs_cannot_watch_at_once(night: Night) -> None:
    with locked(night.ledger, wait=True, until_s=time.monotonic() + LONG_S, say=print), pytest.raises(RetryLaterError):
        night.watch(wait=False)


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [("nowhere", InputMissingError, "is not there"), ("night/a.jpg", UsageError, "takes folders only")],
)
def test_paths_that_cannot_be_watched_are_an_error_at_once(
    path: str, error: type[Exception], words: str, night: Night
) -> None:
    night.write("a.jpg")
    with pytest.raises(error, match=words):
        night.watch(paths=(str(night.folder.parent / path),))


def test_remaining_frames_are_left_for_the_next_run(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        night.write(f"{number}.jpg")

    def interrupted(task: FrameTask) -> TaskOutcome:
        if not standin_executor.Executor.tasks[1:]:
            night.end()
        return standin_executor.solve(task)

    monkeypatch.setattr(standin_executor.Executor, "do", staticmethod(interrupted))
    outcome = night.watch()
    assert outcome.exit_code == 75
    assert outcome.counts.stopped == "it was ended by a signal"
    assert outcome.counts.left == sum(fate == "waiting" for fate in night.fates().values()) > 0
    monkeypatch.setattr(standin_executor.Executor, "do", staticmethod(standin_executor.solve))
    assert night.watch().exit_code == 0
    assert set(night.fates().values()) == {"solved"}
    assert len(standin_executor.Executor.tasks) == 5


def test_frames_that_were_not_begun_give_75(night: Night) -> None:
    night.write("a.jpg")
    assert night.watch(max_time_s=0.0).exit_code == 75
    assert standin_executor.Executor.tasks == []


def test_memory_does_not_grow_with_the_night(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each of 2,000 frames a record of some hundred bytes stays, and nothing of its result."""
    monkeypatch.setattr(Ledger, "_prepare", _unsynchronised(Ledger._prepare))
    sizes: dict[int, int] = {}

    def land(first: int) -> None:
        for number in range(first, min(first + 50, 2000)):
            night.write(f"{number:04d}.jpg")

    def solve(task: FrameTask) -> TaskOutcome:
        number = int(Path(task.frame.path).stem)
        if number % 50 == 49:
            land(number + 1)
        if number in (499, 1999):
            gc.collect()
            sizes[number] = tracemalloc.get_traced_memory()[0]
        if number == 1999:
            night.end()
        done = standin_executor.solve(task)
        assert done.result is not None
        return dataclasses.replace(done, result=dataclasses.replace(done.result, notes=["x" * 20_000]))

    monkeypatch.setattr(standin_executor.Executor, "do", staticmethod(solve))
    monkeypatch.setattr(standin_executor.Executor, "tasks", _Forgetful())
    land(0)
    tracemalloc.start()
    try:
        outcome = night.watch(only_troubles=True, terms=FOR_EVER)
    finally:
        tracemalloc.stop()
    assert outcome.counts["solved"] == 2000
    assert (sizes[1999] - sizes[499]) / 1500 < 3000


class _Forgetful(list[str]):
    def append(self, _item: str, /) -> None:
        """Keep nothing."""


def _unsynchronised(prepare: Callable[[Ledger], None]) -> Callable[[Ledger], None]:
    def prepared(ledger: Ledger) -> None:
        prepare(ledger)
        ledger._db.execute("PRAGMA synchronous = OFF")

    return prepared


class TestCommandLine:
    """The command itself, with the installed engine."""

    def start(self, night: Night, *options: str) -> subprocess.Popen[str]:
        env = {**os.environ, "PYTHONPATH": str(SOURCE), "NOVA_JOBS": str(night.jobs)}
        words = ["batch", "--watch", "--poll", "0.2", "--settle", "0.5", "--no-learn", "--ledger", str(night.ledger)]
        return subprocess.Popen(
            [sys.executable, "-m", "novacli", *words, *options, str(night.folder)],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def fate(self, night: Night, name: str) -> str | None:
        if not night.ledger.exists():
            return None
        try:
            return night.fates().get(name)
        except InputMissingError:
            return None

    @pytest.mark.engine
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_watch_solves_until_a_signal(
        self, number: signal.Signals, night: Night, drawn: DrawnField, slots_dir: Path
    ) -> None:
        child = self.start(night, "-v")
        try:
            drawn.write_fits(night.folder / "a.fits.part").rename(night.folder / "a.fits")
            wait_for(lambda: self.fate(night, "a.fits") == "solved")
            drawn.write_fits(night.folder / "b.fits")
            wait_for(lambda: self.fate(night, "b.fits") == "solved")
            child.send_signal(number)
            out, err = child.communicate(timeout=LONG_S)
        finally:
            child.kill()
        lines = out.splitlines()
        assert [re.sub(r".*/(.\.fits: solved).*", r"\1", line) for line in lines[:2]] == [
            "a.fits: solved",
            "b.fits: solved",
        ]
        assert re.fullmatch(r"nova: 2 frames: 2 solved, in .*\.", lines[2])
        assert len(lines) == 3
        assert err == f"nova: watching {night.folder}; Ctrl-C or SIGTERM ends it\n"
        assert child.returncode == 0

    @pytest.mark.engine
    def test_the_next_frame_has_the_hints_of_the_one_before(
        self, night: Night, drawn: DrawnField, slots_dir: Path
    ) -> None:
        child = self.start(night, "--json")
        for name in ("a.fits", "b.fits"):
            drawn.write_fits(night.folder / name, INSTRUME="camera")
            wait_for(lambda name=name: self.fate(night, name) == "solved")  # type: ignore[misc]
        child.send_signal(signal.SIGTERM)  # --idle would end the watch too early on a busy machine
        out, _ = child.communicate(timeout=LONG_S)
        first, second = map(json.loads, out.splitlines())
        assert first["hints"] == []
        assert {hint.get("source") for hint in second["hints"]} == {"earlier frame of the sequence", None}
        assert child.returncode == 0

    def test_an_option_of_watch_needs_watch(self, night: Night) -> None:
        child = subprocess.run(
            [sys.executable, "-m", "novacli", "batch", "--until", "06:30", str(night.folder)],
            env={**os.environ, "PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (child.returncode, child.stderr) == (2, "nova: --until needs --watch: give both, or neither\n")
