"""Standard input, output and error with slow, silent and disconnected peers."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from solvehost.errors import RetryLaterError, TransferError
from solvehost.server import stdio
from solvehost.server.stdio import AnswerWriter, MessageWriter, PeerMonitor, RequestReader


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


def test_a_reader_returns_at_most_the_requested_bytes(pipe: list[int]) -> None:
    os.write(pipe[1], b"job-1\nrest")
    close(pipe, 1)
    upload = RequestReader(pipe[0])
    assert [upload.read(1) for _ in range(6)] == [b"j", b"o", b"b", b"-", b"1", b"\n"]
    assert (upload.read(100), upload.read(100), upload.count) == (b"rest", b"", 10)


def test_a_silent_peer_is_refused_at_the_first_deadline(pipe: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio, "LINE_S", 0.05)
    with pytest.raises(RetryLaterError, match="only 0 bytes arrived"):
        RequestReader(pipe[0]).read(1)


def test_a_slow_upload_is_refused_before_the_deadline_of_the_upload(
    pipe: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer sends single bytes: each one is progress, but the average rate is too low."""
    monkeypatch.setattr(stdio, "LINE_S", 0.1)
    upload = RequestReader(pipe[0])
    upload.end_id_line()
    done = threading.Event()

    def drip() -> None:
        while not done.wait(0.02):
            os.write(pipe[1], b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        with pytest.raises(RetryLaterError, match="send it again, faster"):
            while upload.read(1):
                pass
    finally:
        done.set()
        dripping.join()


def test_a_large_upload_is_announced_once(pipe: list[int]) -> None:
    """Until it has leave to go on, the reader keeps no more than the beginning of it."""
    sizes: list[int] = []
    sender = threading.Thread(target=lambda: [os.write(pipe[1], bytes(2**20)) for _ in range(3)])
    sender.start()
    upload = RequestReader(pipe[0], on_large=lambda _wait_s: sizes.append(upload.count))
    upload.end_id_line()
    while upload.count < 3 * 2**20:
        upload.read(2**16)
    sender.join()
    assert len(sizes) == 1
    assert stdio.LARGE_BYTES < sizes[0] <= stdio.LARGE_BYTES + 2**16


def test_the_wait_for_leave_does_not_count_as_a_slow_upload(pipe: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio, "LARGE_BYTES", 10)
    now = [0.0]
    monkeypatch.setattr(stdio.time, "monotonic", lambda: now[0])

    def wait(_wait_s: float) -> None:
        now[0] += 2 * stdio.UPLOAD_S

    os.write(pipe[1], bytes(20))
    close(pipe, 1)
    upload = RequestReader(pipe[0], wait)
    assert (len(upload.read(20)), upload.read(20)) == (20, b"")


def test_a_fast_upload_is_refused_at_its_deadline(pipe: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio, "UPLOAD_S", 0.1)
    os.write(pipe[1], bytes(60_000))
    upload = RequestReader(pipe[0])
    upload.end_id_line()
    with pytest.raises(RetryLaterError, match="60,000 bytes arrived"):
        while upload.read(1 << 16):
            pass


def test_a_slow_reader_gets_the_whole_answer(pipe: list[int]) -> None:
    data = os.urandom(300_000)
    got = bytearray()

    def read() -> None:
        while piece := os.read(pipe[0], 10_000):
            got.extend(piece)

    reading = threading.Thread(target=read)
    reading.start()
    AnswerWriter(pipe[1]).write([data[:100], b"", data[100:]])
    close(pipe, 1)
    reading.join()
    assert bytes(got) == data


def test_a_peer_that_reads_nothing_is_given_up(pipe: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio, "STALL_S", 0.05)
    with pytest.raises(TransferError, match="the client did not read the answer"):
        AnswerWriter(pipe[1]).write([bytes(1 << 20)])


def test_a_peer_that_reads_too_slowly_is_given_up(pipe: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer reads small pieces: each one is progress, but the whole answer would take days."""
    monkeypatch.setattr(stdio, "STALL_S", 0.2)
    gone = threading.Event()

    def read() -> None:
        while not gone.wait(0.05):
            os.read(pipe[0], 4096)

    reading = threading.Thread(target=read)
    reading.start()
    monkeypatch.setattr(stdio, "MIN_ANSWER_RATE", 10**9)
    try:
        with pytest.raises(TransferError, match="the client did not read the answer fast enough"):
            AnswerWriter(pipe[1]).write([bytes(1 << 24)])
    finally:
        gone.set()
        reading.join()


def test_an_answer_to_a_disconnected_peer_is_a_peer_error(pipe: list[int]) -> None:
    close(pipe, 0)
    with pytest.raises(TransferError, match="the client does not read the answer: Broken pipe"):
        AnswerWriter(pipe[1]).write([b"x"])


def test_a_disconnected_peer_is_detected(pipe: list[int]) -> None:
    watch = PeerMonitor(pipe[1])
    assert not watch.is_gone()
    close(pipe, 0)
    assert watch.is_gone()


def test_a_file_as_standard_output_counts_as_connected(tmp_path: object) -> None:
    with open(os.devnull, "wb") as nothing:
        assert not PeerMonitor(nothing.fileno()).is_gone()


def test_messages_that_the_peer_does_not_read_are_dropped(pipe: list[int]) -> None:
    messages = MessageWriter(pipe[1])
    for _ in range(100):
        messages.write_log(b"x" * 10_000)
    assert len(os.read(pipe[0], 1 << 20)) <= 1 << 16
    close(pipe, 0)
    messages.write_message("again")
    messages.write_message("and again")
    assert messages.is_closed


def test_logs_are_escaped(pipe: list[int]) -> None:
    MessageWriter(pipe[1]).write_log(b"a\x1b[2Jb\n\tc\xff")
    assert os.read(pipe[0], 100) == b"a\\x1b[2Jb\n\tc\\xff"
