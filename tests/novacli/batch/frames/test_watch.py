"""A watched folder yields frames once they are settled, and shows remarks; the test controls the clock."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import fitsio
import numpy as np
import pytest

from novacli.batch.frames import watch
from novacli.batch.frames.watch import WatchFeed, WatchSettings
from novacli.batch.ledger.plan import PlannedFrame
from novacli.batch.records import RETRIABLE, WAITING, FrameFile, FrameRecord
from novacli.records.status import SOLVED


class Clock:
    """Replaces the module ``time``; its time passes when the test says so."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self._began_s = time.time()

    def monotonic(self) -> float:
        return 1000.0 + self.passed_s

    def time(self) -> float:
        return self._began_s + self.passed_s

    def time_ns(self) -> int:
        return int(self.time() * 1e9)


class AllFrames:
    """A planner that plans every frame, and has the records that the test gives it."""

    def __init__(self) -> None:
        self.records: dict[str, FrameRecord] = {}
        self.back: list[str] = []

    def plan(self, frames: Sequence[FrameFile], siblings: Sequence[FrameFile]) -> Sequence[PlannedFrame]:
        del siblings
        return [PlannedFrame(frame) for frame in frames]

    def record(self, path: str) -> FrameRecord | None:
        return self.records.get(path)

    def forget_folders(self, paths: Iterable[str]) -> None:
        self.back += paths


class Scene:
    """A watched folder, the frames that it yielded, and the lines that it showed."""

    def __init__(self, folder: Path, clock: Clock, **terms: Any) -> None:
        self.folder, self.clock, self.planner = folder, clock, AllFrames()
        self.said: list[str] = []
        self.watch = WatchFeed([str(folder)], WatchSettings(**{"poll_s": 1.0, **terms}), self.planner, self.said.append)

    def after(self, seconds: float) -> list[str]:
        """Let time pass, and return the names of the frames that are given then."""
        self.clock.passed_s += seconds
        return [str(Path(todo.frame.path).relative_to(self.folder)) for todo in self.watch.poll()]

    def settle(self, name: str, fate: str = SOLVED) -> None:
        """Finish a frame with a fate."""
        path = self.folder / name
        status = path.stat() if path.exists() else os.stat(self.folder.parent)
        row = FrameRecord(status.st_size, status.st_mtime_ns, None, "", frozenset(), fate, 0, 1)
        self.planner.records[str(path)] = row
        self.watch.finish(PlannedFrame(FrameFile(str(path), 0, 0)))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watch, "time", made)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "night"
    made.mkdir()
    return made


@pytest.fixture
def scene(folder: Path, clock: Clock) -> Scene:
    return Scene(folder, clock)


def picture(path: Path, *, ago_s: float = 0.0, content: bytes = b"picture") -> Path:
    """Write a picture that is ``ago_s`` seconds old; it is not a FITS image, so that its time alone counts."""
    path.write_bytes(content)
    then_s = time.time() - ago_s
    os.utime(path, (then_s, then_s))
    return path


def fits(path: Path) -> Path:
    fitsio.write(str(path), np.zeros((40, 60), np.uint16), clobber=True)
    return path


