"""A reply is accepted if its files are those that its manifest describes, or if upstream's script sent it."""

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
from solvehost.errors import DataError, InputMissingError, InternalError

CANDIDATE = {"number": 1, "label": "x", "logodds": 18.5, "ra_deg": 9, "dec_deg": 8, "pixscale_arcsec": 7}
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("most", [1, 65536])
def test_a_reply_is_the_same_after_writing_and_reading(most: int) -> None:
    data = b"".join(wire.write_reply(make_manifest(), FILES))
    reply = wire.read_reply(in_pieces(data, most), "job-1")
    assert (reply.is_legacy, reply.manifest, reply.files) == (False, make_manifest(), FILES)


def test_an_unsolved_reply_is_the_same_after_writing_and_reading() -> None:
    log = {"backend.log": b"nothing\n"}
    sent = make_manifest(log, status="unsolved", reason="time-limit", winner=None)
    reply = wire.read_reply(in_pieces(b"".join(wire.write_reply(sent, log))), "job-1")
    assert reply == wire.Reply(sent, log)


def test_a_reply_may_have_the_best_match_that_was_not_accepted() -> None:
    sent = make_manifest({}, status="unsolved", reason="exhausted", winner=None, candidate=CANDIDATE)
    assert wire.read_reply(in_pieces(b"".join(wire.write_reply(sent, {}))), "job-1").manifest == sent


def test_the_manifest_is_first_and_the_wcs_last() -> None:
    shuffled = {n: FILES[n] for n in ("wcs.fits", "backend.log", "rdls.fits", "corr.fits")}
    with tarfile.open(fileobj=io.BytesIO(b"".join(wire.write_reply(make_manifest(), shuffled)))) as opened:
        names = opened.getnames()
    assert names == ["manifest.json", "backend.log", "corr.fits", "rdls.fits", "wcs.fits"]


def test_the_bytes_of_a_reply_never_change() -> None:
    assert b"".join(wire.write_reply(make_manifest(), FILES)) == (GOLDEN / "reply.tar").read_bytes()


def test_keys_and_members_of_newer_servers_are_skipped() -> None:
    files = FILES | {"depth.json": b"{}"}
    manifest = make_manifest(files, mood="fine", winner=None)
    manifest["attempts"][0]["colour"] = "red"
    reply = wire.read_reply(in_pieces(reply_bytes(manifest, files)), "job-1")
    assert reply.files == FILES


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"format": 2}, "has format 2 instead of 1"),
        ({"format": True}, "not a JSON object with a format"),
        ({"format": "1"}, "not a JSON object with a format"),
        ({"id": "job-2"}, "to another job, 'job-2'"),
        ({"id": "\x1b[2J" * 99}, r"to another job, '\\x1b\[2J"),
        ({"id": 1}, "no usable 'id'"),
        ({"client": None}, "no usable 'client'"),
        ({"status": "failed"}, "no usable 'status'"),
        ({"status": ["solved"]}, "no usable 'status'"),
        ({"reason": "bored"}, "no usable 'reason'"),
        ({"reason": "exhausted"}, "status and reason contradict each other"),
        ({"status": "unsolved"}, "status and reason contradict each other"),
        ({"status": "unsolved", "reason": "cancelled"}, "status and files contradict each other"),
        ({"winner": "1"}, "no usable 'winner'"),
        ({"attempts": {}}, "no usable 'attempts'"),
        ({"attempts": [1]}, "no usable 'attempts'"),
        ({"attempts": [{"number": 1}]}, "no usable 'attempts'"),
        ({"indexes": {"loaded": [1], "failed": []}}, "no usable 'indexes'"),
        ({"indexes": {"loaded": []}}, "no usable 'indexes'"),
        ({"files": []}, "no usable 'files'"),
        ({"files": {"wcs.fits": {"size": True, "sha256": "0" * 64}}}, "no usable 'files'"),
        ({"files": {"wcs.fits": {"size": 1, "sha256": "0" * 63}}}, "no usable 'files'"),
        ({"engine": 5}, "no usable 'engine'"),
        ({"version": None}, "no usable 'version'"),
        ({"seconds": -1}, "no usable 'seconds'"),
        ({"seconds": "1"}, "no usable 'seconds'"),
        ({"cpu_s": 10**400}, "no usable 'cpu_s'"),
        ({"candidate": {"number": 1}}, "no usable 'candidate'"),
        ({"candidate": {**CANDIDATE, "dec_deg": 91}}, "no usable 'candidate'"),
        ({"candidate": {**CANDIDATE, "logodds": 10**400}}, "no usable 'candidate'"),
    ],
)
def test_a_manifest_with_wrong_values_is_refused(changes: dict[str, Any], match: str) -> None:
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
def test_a_manifest_that_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(DataError, match=r"the manifest is not (valid JSON|a JSON object)"):
        wire.read_reply(in_pieces(member(b"manifest.json", text) + END), "job-1")


