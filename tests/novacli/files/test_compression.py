"""Packed files of every kind: the content comes out whole, and damage is an error that callers expect."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import io
import lzma
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_lzw import compress

from novacli.files import lzw, xz
from novacli.files.compression import (
    can_be_packed_again,
    is_zip,
    kind_by_content,
    kind_by_name,
    open_packer,
    open_unpacker,
    unpacked_name,
)

#: ``compress`` of "nova nova nova nova\n", with codes of up to 16 bits and code 256 to clear the table.
GOLDEN_Z = bytes.fromhex("1f9d906eded8090322e0c08202091a0ca300")
PACK = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "compress": compress}
LONG = random.Random(1).randbytes(300_000) + bytes(300_000) + b"nova" * 50_000


def unpack(packed: bytes) -> bytes:
    kind = kind_by_content(packed)
    assert kind is not None
    return open_unpacker(io.BytesIO(packed), kind).read()


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("content", [b"", b"a", b"aaaa", LONG], ids=["empty", "one byte", "run", "long"])
def test_packed_content_comes_out_whole(kind: str, content: bytes) -> None:
    packed = PACK[kind](content)
    assert kind_by_content(packed[:6]) == kind
    assert unpack(packed) == content


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_what_nova_packs_it_unpacks(kind: str) -> None:
    out = io.BytesIO()
    with open_packer(out, kind) as stream:
        stream.write(LONG)
    assert kind_by_content(out.getvalue()) == kind
    assert unpack(out.getvalue()) == LONG


def test_names_and_first_bytes_name_the_kind() -> None:
    assert [kind_by_name(Path(name)) for name in ("a.GZ", "a.bz2", "a.fits.xz", "a.Z", "a.zip", "a")] == [
        *("gzip", "bzip2", "xz"),
        *(None, None, None),
    ]
    names = ("A.FITS.gz", "a.fits.XZ", "a.fits.Z", "a.fits.zip", "a.fits")
    assert {unpacked_name(name) for name in names} == {"a.fits"}
    assert is_zip(b"PK\x03\x04")
    assert [can_be_packed_again(h) for h in (b"SIMPLE", b"\x1f\x8b\x08", b"\x1f\x9d\x90", b"PK\x03\x04")] == [
        *(True, True),
        *(False, False),
    ]


def test_xz_of_several_streams_with_padding() -> None:
    """As of ``cat a.xz b.xz`` and of tapes."""
    assert unpack(lzma.compress(b"nova ") + bytes(8) + lzma.compress(LONG) + bytes(4)) == b"nova " + LONG


@pytest.mark.parametrize("end", [-1, -20, 40, 13])
def test_a_truncated_xz_file_is_an_end_of_file_error(end: int) -> None:
    with pytest.raises(EOFError):
        unpack(lzma.compress(LONG)[:end])


def test_a_damaged_xz_file_is_an_os_error() -> None:
    packed = bytearray(lzma.compress(LONG))
    packed[5000] ^= 0xFF
    with pytest.raises(OSError, match=r"[Cc]orrupt") as caught:
        unpack(bytes(packed))
    assert caught.value.errno == errno.EINVAL


def test_an_xz_file_that_takes_gigabytes_is_refused() -> None:
    packed = lzma.compress(b"nova", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}])
    with pytest.raises(OSError, match=r"[Mm]emory") as caught:
        b"".join(xz.unpack(io.BytesIO(packed)))
    assert caught.value.errno == errno.ENOMEM


def test_a_file_of_compress_is_unpacked() -> None:
    assert unpack(GOLDEN_Z) == b"nova nova nova nova\n"


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=3000) | st.text("ab", max_size=6000).map(str.encode), st.integers(9, 16), st.booleans(),
       st.integers(300, 3000))  # fmt: skip
def test_every_width_of_codes_and_clearing_of_the_table(content: bytes, width: int, clears: bool, every: int) -> None:
    packed = compress(content, max_width=width, clear_after=every if clears else None)
    assert b"".join(lzw.unpack(io.BytesIO(packed))) == content


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200), st.integers(0, 255))
def test_any_codes_are_unpacked_or_an_expected_error(codes: bytes, flags: int) -> None:
    with contextlib.suppress(OSError, EOFError):
        assert isinstance(b"".join(lzw.unpack(io.BytesIO(b"\x1f\x9d" + bytes([flags]) + codes))), bytes)


def test_the_table_of_compress_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lzw, "_MAX_TABLE_BYTES", 10_000)
    assert unpack(compress(bytes(5_000))) == bytes(5_000)
    with pytest.raises(OSError, match="table is too large") as caught:
        unpack(compress(bytes(50_000)))
    assert caught.value.errno == errno.ENOMEM


def test_a_stream_is_unpacked_a_little_at_a_time() -> None:
    """Reading one byte of a long content does not unpack all of it."""
    packed = io.BytesIO(lzma.compress(bytes(50_000_000)))
    assert open_unpacker(packed, "xz").read(1) == b"\0"
    stream = open_unpacker(io.BytesIO(compress(LONG)), "compress")
    assert b"".join(iter(lambda: stream.read(777), b"")) == LONG
