"""Attempts that are sent together, their id and their numbers."""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_jobs import make_job

from novacli.backends.ssh import packing
from novacli.errors import DataError, InputMissingError
from solvehost import wire
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir


@pytest.fixture
def job(tmp_path: Path) -> JobDir:
    made = make_job(tmp_path / "jobs", "interrupted")
    for number in (2, 3, 5):
        made.axy(number).write_bytes(b"%d" % number)
    return made


def test_a_wire_id_is_the_job_id_and_64_random_bits() -> None:
    first, second = packing.new_wire_id("ab12"), packing.new_wire_id("ab12")
    assert first.startswith("ab12-")
    assert (len(first), first == second) == (21, False)
    assert len(packing.new_wire_id("x" * 64)) == 64
    assert jobdir.is_id(packing.new_wire_id("x" * 64))


def test_attempts_are_numbered_from_1_on_the_wire(job: JobDir) -> None:
    packet = packing.pack(job, [3, 5])
    request = wire.read_request(io.BytesIO(packet.request).read)
    assert (request.job_id, request.axys) == (packet.job_id, {1: b"3", 2: b"5"})
    assert [packet.own_number(n) for n in (0, 1, 2, 3, -1)] == [None, 3, 5, None, None]


def test_packing_twice_gives_the_same_bytes(job: JobDir) -> None:
    assert packing.pack(job, [1, 2], "a-1") == packing.pack(job, [1, 2], "a-1")


def test_a_missing_star_list_is_named(job: JobDir) -> None:
    with pytest.raises(InputMissingError, match=r"job-4\.axy: No such file"):
        packing.pack(job, [1, 4])


def test_a_star_list_that_is_too_long_is_refused(job: JobDir) -> None:
    with job.axy(2).open("wb") as stream:
        stream.truncate(17 * 2**20)
    with pytest.raises(DataError, match="a star list is longer than"):
        packing.pack(job, [2])


def test_all_attempts_that_are_ready_are_taken(job: JobDir) -> None:
    assert packing.take_ready(job, iter([1, 2, 3])) == [1, 2, 3]
    assert packing.take_ready(job, iter(())) == []


def test_no_more_attempts_are_taken_than_fit_into_a_request(job: JobDir) -> None:
    assert len(packing.take_ready(job, itertools.count(1))) == jobdir.MAX_ATTEMPTS
    with job.axy(2).open("wb") as stream:
        stream.truncate(16 * 2**20)
    assert packing.take_ready(job, iter([1, 2, 3])) == [1, 2]


def test_attempts_that_take_long_to_prepare_are_left_for_later(job: JobDir) -> None:
    def slowly() -> Iterator[int]:
        yield 1
        time.sleep(0.2)
        yield 2
        yield 3

    numbers = slowly()
    assert packing.take_ready(job, numbers, budget_s=0.1) == [1, 2]
    assert next(numbers) == 3, "the rest is still to come"
