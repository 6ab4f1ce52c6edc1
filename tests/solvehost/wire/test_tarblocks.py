"""The tar reader accepts complete archives of regular files within the limits, and refuses everything else."""

from __future__ import annotations

import tracemalloc

import pytest
from rawwire import (
    AXY,
    END,
    JOB,
    Endless,
    header,
    in_pieces,
    member,
    pax,
    pax_record,
    read_request,
)

from solvehost import wire
from solvehost.errors import DataError, InputMissingError, NovaError
from solvehost.wire.tarblocks import MAX_PADDING_BYTES, Rules, read_tar

RULES = Rules(frozenset({"job.axy"}), member_bytes=10_000, stream_bytes=100_000)


_KINDS = {b"1": "a hard link", b"2": "a symbolic link", b"3": "a character device", b"4": "a block device"}
_KINDS |= {b"5": "a directory", b"6": "a FIFO", b"7": "a contiguous file", b"S": "a sparse file"}
_KINDS |= {b"L": "a GNU long name", b"K": "a GNU long link name", b"V": "of the unknown type 'V'"}
_KINDS |= {b"\xff": r"of the unknown type '\\xff'", b"A": "of the unknown type 'A'"}


@pytest.mark.parametrize(("kind", "words"), _KINDS.items())
@pytest.mark.parametrize("name", [b"job.axy", b"wcs.fits", b"other", b"._job.axy"])
def test_both_ends_accept_regular_files_only(kind: bytes, words: str, name: bytes) -> None:
    archive = member(name, b"", kind) + END
    with pytest.raises(DataError, match=f"{words}: the archive must contain regular files only"):
        read_request(archive)
    with pytest.raises(DataError, match=f"{words}: the archive must contain regular files only"):
        wire.read_reply(in_pieces(member(b"manifest.json", b"{}") + archive), "job-1")


@pytest.mark.parametrize("magic", [b"ustar\x0000", b"ustar  \0", b""])
def test_ustar_gnu_and_v7_headers_and_both_regular_types_are_read(magic: bytes) -> None:
    for kind in (b"0", b"\0"):
        assert read_request(header(b"job.axy", 0, kind, magic=magic) + END).axys == {1: b""}


def test_pax_headers_without_effect_on_members_are_skipped() -> None:
    records = (b"mtime=1732406400.123456789", b"LIBARCHIVE.xattr.com.apple.provenance=AQAA\n=\n")
    archive = pax(b"comment=x", kind=b"g") + pax(*records) + JOB + END
    assert read_request(archive).axys == {1: AXY}


@pytest.mark.parametrize(
    "record",
    [
        b"path=../../x",
        b"linkpath=/etc/passwd",
        b"size=5",
        b"PATH=x",
        b"GNU.sparse.major=1",
        b"GNU.sparse.name=x",
        b"SCHILY.realsize=9",
        b"SUN.holesdata= 1",
        b"size=99999999999999999999",
        b"path=\x1b[2J",
    ],
)
@pytest.mark.parametrize("kind", [b"x", b"g"])
def test_pax_headers_that_would_change_a_member_are_refused(record: bytes, kind: bytes) -> None:
    with pytest.raises(DataError, match="a PAX header sets '") as caught:
        read_request(pax(b"mtime=1", record, kind=kind) + JOB + END)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "records",
    [
        b"5 a=b",
        b"99 a=b\n",
        b"0 a=b\n",
        b"a=b\n",
        b"6 abc\n",
        b"3 \n",
        b"2 a=b\n",
        b"-6 a=b\n",
        b"9999999999999999 a=b\n",
        pax_record(b"a=b") + b"\0",
    ],
)
def test_malformed_pax_headers_are_refused(records: bytes) -> None:
    with pytest.raises(DataError, match="a PAX header is malformed"):
        read_request(member(b"x", records, b"x") + JOB + END)


@pytest.mark.parametrize("kind", [b"x", b"g"])
def test_a_large_pax_header_is_refused_before_it_is_read(kind: bytes) -> None:
    peer = Endless(b"job-1\n" + header(b"x", b"%012o" % (50 * 2**30), kind), b"a")
    with pytest.raises(DataError, match="a PAX header has 53,687,091,200 bytes"):
        wire.read_request(peer)
    assert peer.count < 10_000


