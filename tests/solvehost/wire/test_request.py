"""Ids and star lists of a request arrive as they were sent, and malformed requests are refused."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rawwire import (
    AXY,
    END,
    JOB,
    Endless,
    header,
    in_pieces,
    member,
    read_request,
)

from solvehost import wire
from solvehost.errors import DataError, InputMissingError, RetryLaterError

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("job_id", ["a", "job-nova-1", "0.x_Y-", "A" * 64])
def test_reading_an_id_consumes_its_line_only(job_id: str) -> None:
    stream = io.BytesIO(job_id.encode() + b"\nrest")
    assert wire.read_id(stream.read) == job_id
    assert stream.read() == b"rest"


@pytest.mark.parametrize(
    "line",
    [
        b"../../x",
        b"/etc/x",
        b".",
        b"..",
        b"",
        b" ",
        b"-p",
        b"a b",
        b"*",
        b"~",
        b"a\\b",
        b"\xc3\xa4",
        "ａ".encode(),
        b"a\0b",
        b"a\r",
        b"\r",
        b"\x1b[2J",
        b"$(id)",
        b"a;b",
        b"A" * 65,
        b"a\t",
        b"_a",
        b".a",
    ],
)
def test_a_malformed_id_is_refused_and_shown_escaped(line: bytes) -> None:
    with pytest.raises(DataError, match="is not a job id: send a line with 1 to 64") as caught:
        wire.read_id(in_pieces(line + b"\n"))
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_an_endless_id_line_is_refused_within_256_bytes() -> None:
    peer = Endless(b"", b"A")
    calls: list[int] = []

    def read(size: int) -> bytes:
        calls.append(size)
        return peer(size)

    with pytest.raises(DataError, match="is not a job id"):
        wire.read_id(read)
    assert sum(calls) <= 256


def test_an_empty_stream_is_no_input() -> None:
    with pytest.raises(InputMissingError, match="nothing was sent: send a line with the job's id"):
        wire.read_request(in_pieces(b""))


@pytest.mark.parametrize("line", [b"j", b"job-1", b"job-1\r"])
def test_an_id_without_a_line_feed_is_bad_data(line: bytes) -> None:
    with pytest.raises(DataError, match="ends without a line feed"):
        wire.read_id(in_pieces(line))


def test_exceptions_of_the_read_function_pass_through() -> None:
    def read(size: int) -> bytes:
        raise RetryLaterError("the line took too long")

    with pytest.raises(RetryLaterError, match="took too long"):
        wire.read_request(read)


@pytest.mark.parametrize("most", [1, 7, 512, 2**20])
def test_a_request_is_the_same_after_writing_and_reading(most: int) -> None:
    axys = {1: AXY, 2: b"", 24: b"x" * 513}
    data = b"".join(wire.write_request("job-1", axys))
    assert wire.read_request(in_pieces(data, most)) == wire.Request("job-1", axys)


def test_attempts_may_come_in_any_order_under_plain_or_dotted_names() -> None:
    archive = member(b"./job-2.axy", b"two") + member(b"job.axy", b"one") + END
    request = read_request(archive)
    assert list(request.axys.items()) == [(1, b"one"), (2, b"two")]


def test_the_bytes_of_a_request_never_change() -> None:
    made = b"".join(wire.write_request("job-1", {1: b"one\n", 2: b"two\n" * 200}))
    assert made == (GOLDEN / "request.stream").read_bytes()


@pytest.mark.parametrize(
    ("job_id", "axys", "match"),
    [
        ("../x", {1: b""}, "is not a job id"),
        ("a\n", {1: b""}, "is not a job id"),
        ("a", {2: b""}, "number 1 must be present"),
        ("a", {}, "number 1 must be present"),
        ("a", {1: b"", 25: b""}, "from 1 to 24"),
        ("a", {1: bytes(16 * 2**20 + 1)}, "a star list is longer than 16,777,216 bytes"),
        ("a", {1: bytes(2**24), 2: bytes(2**24)}, "the star lists are longer than 33,554,432 bytes"),
    ],
)
def test_a_request_that_a_server_would_refuse_is_not_written(job_id: str, axys: dict[int, bytes], match: str) -> None:
    with pytest.raises(DataError, match=match):
        wire.write_request(job_id, axys)


def test_a_request_needs_the_first_attempt() -> None:
    with pytest.raises(DataError, match=r"job\.axy is not in the archive"):
        read_request(member(b"job-2.axy", AXY) + END)


@pytest.mark.parametrize(
    "name",
    [
        b"/etc/cron.d/x",
        b"/job.axy",
        b"../job.axy",
        b"a/../job.axy",
        b"a/job.axy",
        b"././job.axy",
        b".//job.axy",
        b"./",
        b"..",
        b".",
        b"",
        b"job.axy/",
        b"--checkpoint-action=exec=sh",
        b"job .axy",
        b"job.axy\n",
        b"\x1b]0;x\x07",
        b"job-1.axy",
        b"job-25.axy",
        b"job-02.axy",
        b"JOB.AXY",
        b"wcs.fits",
        b"backend.log",
        b".._job.axy",
        b"a/._x",
    ],
)
def test_a_server_refuses_members_with_other_names(name: bytes) -> None:
    with pytest.raises(DataError, match="the archive must not contain") as caught:
        read_request(JOB + member(name, AXY) + END)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_a_prefix_is_part_of_the_name() -> None:
    with pytest.raises(DataError, match=r"the archive must not contain 'a/job\.axy'"):
        read_request(header(b"job.axy", prefix=b"a") + END)


def test_times_that_gnu_tar_stores_in_place_of_the_prefix_are_ignored() -> None:
    archive = header(b"job.axy", 0, magic=b"ustar  \0", prefix=b"14721003001\0") + END
    assert read_request(archive).axys == {1: b""}
