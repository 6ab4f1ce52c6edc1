"""Randomly changed streams are read, or refused with one of two errors."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rawwire import (
    AXY,
    END,
    FILES,
    JOB,
    in_pieces,
    make_manifest,
    member,
    pax,
    with_checksum,
)

from solvehost import wire
from solvehost.errors import DataError, InputMissingError
from solvehost.wire.tarblocks import Rules, read_tar, write_tar

RULES = Rules(frozenset({"job.axy"}), member_bytes=10_000, stream_bytes=100_000)


_VALID = [
    b"".join(wire.write_request("job-1", {1: AXY, 2: b"two"})),
    b"job-1\n" + pax(b"mtime=1.5", b"comment=x") + member(b"._job.axy", b"x") + JOB + END,
    b"job-1\n" + b"".join(wire.write_reply(make_manifest(), FILES)),
    b"job-1\n" + member(b"backend.log", b"x") + member(b"wcs.fits", b"w" * 2880) + END,
]
_EDIT = st.tuples(st.integers(0, 20_000), st.integers(0, 600), st.binary(max_size=600))


def _apply_edits(data: bytes, edits: list[tuple[int, int, bytes]], fix_checksums: bool) -> bytes:
    for anywhere, removed, inserted in edits:
        at = anywhere % (len(data) + 1)
        data = data[:at] + inserted + data[at + removed :]
    if not fix_checksums:
        return data
    body = data[6:]
    blocks = [body[i : i + 512] for i in range(0, len(body), 512)]
    return data[:6] + b"".join(with_checksum(b) if len(b) == 512 and b[257:262] == b"ustar" else b for b in blocks)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(_VALID),
    st.lists(_EDIT, max_size=4),
    st.lists(st.tuples(st.integers(0, 1000), st.just(1), st.binary(min_size=1, max_size=1)), max_size=6),
    st.booleans(),
)
def test_mutated_streams_are_read_or_refused(
    valid: bytes, edits: list[tuple[int, int, bytes]], small: list[tuple[int, int, bytes]], fix_checksums: bool
) -> None:
    """Only these two errors are raised, and all content that is kept was in the stream."""
    data = _apply_edits(valid, [*small, *edits], fix_checksums)
    for read in (wire.read_request, lambda r: wire.read_reply(r, wire.read_id(r))):
        try:
            result = read(in_pieces(data, 999))
        except (DataError, InputMissingError) as exc:
            assert str(exc).isascii()
            assert str(exc).isprintable()
            assert len(str(exc)) < 1000
        else:
            kept = result.axys if isinstance(result, wire.Request) else result.files
            assert all(content in data for content in kept.values())


@given(st.dictionaries(st.sampled_from(["a", "job.axy", "x" * 100]), st.binary(max_size=1500), min_size=1), st.data())
def test_written_archives_are_read(files: dict[str, bytes], data: st.DataObject) -> None:
    most = data.draw(st.integers(1, 2000))
    rules = RULES._replace(names=frozenset(files))
    assert read_tar(in_pieces(b"".join(write_tar(files.items(), 5)), most), rules).files == files
