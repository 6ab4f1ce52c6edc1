"""Attack 1: malformed id lines."""

from __future__ import annotations

import itertools

import pytest
from attack_server import Server, each, told
from rawwire import AXY, END, JOB

BAD = [
    ("parents", b"../../x"), ("absolute", b"/etc/passwd"), ("dot", b"."), ("dots", b".."), ("empty", b""),
    ("blank", b" "), ("option", b"-p"), ("words", b"a b"), ("star", b"*"), ("home", b"~"), ("backslash", b"a\\b"),
    ("latin", "ä".encode("latin-1")), ("utf-8", "é".encode()), ("nul", b"a\0b"), ("cr", b"a\r"), ("tab", b"a\t"),
    ("escape", b"\x1b[2J\x1b]0;x\x07"), ("dollar", b"$(id)"), ("semicolon", b"a;id"), ("65 characters", b"a" * 65),
    ("hidden", b".new-x"), ("overlong dot", b"\xc0\xae\xc0\xae"),
]  # fmt: skip


@pytest.mark.parametrize("job_id", **each(BAD))
def test_a_malformed_id_is_refused(server: Server, job_id: bytes) -> None:
    server.assert_refused(server.run(job_id + b"\n" + JOB + END), 65, "is not a job id")


def test_a_second_line_feed_is_part_of_the_archive(server: Server) -> None:
    server.assert_refused(server.run(b"job-1\n\n" + JOB + END), 65, "this is not a tar archive")


def test_ten_megabytes_without_a_line_feed_are_refused_early(server: Server) -> None:
    """The server refuses after 256 bytes, though the pipe accepts more."""
    done = server.run(itertools.repeat(b"a" * 4096, 2560))
    server.assert_refused(done, 65, "is not a job id")
    assert done.taken < 2**18
    process = server.start()
    assert process.stdin is not None
    process.stdin.write(b"a" * 256)
    process.stdin.flush()
    assert process.wait(20) == 65  # while the pipe is still open
    process.communicate()


def test_an_id_without_a_line_feed_is_bad_data(server: Server) -> None:
    server.assert_refused(server.run(b"job-1"), 65, "ends without a line feed")


def test_an_empty_stream_is_no_input(server: Server) -> None:
    server.assert_refused(server.run(b""), 66, "nothing was sent")


def test_an_id_without_an_archive_is_no_input(server: Server) -> None:
    server.assert_refused(server.run(b"job-1\n"), 66, "nothing was sent")


@pytest.mark.parametrize("job_id", [b"a", b"A.b-c_9", b"0" * 64])
def test_ids_are_labels_only(server: Server, job_id: bytes) -> None:
    """They are in the manifest, and in no path on the server."""
    manifest, _files = server.assert_served(server.run(told("solve", job_id=job_id)), job_id.decode())
    assert manifest["id"] == job_id.decode()
    assert manifest["client"] == "me"
    assert job_id.decode() not in {path.name for path in server.state.rglob("*")}


def test_an_invalid_axy_is_refused_after_its_id(server: Server) -> None:
    """The log line has the id and the reason."""
    assert len(AXY) == 2880
    server.assert_refused(server.run(b"job-1\n" + JOB + END), 65, "job.axy: ")
    assert " id=job-1 " in server.log.read_text()
