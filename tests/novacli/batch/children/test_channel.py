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


def test_objects_come_as_they_were_sent_whatever_their_size(ends: tuple[Channel, Channel]) -> None:
    sent = [None, {"a": (1, 2.5)}, _LARGE]
    thread = threading.Thread(target=lambda: [ends[0].send(what) for what in sent])
    thread.start()
    assert [ends[1].receive() for _ in sent] == sent
    thread.join()


def test_what_is_there_already_is_received_after_the_time(ends: tuple[Channel, Channel]) -> None:
    ends[0].send(1)
    assert ends[1].receive(time.monotonic() - 1) == 1


def test_nothing_is_waited_for_longer_than_is_said(ends: tuple[Channel, Channel]) -> None:
    """Neither an object nor its second half, nor room for one."""
    with pytest.raises(TimeoutError):
        ends[1].receive(soon())
    with pytest.raises(TimeoutError):
        ends[0].send(_LARGE, soon())
    with pytest.raises(TimeoutError):
        ends[1].receive(soon())


def test_where_the_other_end_is_closed_that_is_told(ends: tuple[Channel, Channel]) -> None:
    ends[0].close()
    with pytest.raises(EOFError):
        ends[1].receive()
    with pytest.raises(BrokenPipeError):
        ends[1].send(1)


def test_an_end_is_found_by_its_descriptor(ends: tuple[Channel, Channel]) -> None:
    again = Channel.at(os.dup(ends[1].fileno()))
    ends[0].send("word")
    assert again.receive() == "word"
    again.close()
