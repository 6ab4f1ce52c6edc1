"""The order in which frames are begun, which frames wait, and which hints they get."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import fitsio
import numpy as np
import pytest

from novacli.batch.frames.header_reader import read_exposure
from novacli.batch.frames.listing import frame_at
from novacli.batch.ledger.plan import PlannedFrame
from novacli.batch.records import RETRIABLE, FrameRecord, SequenceHint, TaskOutcome
from novacli.batch.run import sequences
from novacli.batch.run.sequences import SequenceQueue
from novacli.records.result import Result
from novacli.records.status import SOLVED, UNSOLVED

numbers = itertools.count()


def todo(folder: Path, camera: str, minute: int, fate: str | None = None, *, hour: int = 20) -> PlannedFrame:
    """A frame of a camera, whose file name says nothing of the order."""
    path = folder / f"{97 - next(numbers) % 97:02d}-{camera}-{hour}{minute:02d}.fits"
    cards = {"INSTRUME": camera, "DATE-OBS": f"2026-03-01T{hour:02d}:{minute:02d}:00"}
    fitsio.write(str(path), np.zeros((4, 6), np.uint16), header=cards, clobber=True)
    known = None if fate is None else FrameRecord(1, 1, None, "p", frozenset(), fate, 75, 1)
    return PlannedFrame(frame_at(str(path), str(folder)), known)


def name(item: PlannedFrame | None) -> str | None:
    return None if item is None else Path(item.frame.path).stem.partition("-")[2]


def taught(rig: str = "r", target: str = "", ra_deg: float = 10.0) -> SequenceHint:
    return SequenceHint(rig, target, None, (ra_deg, 20.0), 2.0, 1)


def solved(item: PlannedFrame, lesson: SequenceHint | None = None) -> TaskOutcome:
    return TaskOutcome(item.frame, result=Result(item.frame.path, SOLVED), hint=lesson or taught())


def take(order: SequenceQueue) -> PlannedFrame:
    item = order.take()
    assert item is not None
    return item


def drain(order: SequenceQueue) -> list[str | None]:
    """Do all frames, one after the other."""
    names = []
    while (item := order.take()) is not None:
        names.append(name(item))
        order.finish(item, solved(item))
    return names


def test_frames_are_done_by_camera_and_time(tmp_path: Path) -> None:
    order = SequenceQueue()
    order.add([todo(tmp_path, camera, minute) for minute, camera in itertools.product((3, 1, 2), ("a", "b"))])
    assert len(order) == 6
    names = drain(order)
    assert sorted(names[:3]) == names[:3]
    assert sorted(names[3:]) == names[3:]
    assert {tuple(n[0] for n in names[:3] if n), tuple(n[0] for n in names[3:] if n)} == {tuple("aaa"), tuple("bbb")}
    assert len(order) == 0


def test_the_first_frame_is_begun_alone_and_the_others_get_its_hints(tmp_path: Path) -> None:
    order = SequenceQueue()
    order.add([todo(tmp_path, "a", minute) for minute in range(4)])
    first = take(order)
    assert order.hints(first) == ()
    assert order.take() is None
    assert (order.ready, len(order)) == (0, 3)
    order.finish(first, solved(first))
    assert order.ready == 3
    second, third = take(order), take(order)
    assert order.hints(second) == order.hints(third) == (taught(),)


def test_other_cameras_do_not_wait(tmp_path: Path) -> None:
    order = SequenceQueue()
    order.add([todo(tmp_path, camera, minute) for minute in range(2) for camera in "ab"])
    one, other = take(order), take(order)
    assert {name(one), name(other)} == {"a-2000", "b-2000"}
    assert order.take() is None
    order.finish(one, solved(one))
    nxt = take(order)
    assert (name(nxt) or "")[0] == (name(one) or "")[0]
    assert order.hints(nxt)


@pytest.mark.parametrize("outcome", ["unsolved", "lost"])
def test_an_unsolved_first_frame_lets_the_others_begin(outcome: str, tmp_path: Path) -> None:
    """A cloudy night is not done one frame after the other."""
    order = SequenceQueue()
    order.add([todo(tmp_path, "a", minute) for minute in range(3)])
    first = take(order)
    unsolved = TaskOutcome(first.frame, result=Result(first.frame.path, UNSOLVED))
    order.finish(first, unsolved if outcome == "unsolved" else None)
    assert order.hints(take(order)) == order.hints(take(order)) == ()


def test_a_slow_first_frame_does_not_block_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = SequenceQueue()
    order.add([todo(tmp_path, "a", minute) for minute in range(3)])
    take(order)
    assert order.take() is None
    late = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: late)
    assert order.take() is not None


def test_frames_with_known_content_do_not_wait(tmp_path: Path) -> None:
    order = SequenceQueue()
    frames = [todo(tmp_path, "a", minute).frame for minute in range(3)]
    order.add([PlannedFrame(frame, None, "digest") for frame in frames])
    assert all(order.take() for _ in range(3))


def test_each_frame_has_the_newest_hints_of_its_camera_alone(tmp_path: Path) -> None:
    order = SequenceQueue()
    order.add([todo(tmp_path, camera, minute) for minute in range(3) for camera in "ab"])
    lessons: dict[str, tuple[SequenceHint, ...]] = {"a": (), "b": ()}
    for number in range(6):
        item = take(order)
        camera = str(name(item))[0]
        assert order.hints(item) == lessons[camera]
        lessons[camera] = (taught(camera, ra_deg=number),)
        order.finish(item, solved(item, *lessons[camera]))


def test_each_target_has_its_hint_and_the_nearest_in_time_comes_first(tmp_path: Path) -> None:
    order = SequenceQueue()
    order.add([todo(tmp_path, "a", minute) for minute in (0, 10, 20, 30)])
    for target in ("m31", "m33", "m31"):
        item = take(order)
        order.finish(item, solved(item, taught(target=target)))
    assert [lesson.target for lesson in order.hints(take(order))] == ["m31", "m33"]


def test_hours_later_only_the_scale_is_passed_on(tmp_path: Path) -> None:
    order = SequenceQueue()
    order.add([todo(tmp_path, "a", 0, hour=20), todo(tmp_path, "a", 0, hour=23)])
    first = take(order)
    order.finish(first, solved(first))
    (lesson,) = order.hints(take(order))
    assert (lesson.centre_deg, lesson.pixscale_arcsec) == (None, 2.0)


def test_frames_that_failed_before_come_last(tmp_path: Path) -> None:
    order = SequenceQueue()
    failed = [todo(tmp_path, "a", 0, RETRIABLE), todo(tmp_path, "b", 0, RETRIABLE)]
    order.add([*failed, todo(tmp_path, "a", 5), todo(tmp_path, "b", 5)])
    names = drain(order)
    assert sorted(str(n) for n in names[:2]) == ["a-2005", "b-2005"]
    assert sorted(str(n) for n in names[2:]) == ["a-2000", "b-2000"]


def test_headers_are_read_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of 20,000 frames does not wait for the headers of all."""
    looks: list[str] = []
    monkeypatch.setattr(sequences, "_WINDOW", 5)
    order = SequenceQueue(lambda frame: (looks.append(frame.path), read_exposure(frame))[1])
    order.add([todo(tmp_path, "a", minute) for minute in range(30)])
    take(order)
    assert len(looks) == 5
    assert len(order) == 29


def test_every_frame_is_taken_once(tmp_path: Path) -> None:
    frames = [todo(tmp_path, camera, minute) for minute in range(8) for camera in "abc"]
    order = SequenceQueue()
    done: list[PlannedFrame] = []
    under_way: list[PlannedFrame] = []
    rest: Sequence[PlannedFrame] = frames
    while rest or len(order) or under_way:
        order.add(rest[:5])
        rest = rest[5:]
        while len(under_way) < 4 and (item := order.take()) is not None:
            under_way.append(item)
        item = under_way.pop()
        order.finish(item, solved(item))
        done.append(item)
    assert sorted(d.frame.path for d in done) == sorted(f.frame.path for f in frames)