class TestSettling:
    def test_a_frame_is_given_once_it_is_settled(self, scene: Scene) -> None:
        picture(scene.folder / "a.jpg")
        assert scene.after(0) == []
        assert scene.after(1) == []
        assert scene.after(1.5) == ["a.jpg"]
        assert scene.after(10) == scene.after(100) == []

    def test_a_growing_file_is_not_given(self, scene: Scene, folder: Path) -> None:
        for number in range(1, 6):
            picture(folder / "a.jpg", ago_s=-scene.clock.passed_s, content=b"x" * number)
            assert scene.after(1.5) == []
        assert scene.after(3) == ["a.jpg"]

    def test_an_old_file_is_given_at_once(self, scene: Scene) -> None:
        picture(scene.folder / "a.jpg", ago_s=100)
        assert scene.after(0) == ["a.jpg"]

    def test_a_whole_fits_image_that_is_renamed_into_place_is_given_at_once(self, scene: Scene) -> None:
        part = fits(scene.folder / "a.fits.part")
        assert scene.after(0) == []
        os.utime(part, (time.time() - 0.5,) * 2)  # as if written half a second before
        part.rename(scene.folder / "a.fits")
        assert scene.after(1) == ["a.fits"]

    @pytest.mark.parametrize("pause_s", [0, 3, 20])
    def test_an_incomplete_fits_image_is_not_given_during_a_pause(
        self, pause_s: float, scene: Scene, tmp_path: Path
    ) -> None:
        whole = fits(tmp_path / "whole.fits").read_bytes()
        target = picture(scene.folder / "a.fits", content=whole[:4000])
        assert scene.after(0) == scene.after(pause_s) == []
        picture(target, ago_s=-scene.clock.passed_s, content=whole)
        assert scene.after(1) == []
        assert scene.after(2) == ["a.fits"]

    def test_an_incomplete_fits_image_is_given_after_half_a_minute(self, scene: Scene, tmp_path: Path) -> None:
        picture(scene.folder / "a.fits", content=fits(tmp_path / "whole.fits").read_bytes()[:4000])
        assert scene.after(0) == scene.after(10) == []
        assert scene.after(25) == ["a.fits"]

    @pytest.mark.parametrize("name", ["a.fits.part", "a.tmp", ".a.jpg", "a.jpg~", "a.JPG.PARTIAL"])
    def test_names_of_incomplete_files_are_left(self, name: str, folder: Path, clock: Clock) -> None:
        scene = Scene(folder, clock, patterns=("*",))
        picture(folder / name, ago_s=100)
        picture(folder / "b.jpg", ago_s=100)
        assert scene.after(0) == ["b.jpg"]

    def test_a_file_that_is_removed_meanwhile_is_forgotten(self, scene: Scene) -> None:
        path = picture(scene.folder / "a.jpg")
        assert scene.after(0) == []
        path.unlink()
        assert scene.after(5) == scene.after(100) == []
        assert scene.said == []

    def test_a_frame_that_changes_while_it_is_solved_is_given_again(self, scene: Scene) -> None:
        path = picture(scene.folder / "a.jpg", ago_s=100)
        assert scene.after(0) == ["a.jpg"]
        picture(path, ago_s=50, content=b"another picture")
        assert scene.after(100) == []
        scene.settle("a.jpg", WAITING)
        assert scene.after(100) == ["a.jpg"]