def test_an_infinite_number_of_seconds_is_refused() -> None:
    text = json.dumps(make_manifest()).replace('"seconds": 0.75', '"seconds": 1e999').encode()
    with pytest.raises(DataError, match="no usable 'seconds'"):
        wire.read_reply(in_pieces(member(b"manifest.json", text) + END), "job-1")


def test_a_manifest_above_its_size_limit_is_not_parsed() -> None:
    with pytest.raises(DataError, match="the manifest is longer than 1,048,576 bytes"):
        wire.read_reply(in_pieces(member(b"manifest.json", b" " * (2**20 + 1)) + END), "job-1")


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({k: v for k, v in FILES.items() if k != "wcs.fits"}, r"wcs\.fits is missing"),
        (FILES | {"wcs.fits": b"x" * 2880}, r"wcs\.fits differs from the file that the manifest describes"),
        (FILES | {"corr.fits": b"c" * 2879}, r"corr\.fits differs from the file that the manifest describes"),
    ],
)
def test_both_ends_refuse_files_that_the_manifest_does_not_describe(files: dict[str, bytes], match: str) -> None:
    with pytest.raises(DataError, match=match):
        wire.read_reply(in_pieces(reply_bytes(make_manifest(), files)), "job-1")
    with pytest.raises(InternalError, match=f"the result cannot be sent: {match}"):
        wire.write_reply(make_manifest(), files)


def test_a_file_that_the_manifest_does_not_list_is_refused() -> None:
    manifest = make_manifest({"wcs.fits": FILES["wcs.fits"]})
    with pytest.raises(DataError, match=r"backend\.log is not in the manifest"):
        wire.read_reply(in_pieces(reply_bytes(manifest, FILES)), "job-1")


def test_a_reply_with_a_nan_is_not_written() -> None:
    with pytest.raises(InternalError, match="the result cannot be sent: Out of range float"):
        wire.write_reply(make_manifest(seconds=float("nan")), FILES)


def test_a_reply_that_a_client_would_refuse_is_not_written() -> None:
    log = {"backend.log": bytes(32 * 2**20 + 1)}
    with pytest.raises(InternalError, match="the result cannot be sent: a file is longer than 33,554,432 bytes"):
        wire.write_reply(make_manifest(log, status="unsolved", reason="exhausted"), log)


def test_a_reply_without_its_last_member_is_refused() -> None:
    data = b"".join(wire.write_reply(make_manifest(), FILES))
    at_wcs = data.index(b"wcs.fits\0")
    with pytest.raises(DataError, match="before its end marks"):
        wire.read_reply(in_pieces(data[:at_wcs]), "job-1")


def test_a_reply_without_a_manifest_is_read_as_a_reply_of_upstreams_script() -> None:
    results = {n: b for n, b in FILES.items() if n.endswith(".fits")}
    extra = {"backend.log": b"old", "job-2.axy": b"", "match.fits": b"", "solved": b"\1", "scamp.cat": b"", "a~b": b""}
    archive = b"".join(member(n.encode(), b) for n, b in (extra | results).items()) + END
    reply = wire.read_reply(in_pieces(archive), "job-1")
    assert (reply.is_legacy, reply.manifest, reply.files) == (True, None, results)


def test_a_manifest_that_is_not_the_first_member_is_ignored() -> None:
    archive = member(b"job.axy") + member(b"manifest.json", b"{}") + member(b"wcs.fits", b"w") + END
    assert wire.read_reply(in_pieces(archive), "job-1") == wire.Reply(None, {"wcs.fits": b"w"})


@pytest.mark.parametrize("name", [b"../x", b"/x", b"a/b", b"..", b"-rf", b"a b", b"a\x1b"])
def test_skipped_members_must_have_plain_names(name: bytes) -> None:
    with pytest.raises(DataError, match="send plain file names, no paths"):
        wire.read_reply(in_pieces(member(b"wcs.fits", b"w") + member(name) + END), "job-1")


def test_an_empty_reply_is_no_input() -> None:
    with pytest.raises(InputMissingError, match="the archive is empty"):
        wire.read_reply(in_pieces(bytes(10240)), "job-1")
