"""The reply: what the manifest describes, or what upstream's script sends."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from rawwire import (
    END,
    FILES,
    in_pieces,
    make_manifest,
    member,
    reply_bytes,
)

from solvehost import wire
from solvehost.errors import CrashError, DataError, NoInputError

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("most", [1, 65536])
def test_a_reply_comes_back_as_it_was_sent(most: int) -> None:
    data = b"".join(wire.write_reply(make_manifest(), FILES))
    reply = wire.read_reply(in_pieces(data, most), "job-1")
    assert (reply.is_legacy, reply.manifest, reply.files) == (False, make_manifest(), FILES)


def test_an_unsolved_reply_comes_back() -> None:
    log = {"backend.log": b"nothing\n"}
    sent = make_manifest(log, status="unsolved", reason="time-limit", winner=None)
    reply = wire.read_reply(in_pieces(b"".join(wire.write_reply(sent, log))), "job-1")
    assert reply == wire.Reply(sent, log)


def test_the_manifest_is_first_and_the_wcs_last() -> None:
    shuffled = {n: FILES[n] for n in ("wcs.fits", "backend.log", "rdls.fits", "corr.fits")}
    with tarfile.open(fileobj=io.BytesIO(b"".join(wire.write_reply(make_manifest(), shuffled)))) as opened:
        names = opened.getnames()
    assert names == ["manifest.json", "backend.log", "corr.fits", "rdls.fits", "wcs.fits"]


def test_the_bytes_of_a_reply_never_change() -> None:
    assert b"".join(wire.write_reply(make_manifest(), FILES)) == (GOLDEN / "reply.tar").read_bytes()


def test_keys_and_members_of_newer_servers_are_passed_over() -> None:
    files = FILES | {"depth.json": b"{}"}
    manifest = make_manifest(files, mood="fine", winner=None)
    manifest["attempts"][0]["colour"] = "red"
    reply = wire.read_reply(in_pieces(reply_bytes(manifest, files)), "job-1")
    assert reply.files == FILES


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"format": 2}, "is of format 2, and 1 is known"),
        ({"format": True}, "no JSON object with a format"),
        ({"format": "1"}, "no JSON object with a format"),
        ({"id": "job-2"}, "to another job, 'job-2'"),
        ({"id": "\x1b[2J" * 99}, r"to another job, '\\x1b\[2J"),
        ({"id": 1}, "no 'id'"),
        ({"client": None}, "no 'client'"),
        ({"status": "failed"}, "no 'status'"),
        ({"status": ["solved"]}, "no 'status'"),
        ({"reason": "bored"}, "no 'reason'"),
        ({"reason": "exhausted"}, "status and reason do not agree"),
        ({"status": "unsolved"}, "status and reason do not agree"),
        ({"status": "unsolved", "reason": "cancelled"}, "status and files do not agree"),
        ({"winner": "1"}, "no 'winner'"),
        ({"attempts": {}}, "no 'attempts'"),
        ({"attempts": [1]}, "no 'attempts'"),
        ({"attempts": [{"number": 1}]}, "no 'attempts'"),
        ({"indexes": {"loaded": [1], "failed": []}}, "no 'indexes'"),
        ({"indexes": {"loaded": []}}, "no 'indexes'"),
        ({"files": []}, "no 'files'"),
        ({"files": {"wcs.fits": {"size": True, "sha256": "0" * 64}}}, "no 'files'"),
        ({"files": {"wcs.fits": {"size": 1, "sha256": "0" * 63}}}, "no 'files'"),
        ({"engine": 5}, "no 'engine'"),
        ({"version": None}, "no 'version'"),
        ({"seconds": -1}, "no 'seconds'"),
        ({"seconds": "1"}, "no 'seconds'"),
        ({"cpu_s": 10**400}, "no 'cpu_s'"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(DataError, match=match) as caught:
        wire.read_reply(in_pieces(reply_bytes(make_manifest(**changes), FILES)), "job-1")
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b"\xff{}",
        b"[" * 100_000,
        b'{"format": NaN}',
        b'{"format": 1, "format": }',
        b'{"format": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_manifest_that_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(DataError, match="the manifest is no JSON"):
        wire.read_reply(in_pieces(member(b"manifest.json", text) + END), "job-1")


def test_numbers_beyond_all_floats_are_no_seconds() -> None:
    text = json.dumps(make_manifest()).replace('"seconds": 0.75', '"seconds": 1e999').encode()
    with pytest.raises(DataError, match="no 'seconds'"):
        wire.read_reply(in_pieces(member(b"manifest.json", text) + END), "job-1")


def test_a_manifest_is_not_parsed_beyond_its_bound() -> None:
    with pytest.raises(DataError, match="the manifest is longer than 1,048,576 bytes"):
        wire.read_reply(in_pieces(member(b"manifest.json", b" " * (2**20 + 1)) + END), "job-1")


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({k: v for k, v in FILES.items() if k != "wcs.fits"}, r"wcs\.fits is missing"),
        (FILES | {"wcs.fits": b"x" * 2880}, r"wcs\.fits is not the file that the manifest describes"),
        (FILES | {"corr.fits": b"c" * 2879}, r"corr\.fits is not the file that the manifest describes"),
    ],
)
def test_files_that_are_not_as_described_are_refused_at_both_ends(files: dict[str, bytes], match: str) -> None:
    with pytest.raises(DataError, match=match):
        wire.read_reply(in_pieces(reply_bytes(make_manifest(), files)), "job-1")
    with pytest.raises(CrashError, match=f"the result cannot be sent: {match}"):
        wire.write_reply(make_manifest(), files)


def test_a_file_that_the_manifest_does_not_tell_of_is_refused() -> None:
    manifest = make_manifest({"wcs.fits": FILES["wcs.fits"]})
    with pytest.raises(DataError, match=r"backend\.log is not in the manifest"):
        wire.read_reply(in_pieces(reply_bytes(manifest, FILES)), "job-1")


def test_a_reply_with_numbers_that_json_does_not_know_is_not_begun() -> None:
    with pytest.raises(CrashError, match="the result cannot be sent: Out of range float"):
        wire.write_reply(make_manifest(seconds=float("nan")), FILES)


def test_a_reply_that_no_client_would_take_is_not_begun() -> None:
    log = {"backend.log": bytes(32 * 2**20 + 1)}
    with pytest.raises(CrashError, match="the result cannot be sent: it is longer than 33,554,432 bytes a file"):
        wire.write_reply(make_manifest(log, status="unsolved", reason="exhausted"), log)


def test_a_reply_that_is_cut_after_the_tables_is_refused() -> None:
    data = b"".join(wire.write_reply(make_manifest(), FILES))
    at_wcs = data.index(b"wcs.fits\0")
    with pytest.raises(DataError, match="before its end marks"):
        wire.read_reply(in_pieces(data[:at_wcs]), "job-1")


def test_a_reply_without_a_manifest_is_read_as_upstreams() -> None:
    results = {n: b for n, b in FILES.items() if n.endswith(".fits")}
    extra = {"backend.log": b"old", "job-2.axy": b"", "match.fits": b"", "solved": b"\1", "scamp.cat": b"", "a~b": b""}
    archive = b"".join(member(n.encode(), b) for n, b in (extra | results).items()) + END
    reply = wire.read_reply(in_pieces(archive), "job-1")
    assert (reply.is_legacy, reply.manifest, reply.files) == (True, None, results)


def test_a_manifest_that_is_not_first_counts_for_nothing() -> None:
    archive = member(b"job.axy") + member(b"manifest.json", b"{}") + member(b"wcs.fits", b"w") + END
    assert wire.read_reply(in_pieces(archive), "job-1") == wire.Reply(None, {"wcs.fits": b"w"})


@pytest.mark.parametrize("name", [b"../x", b"/x", b"a/b", b"..", b"-rf", b"a b", b"a\x1b"])
def test_even_members_that_are_passed_over_have_plain_names(name: bytes) -> None:
    with pytest.raises(DataError, match="names are plain, no paths"):
        wire.read_reply(in_pieces(member(b"wcs.fits", b"w") + member(name) + END), "job-1")


def test_an_empty_reply_is_no_input() -> None:
    with pytest.raises(NoInputError, match="the archive is empty"):
        wire.read_reply(in_pieces(bytes(10240)), "job-1")