def test_the_number_of_headers_is_bounded() -> None:
    nested = pax(b"mtime=1") * 2000
    with pytest.raises(DataError, match="more than 128 headers"):
        read_request(nested + JOB + END)
    many = b"".join(member(b"._%d" % n) for n in range(2000))
    with pytest.raises(DataError, match="more than 128 headers"):
        read_request(many + JOB + END)


def test_the_largest_allowed_number_of_headers_is_accepted() -> None:
    rules = RULES._replace(headers=3)
    assert read_tar(in_pieces(pax(b"a=b") * 2 + JOB + END), rules).files == {"job.axy": AXY}
    with pytest.raises(DataError, match="more than 3 headers"):
        read_tar(in_pieces(pax(b"a=b") * 3 + JOB + END), rules)


def test_apple_double_members_are_skipped() -> None:
    archive = member(b"./._job.axy", b"\0\5\x16\7" * 40) + JOB + member(b"._job.axy") + END
    assert read_request(archive).axys == {1: AXY}


def test_a_file_that_is_sent_twice_is_refused() -> None:
    with pytest.raises(DataError, match=r"the archive contains job\.axy twice"):
        read_request(JOB + member(b"./job.axy", b"other") + END)


@pytest.mark.parametrize(
    "size",
    [
        b"-0000000001\0",
        b"\x80" + bytes(10) + b"\x05",
        b"\xff" * 12,
        b"\x80\0\0\0\0\0\xe8\xd4\xa5\x10\0\0",
        b"0x000000010\0",
        b"00000000008\0",
        b"",
        b"            ",
        b"0000 000001\0",
        b"+0000000001\0",
        b"\0000000000005",
    ],
)
def test_sizes_that_are_not_octal_numbers_are_refused(size: bytes) -> None:
    with pytest.raises(DataError, match=r"job\.axy has a size that is not an octal number"):
        read_request(header(b"job.axy", size) + END)


@pytest.mark.parametrize("size", [b"00000000005\0", b"000000000005", b"          5 ", b"5", b"5 "])
def test_every_common_way_to_write_a_size_is_read(size: bytes) -> None:
    assert read_request(header(b"job.axy", size) + b"12345".ljust(512, b"\0") + END).axys == {1: b"12345"}


@pytest.mark.parametrize("size", [16 * 2**20 + 1, 8 * 2**30 - 1])
@pytest.mark.parametrize("name", [b"job.axy", b"._job.axy"])
def test_a_large_member_is_refused_before_it_is_read(size: int, name: bytes) -> None:
    peer = Endless(b"job-1\n" + header(name, size), b"a")
    with pytest.raises(DataError, match=f"has {size:,} bytes, more than the 16,777,216 allowed"):
        wire.read_request(peer)
    assert peer.count < 10_000


def test_the_limit_of_the_stream_is_checked_before_reading() -> None:
    rules = Rules(frozenset({"a", "b"}), member_bytes=4096, stream_bytes=3 * 512 + 4096)
    fits = member(b"a", b"1" * 4096) + END
    assert read_tar(in_pieces(fits), rules).files == {"a": b"1" * 4096}
    peer = Endless(member(b"a", b"1" * 1024) + header(b"b", 4096), b"2")
    with pytest.raises(DataError, match="the archive is longer than 5,632 bytes"):
        read_tar(peer, rules)
    assert peer.count <= 2 * 4096


@pytest.mark.parametrize("most", [1, 65536])
def test_memory_stays_below_the_limits(most: int) -> None:
    """Single bytes take no more memory than large pieces, and a skipped member takes none."""
    rules = RULES._replace(member_bytes=2**19, stream_bytes=2**20, skip_others=True)
    archive = member(b"other", bytes(2**18)) + member(b"job.axy", bytes(2**17)) + END
    read = in_pieces(archive, most)
    tracemalloc.start()
    try:
        read_tar(read, rules)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**19


@pytest.mark.parametrize("zeros", [1024, 10240, 512 * 2000])
def test_an_archive_of_zeros_is_no_input(zeros: int) -> None:
    with pytest.raises(InputMissingError, match="the archive is empty"):
        read_request(bytes(zeros))


