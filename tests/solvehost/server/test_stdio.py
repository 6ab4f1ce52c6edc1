"""Standard input, output and error with patience: slow, silent and vanished peers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from solvehost.errors import BusyError, PeerError
from solvehost.server import stdio
from solvehost.server.stdio import Answer, PeerWatch, Remarks, Upload


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    ends = list(os.pipe())
    yield ends
    for fd in ends:
        if fd >= 0:
            os.close(fd)


def close(ends: list[int], which: int) -> None:
    os.close(ends[which])
    ends[which] = -1


def test_an_upload_comes_in_pieces_no_longer_than_asked_for(pipe: list[int]) -> None:
    os.write(pipe[1], b"job-1\nrest")
    close(pipe, 1)
    upload = Upload(pipe[0])
    assert [upload.read(1) for _ in range(6)] == [b"j", b"o", b"b", b"-", b"1", b"\n"]
    assert (upload.read(100), upload.read(100), upload.count) == (b"rest", b"", 10)


def test_a_line_that_does_not_come_is_given_up(pipe: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio, "LINE_S", 0.05)
    with pytest.raises(BusyError, match="only 0 bytes came"):
        Upload(pipe[0]).read(1)


def test_a_trickle_is_given_up_long_before_the_whole_time_is_up(
    pipe: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One byte now and then: each is progress, and all together too slow."""
    monkeypatch.setattr(stdio, "LINE_S", 0.1)
    upload = Upload(pipe[0])
    upload.line_is_read()
    done = threading.Event()

    def drip() -> None:
        while not done.wait(0.02):
            os.write(pipe[1], b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        with pytest.raises(BusyError, match="send it again, and faster"):
            while upload.read(1):
                pass
    finally:
        done.set()
        dripping.join()


def test_an_upload_has_an_end_even_where_its_rate_is_high(pipe: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio, "UPLOAD_S", 0.1)
    os.write(pipe[1], bytes(60_000))
    upload = Upload(pipe[0])
    upload.line_is_read()
    with pytest.raises(BusyError, match="60,000 bytes came"):
        while upload.read(1 << 16):
            pass


def test_an_answer_is_written_whole_to_a_slow_reader(pipe: list[int]) -> None:
    data = os.urandom(300_000)
    got = bytearray()

    def read() -> None:
        while piece := os.read(pipe[0], 10_000):
            got.extend(piece)

    reading = threading.Thread(target=read)
    reading.start()
    Answer(pipe[1]).write([data[:100], b"", data[100:]])
    close(pipe, 1)
    reading.join()
    assert bytes(got) == data


def test_an_answer_that_nobody_reads_is_given_up(pipe: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio, "STALL_S", 0.05)
    with pytest.raises(PeerError, match="nobody read the answer"):
        Answer(pipe[1]).write([bytes(1 << 20)])


def test_an_answer_that_is_read_in_little_pieces_is_given_up(pipe: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them is progress, but all together they would take days."""
    monkeypatch.setattr(stdio, "STALL_S", 0.2)
    gone = threading.Event()

    def read() -> None:
        while not gone.wait(0.05):
            os.read(pipe[0], 4096)

    reading = threading.Thread(target=read)
    reading.start()
    monkeypatch.setattr(stdio, "LEAST_ANSWER_RATE", 10**9)
    try:
        with pytest.raises(PeerError, match="nobody read the answer fast enough"):
            Answer(pipe[1]).write([bytes(1 << 24)])
    finally:
        gone.set()
        reading.join()


def test_an_answer_to_somebody_gone_is_an_error_of_the_peer(pipe: list[int]) -> None:
    close(pipe, 0)
    with pytest.raises(PeerError, match="nobody reads the answer: Broken pipe"):
        Answer(pipe[1]).write([b"x"])


def test_a_peer_that_is_gone_is_seen(pipe: list[int]) -> None:
    watch = PeerWatch(pipe[1])
    assert not watch.is_gone()
    close(pipe, 0)
    assert watch.is_gone()


def test_a_file_as_standard_output_is_nobody_gone(tmp_path: object) -> None:
    with open(os.devnull, "wb") as nothing:
        assert not PeerWatch(nothing.fileno()).is_gone()


def test_remarks_that_nobody_reads_are_dropped_and_hold_up_nothing(pipe: list[int]) -> None:
    remarks = Remarks(pipe[1])
    began = time.monotonic()
    for _ in range(100):
        remarks.show(b"x" * 10_000)
    assert len(os.read(pipe[0], 1 << 20)) <= 1 << 16
    close(pipe, 0)
    remarks.say("again")
    remarks.say("and again")
    assert remarks.is_dead
    assert time.monotonic() >= began


def test_remarks_cannot_move_a_cursor(pipe: list[int]) -> None:
    Remarks(pipe[1]).show(b"a\x1b[2Jb\n\tc\xff")
    assert os.read(pipe[0], 100) == b"a\\x1b[2Jb\n\tc\\xff"
