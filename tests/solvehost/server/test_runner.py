"""Solving one job.  ``attacks/`` tests it with a running server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import standin

from solvehost.errors import DataError, OutputError, RetryLaterError
from solvehost.formats import axy, fitsfile, jobdir
from solvehost.server import runner as module
from solvehost.server import settings
from solvehost.server.request_log import LogEntry
from solvehost.server.runner import JobRunner, RaceMonitor
from solvehost.server.state_dir import StateDir
from solvehost.server.stdio import MessageWriter

AXY = axy.to_bytes(standin.make_attempt())


@pytest.fixture
def stderr() -> Iterator[tuple[MessageWriter, int]]:
    """A message writer, and the descriptor from which its output can be read."""
    read_end, write_end = os.pipe()
    yield MessageWriter(write_end), read_end
    os.close(read_end)
    os.close(write_end)


@pytest.fixture
def runner(tmp_path: Path, stderr: tuple[MessageWriter, int]) -> JobRunner:
    flags = {"config": os.devnull, "state": str(tmp_path / "state"), "slots": "1", "max_running": "1"}
    state = StateDir(settings.load(flags)).open()
    return JobRunner(state, stderr[0], LogEntry("nova1"))


def test_star_lists_are_rewritten_and_counted(runner: JobRunner, stderr: tuple[MessageWriter, int]) -> None:
    job = jobdir.create(runner.state.work)
    header = fitsfile.end_header([AXY[:80], fitsfile.card("EVIL", "x"), *_cards(AXY)[1:]])
    size = fitsfile.BLOCK * -(-len(b"".join(_cards(AXY)) + b"END".ljust(80)) // fitsfile.BLOCK)
    runner.rewrite_star_lists({1: header + AXY[size:]}, job)
    assert b"EVIL" not in job.axy(1).read_bytes()
    assert axy.read(job.axy(1)).stars == axy.parse(AXY).stars
    assert runner.entry.stars == 12
    assert b"job.axy: 1 cards are not used: EVIL" in os.read(stderr[1], 1000)


def _cards(data: bytes) -> list[bytes]:
    """Return the cards of the primary header, without END."""
    cards = [data[at : at + 80] for at in range(0, fitsfile.BLOCK * 4, 80)]
    return cards[: next(at for at, card in enumerate(cards) if card.startswith(b"END "))]


def test_the_message_names_an_invalid_star_list(runner: JobRunner) -> None:
    with pytest.raises(DataError, match=r"^job-2\.axy: "):
        runner.rewrite_star_lists({1: AXY, 2: b"nonsense"}, jobdir.create(runner.state.work))


def test_a_wait_that_ends_releases_the_tokens_taken(runner: JobRunner) -> None:
    """The token of the client's running jobs is free again after the wait for a slot was cancelled."""
    client = runner.state.client()
    running = client.running()
    assert running is not None
    slot = runner.state.slots().try_acquire()
    assert slot is not None
    with pytest.raises(RetryLaterError, match="engine slots were in use"):
        runner.wait_for_turn(client, 60, lambda: running.count_held() == 1)
    assert running.count_held() == 0
    slot.release()
    tokens = runner.wait_for_turn(client, 60, lambda: False)
    assert (len(tokens), running.count_held(), runner.state.slots().count_held()) == (2, 1, 1)
    for token in tokens:
        token.release()


def test_a_job_that_has_grown_too_large_is_ended(
    tmp_path: Path, stderr: tuple[MessageWriter, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_JOB_BYTES", 2**20)
    job = jobdir.create(tmp_path)
    monitor = RaceMonitor(job, stderr[0], lambda: True)
    (job.path / "large").write_bytes(bytes(2**20 + 1))
    with pytest.raises(OutputError, match="it wrote more than 1 MiB or 2048 files"):
        monitor.check()
    monitor.close()


def test_a_job_with_too_many_files_is_ended(
    tmp_path: Path, stderr: tuple[MessageWriter, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes an inode of the disk, even if it is empty."""
    monkeypatch.setattr(module, "MAX_JOB_FILES", 20)
    job = jobdir.create(tmp_path)
    monitor = RaceMonitor(job, stderr[0], lambda: True)
    for number in range(21):
        (job.path / str(number)).touch()
    with pytest.raises(OutputError, match="it wrote more than 512 MiB or 20 files"):
        monitor.check()
    monitor.close()


def test_star_lists_on_disk_are_released(runner: JobRunner) -> None:
    """Then the next large upload may begin."""
    axys, uploads = {1: bytes(2**21)}, runner.state.client().uploads()
    places = [uploads.acquire(0.0)]
    JobRunner(runner.state, runner.messages, runner.entry, places).release_upload(axys)
    assert (axys, places, uploads.count_held()) == ({}, [], 0)