def test_nothing_after_the_id_line_is_no_input() -> None:
    with pytest.raises(InputMissingError, match="nothing was sent: an archive was expected here"):
        read_request(b"")


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        (1, "in the first header"),
        (511, "in the first header"),
        (512, r"cut short in job\.axy, after 0 of its 2,880 bytes"),
        (513, r"cut short in job\.axy, after 1 of its 2,880 bytes"),
        (512 + 2880, r"cut short in job\.axy, after 2,880 of its 2,880 bytes"),
        (512 + 3072, "cut short after header 1, before its end marks"),
        (512 + 3072 + 100, "cut short in header 2, after 100 bytes"),
        (2 * 3584, "cut short after header 2, before its end marks"),
        (2 * 3584 + 1, "cut short in header 3, after 1 bytes"),
        (2 * 3584 + 512, "before the second of its two end marks"),
        (2 * 3584 + 1023, "before the second of its two end marks"),
    ],
)
def test_the_message_names_where_an_archive_is_cut(cut: int, words: str) -> None:
    archive = JOB + member(b"job-2.axy", AXY) + END
    with pytest.raises(DataError, match=words):
        read_request(archive[:cut])


def test_every_cut_of_a_request_is_refused() -> None:
    whole = b"".join(wire.write_request("job-1", {1: AXY, 2: b"x"}))
    marks = len(b"job-1\n" + JOB + member(b"job-2.axy", b"x") + END)
    assert wire.read_request(in_pieces(whole[:marks])).axys[1] == AXY
    for cut in (*range(0, marks - 1, 61), marks - 1):
        with pytest.raises(NovaError, match=r"cut short|nothing was sent|without a line feed|not a tar archive"):
            wire.read_request(in_pieces(whole[:cut]))


def test_a_single_block_of_zeros_is_refused() -> None:
    with pytest.raises(DataError, match="one block of zeros at its end instead of two"):
        read_request(JOB + bytes(512) + member(b"job-2.axy", AXY) + END)


def test_a_limited_number_of_zeros_may_follow_the_end() -> None:
    assert read_request(JOB + END + bytes(MAX_PADDING_BYTES)).axys == {1: AXY}
    with pytest.raises(DataError, match="more than 1,048,576 zeros"):
        read_request(JOB + END + bytes(MAX_PADDING_BYTES + 1))


def test_endless_zeros_are_refused() -> None:
    peer = Endless(b"job-1\n" + JOB + END, bytes(4096))
    with pytest.raises(DataError, match="more than 1,048,576 zeros"):
        wire.read_request(peer)
    assert peer.count < 2 * 2**20


@pytest.mark.parametrize("tail", [b"x", bytes(8192) + b"\1", JOB + END])
def test_other_data_after_the_end_are_refused(tail: bytes) -> None:
    with pytest.raises(DataError, match="data follow the end of the archive"):
        read_request(JOB + END + tail)


@pytest.mark.parametrize(
    ("magic", "name"),
    [(b"\x1f\x8b\x08", "gzip"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh9", "bzip2")],
)
@pytest.mark.parametrize("length", [100, 5000])
def test_the_message_names_the_compression(magic: bytes, name: str, length: int) -> None:
    with pytest.raises(DataError, match=f"compressed with {name}: send a plain tar"):
        read_request(magic.ljust(length, b"\x55"))


@pytest.mark.parametrize("length", [1, 600, 20000])
def test_the_message_shows_a_banner_before_the_archive(length: int) -> None:
    banner = b"\x1b[1mWelcome to solver\r\n"
    with pytest.raises(DataError, match=r"it begins with '\\x1b\[1mWelcome to solver\\x0d\\x0a") as caught:
        wire.read_reply(in_pieces(banner + (JOB * 9)[:length]), "job-1")
    assert len(str(caught.value)) < 300
    assert str(caught.value).isascii()


@pytest.mark.parametrize("at", [0, 99, 124, 148, 156, 257, 300, 511])
def test_a_changed_byte_in_a_header_is_detected(at: int) -> None:
    second = bytearray(member(b"job-2.axy", AXY))
    second[at] ^= 1
    with pytest.raises(DataError, match="a header's checksum is wrong"):
        read_request(JOB + bytes(second) + END)


def test_an_unknown_kind_of_header_is_refused() -> None:
    with pytest.raises(DataError, match="checksum is wrong"):
        read_request(header(b"job.axy", magic=b"USTAR\x0000") + END)