class TestListing:
    @pytest.fixture
    def listings(self, monkeypatch: pytest.MonkeyPatch) -> list[object]:
        made: list[object] = []
        real = watch.find_frames
        monkeypatch.setattr(watch, "find_frames", lambda *a, **k: (made.append(a), real(*a, **k))[1])
        return made

    def test_new_folders_are_searched(self, scene: Scene) -> None:
        assert scene.after(0) == []
        (scene.folder / "target" / "red").mkdir(parents=True)
        picture(scene.folder / "target" / "red" / "a.jpg", ago_s=100)
        assert scene.after(1) == ["target/red/a.jpg"]

    def test_unchanged_folders_are_not_listed(self, scene: Scene, listings: list[object]) -> None:
        picture(scene.folder / "a.jpg", ago_s=100)
        os.utime(scene.folder, (time.time() - 50,) * 2)
        scene.after(0)
        scene.after(5)
        before = len(listings)
        for _ in range(20):
            scene.after(1)
        assert len(listings) == before
        picture(scene.folder / "b.jpg", ago_s=100)
        assert scene.after(1) == ["b.jpg"]

    def test_a_frame_that_is_rewritten_in_place_is_found_within_a_minute(self, scene: Scene) -> None:
        path = picture(scene.folder / "a.jpg", ago_s=100)
        os.utime(scene.folder, (time.time() - 50,) * 2)
        assert scene.after(0) == ["a.jpg"]
        scene.settle("a.jpg")
        picture(path, ago_s=90, content=b"another")
        os.utime(scene.folder, (time.time() - 50,) * 2)
        assert scene.after(61) == ["a.jpg"]

    def test_slow_listings_are_made_rarely(
        self, scene: Scene, listings: list[object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Listing takes at most one hundredth of a core."""
        real = watch.find_frames

        def slow(*args: Any, **terms: Any) -> Any:
            scene.clock.passed_s += 0.5
            return real(*args, **terms)

        monkeypatch.setattr(watch, "find_frames", slow)
        for number in range(200):
            picture(scene.folder / f"{number}.jpg", ago_s=100)
            scene.after(1)
        assert 1 < len(listings) <= 5

    def test_nothing_is_checked_between_two_polls(self, scene: Scene) -> None:
        assert scene.after(0) == []
        picture(scene.folder / "a.jpg", ago_s=100)
        assert scene.after(0.5) == []
        assert scene.after(0.5) == ["a.jpg"]

    def test_a_folder_that_may_not_be_read_is_reported_once(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = watch.find_frames

        def denied(*args: Any, **terms: Any) -> Any:
            found = real(*args, **terms)
            return type(found)(found.frames, ("x may not be read",), found.folders)

        monkeypatch.setattr(watch, "find_frames", denied)
        for _ in range(5):
            scene.after(61)
        assert scene.said == ["x may not be read"]
        monkeypatch.setattr(watch, "find_frames", real)
        scene.after(61)
        monkeypatch.setattr(watch, "find_frames", denied)
        scene.after(61)
        assert scene.said == ["x may not be read"] * 2


class TestMounts:
    def test_a_folder_that_goes_and_comes_back_has_a_line_for_each(self, scene: Scene, tmp_path: Path) -> None:
        for name in "abc":
            picture(scene.folder / f"{name}.jpg", ago_s=100)
        assert scene.after(0) == ["a.jpg", "b.jpg", "c.jpg"]
        scene.settle("a.jpg")
        scene.folder.rename(tmp_path / "elsewhere")
        scene.settle("b.jpg", WAITING)  # it could not be read
        for _ in range(5):
            assert scene.after(61) == []
        (tmp_path / "elsewhere").rename(scene.folder)
        assert scene.after(1) == ["b.jpg"]
        assert scene.planner.back == [str(scene.folder)]
        scene.settle("c.jpg")
        assert scene.after(61) == []
        assert [line.removeprefix(str(scene.folder)) for line in scene.said] == [
            " does not exist any more: check the mount; its frames wait",
            " exists again, with 3 frames",
        ]

    def test_an_empty_folder_in_its_place_is_not_the_disk(self, scene: Scene, tmp_path: Path) -> None:
        picture(scene.folder / "a.jpg", ago_s=100)
        assert scene.after(0) == ["a.jpg"]
        scene.folder.rename(tmp_path / "elsewhere")
        scene.folder.mkdir()
        assert scene.after(61) == scene.after(61) == []
        assert len(scene.said) == 1
        picture(scene.folder / "b.jpg", ago_s=100)  # mounted anew, as another device
        assert scene.after(61) == ["b.jpg"]
        assert len(scene.said) == 2

    def test_a_folder_that_is_empty_at_first_is_not_a_missing_mount(self, scene: Scene) -> None:
        assert scene.after(0) == scene.after(61) == []
        path = picture(scene.folder / "a.jpg", ago_s=100)
        assert scene.after(61) == ["a.jpg"]
        path.unlink()
        assert scene.after(61) == []
        assert scene.said == []


class TestAgain:
    def test_a_failure_that_may_pass_is_tried_three_times(self, scene: Scene) -> None:
        picture(scene.folder / "a.jpg", ago_s=100)
        given = [*scene.after(0)]
        for _ in range(30):
            if scene.watch.unfinished_paths():
                scene.settle("a.jpg", RETRIABLE)
            given += scene.after(301)
        assert given == ["a.jpg"] * 3

    def test_a_frame_that_is_solved_at_the_second_try_is_done(self, scene: Scene) -> None:
        picture(scene.folder / "a.jpg", ago_s=100)
        scene.after(0)
        scene.settle("a.jpg", RETRIABLE)
        assert scene.after(300) == []
        assert scene.after(301) == ["a.jpg"]
        scene.settle("a.jpg")
        assert scene.after(3000) == []


class TestEnds:
    def test_frames_that_landed_before_the_end_are_done(self, folder: Path, clock: Clock) -> None:
        scene = Scene(folder, clock, ends_s=clock.time() + 100)
        assert scene.after(0) == []
        assert scene.after(99) == []
        assert not scene.watch.is_over
        picture(folder / "a.jpg", ago_s=-99)
        assert scene.after(1) == []
        assert not scene.watch.is_over
        picture(folder / "late.jpg", ago_s=50)
        assert scene.after(3) == ["a.jpg"]
        assert scene.watch.is_over
        assert scene.after(100) == []

    def test_idleness_is_counted_from_the_last_frame(self, folder: Path, clock: Clock) -> None:
        scene = Scene(folder, clock, idle_s=100.0)
        scene.after(99)
        assert not scene.watch.is_over
        picture(folder / "a.jpg", ago_s=100)
        assert scene.after(0.5) == []
        assert scene.after(0.6) == ["a.jpg"]
        clock.passed_s += 1000  # it takes long
        assert not scene.watch.is_over
        scene.settle("a.jpg")
        clock.passed_s += 99
        assert not scene.watch.is_over
        clock.passed_s += 1
        assert scene.watch.is_over

    def test_without_a_limit_the_watch_goes_on(self, scene: Scene) -> None:
        scene.after(1e6)
        assert not scene.watch.is_over
