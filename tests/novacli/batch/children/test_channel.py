"""Objects between processes, whole or not at all, and in time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from novacli.batch.children.channel import Channel, channels

_LARGE = bytes(2**22)


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    """Both ends of a channel."""
    ours, theirs = channels()
    yield ours, theirs
    ours.close()
    theirs.close()


def soon() -> float:
    return time.monotonic() + 0.1


def test_objects_of_any_size_arrive_as_sent(ends: tuple[Channel, Channel]) -> None:
    sent = [None, {"a": (1, 2.5)}, _LARGE]
    thread = threading.Thread(target=lambda: [ends[0].send(what) for what in sent])
    thread.start()
    assert [ends[1].receive() for _ in sent] == sent
    thread.join()


def test_an_object_that_has_arrived_is_received_after_the_time(ends: tuple[Channel, Channel]) -> None:
    ends[0].send(1)
    assert ends[1].receive(time.monotonic() - 1) == 1


def test_waiting_ends_at_the_given_time(ends: tuple[Channel, Channel]) -> None:
    """Neither an object nor its second half, nor room for one."""
    with pytest.raises(TimeoutError):
        ends[1].receive(soon())
    with pytest.raises(TimeoutError):
        ends[0].send(_LARGE, soon())
    with pytest.raises(TimeoutError):
        ends[1].receive(soon())


def test_a_closed_end_is_an_error(ends: tuple[Channel, Channel]) -> None:
    ends[0].close()
    with pytest.raises(EOFError):
        ends[1].receive()
    with pytest.raises(BrokenPipeError):
        ends[1].send(1)


def test_an_end_can_be_opened_by_its_descriptor(ends: tuple[Channel, Channel]) -> None:
    again = Channel.at(os.dup(ends[1].fileno()))
    ends[0].send("word")
    assert again.receive() == "word"
    again.close()
