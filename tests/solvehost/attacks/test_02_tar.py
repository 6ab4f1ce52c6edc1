"""Attack 2: malformed archives."""

from __future__ import annotations

import gzip
import itertools
import lzma
from collections.abc import Iterator

import pytest
from attack_server import Server, each, told
from rawwire import END, header, member, pax
from standin import make_attempt

from solvehost.formats import axy

ID = b"job-1\n"
SOLVE = axy.to_bytes(make_attempt("solve"))
JOB = member(b"job.axy", SOLVE)


def names(*bad: bytes) -> list[tuple[str, bytes, int, str]]:
    return [(repr(n)[2:-1], member(n, SOLVE) + END, 65, "the archive must not contain") for n in bad]


def kinds(**codes: str) -> list[tuple[str, bytes, int, str]]:
    return [
        (why.replace(" ", "_"), header(b"job.axy", 0, code.encode()) + JOB + END, 65, why)
        for why, code in ((w.replace("_", " "), c) for w, c in codes.items())
    ]


CASES: list[tuple[str, bytes, int, str]] = [
    ("zeros only", END, 66, "the archive is empty"),
    ("zeros only, a whole record", bytes(10240), 66, "the archive is empty"),
    *names(b"/job.axy", b"/etc/cron.d/x", b"../job.axy", b"a/../job.axy", b"./../job.axy", b"a/job.axy", b"..", b".",
           b"--checkpoint-action=exec=sh", b"-rf", b"wcs.fits", b"job-0.axy", b"job-1.axy", b"job-25.axy",
           b"job-02.axy", b"JOB.AXY", b"job.axy ", b"job.axy\n", b"job\\.axy", b".ssh", b"$(id).axy",
           "jöb.axy".encode(), b"a" * 100, b""),
    *kinds(a_hard_link="1", a_symbolic_link="2", a_character_device="3", a_block_device="4", a_directory="5",
           a_FIFO="6", a_contiguous_file="7", a_sparse_file="S", of_the_unknown_type="Z"),
    ("long name of 50 GiB", header(b"././@LongLink", b"620000000000", b"L") + JOB + END, 65, "a GNU long name"),
    ("long link of 50 GiB", header(b"././@LongLink", b"620000000000", b"K") + JOB + END, 65, "a GNU long link name"),
    ("pax of 50 GiB", header(b"PaxHeader/x", b"620000000000", b"x") + JOB + END, 65, "a PAX header has"),
    ("global pax of 50 GiB", header(b"x", b"620000000000", b"g") + JOB + END, 65, "a PAX header has"),
    ("2,000 nested pax", pax(b"mtime=1.5") * 2000 + JOB + END, 65, "more than 128 headers"),
    ("pax path", pax(b"path=../../x") + JOB + END, 65, "a PAX header sets 'path'"),
    ("pax linkpath", pax(b"linkpath=/etc/passwd") + JOB + END, 65, "a PAX header sets 'linkpath'"),
    ("pax size", pax(b"size=9999999999") + JOB + END, 65, "a PAX header sets 'size'"),
    ("global pax path", pax(b"path=x", kind=b"g") + JOB + END, 65, "a PAX header sets 'path'"),
    ("pax sparse", pax(b"GNU.sparse.major=1") + JOB + END, 65, "a PAX header sets 'GNU.sparse.major'"),
    ("pax that lies about its length", member(b"x", b"99 mtime=1\n", b"x") + JOB + END, 65, "malformed"),
    ("negative size", header(b"job.axy", b"-0000000001\0") + END, 65, "not an octal number"),
    ("base-256 size", header(b"job.axy", b"\x80" + bytes(7) + b"\0\0\0\x10") + END, 65, "not an octal number"),
    ("negative base-256 size", header(b"job.axy", b"\xff" * 12) + END, 65, "not an octal number"),
    ("1 TB declared", header(b"job.axy", b"177777777777") + b"x" * 4096, 65, "bytes, more than the"),
    ("a byte more than a member may have", header(b"job.axy", 2**24 + 1) + b"x" * 4096, 65, "bytes, more than the"),
    ("duplicate", JOB + JOB + END, 65, "twice"),
    ("duplicate with a dot", JOB + member(b"./job.axy", SOLVE) + END, 65, "twice"),
    ("no job.axy", member(b"job-2.axy", SOLVE) + END, 65, "job.axy is not in the archive"),
    ("dropped members alone", member(b"._job.axy", b"x") + END, 66, "the archive is empty"),
    ("gzip", gzip.compress(JOB + END), 65, "compressed with gzip"),
    ("xz", lzma.compress(JOB + END), 65, "compressed with xz"),
    ("no archive", b"hello, world\n" * 100, 65, "not a tar archive"),
    ("wrong checksum", JOB[:150] + b"7" + JOB[151:] + END, 65, "not a tar archive"),
    ("cut in the header", JOB[:300], 65, "ends after 300 bytes"),
    ("cut in the data", JOB[:3000], 65, "cut short in job.axy"),
    ("cut in the second header", JOB + JOB[:10], 65, "cut short in header 2"),
    ("cut at a boundary", JOB, 65, "before its end marks"),
    ("cut before the second end mark", JOB + bytes(512), 65, "before the second"),
    ("one zero block inside", JOB + bytes(512) + JOB + END, 65, "one block of zeros"),
    ("trailing byte", JOB + END + b"x", 65, "data follow the end"),
    ("second archive", JOB + END + JOB + END, 65, "data follow the end"),
    ("too much padding", JOB + END + bytes(2**20 + 1), 65, "zeros follow"),
    ("two members too large together", b"".join(header(n, 2**24) + bytes(2**24) for n in (b"job.axy", b"job-2.axy"))
     + header(b"job-3.axy", 512), 65, "the archive is longer than"),
]  # fmt: skip


@pytest.mark.parametrize(("archive", "code", "why"), **each(CASES))
def test_bad_archives_are_refused(server: Server, archive: bytes, code: int, why: str) -> None:
    server.assert_refused(server.run(ID + archive), code, why)


def endless(kind: str) -> Iterator[bytes]:
    yield ID
    if kind == "members":  # 200,000 of them
        yield from itertools.repeat(member(b"._x"), 200_000)
    elif kind == "content":
        yield header(b"job.axy", 2**24)
        yield from itertools.repeat(b"x" * 65536)
    elif kind == "zeros":
        yield JOB
        yield from itertools.repeat(bytes(65536))
    else:
        yield from itertools.repeat(b"\xff" * 65536)


@pytest.mark.parametrize(
    ("kind", "why"), [("members", "more than 128"), ("content", "wrong"), ("zeros", "zeros"), ("noise", "not a tar")]
)
def test_endless_streams_are_refused_early(server: Server, kind: str, why: str) -> None:
    """The server reads no more than the limits allow, and its memory stays small."""
    done = server.run(endless(kind))
    server.assert_refused(done, 65, why)
    assert done.taken < 2**24 + 2**21


def test_a_link_is_refused_before_the_stream_ends(server: Server) -> None:
    """The pipe is still open then."""
    for kind in (b"1", b"2", b"6"):
        process = server.start()
        assert process.stdin is not None
        process.stdin.write(ID + header(b"job.axy", 0, kind))
        process.stdin.flush()
        assert process.wait(20) == 65
        assert process.communicate()[0] == b""
    server.assert_clean()


GOOD = [
    ("as it is", JOB + END),
    ("a dot before the name", member(b"./job.axy", SOLVE) + END),
    ("1 MiB of padding", JOB + END + bytes(2**20)),
    ("macOS", pax(b"mtime=1.5", b"LIBARCHIVE.xattr.x=AA==") + member(b"._job.axy", b"x") + JOB + END),
    ("global pax", pax(b"comment=x", kind=b"g") + JOB + END),
    ("NUL type", header(b"job.axy", len(SOLVE), b"\0") + SOLVE + bytes(-len(SOLVE) % 512) + END),
    ("GNU magic", header(b"job.axy", len(SOLVE), magic=b"ustar  \0") + SOLVE + bytes(-len(SOLVE) % 512) + END),
    ("24 attempts", JOB + b"".join(member(b"job-%d.axy" % n, SOLVE) for n in range(24, 1, -1)) + END),
]  # fmt: skip


@pytest.mark.parametrize("archive", **each(GOOD))
def test_unusual_but_harmless_archives_are_served(server: Server, archive: bytes) -> None:
    manifest, files = server.assert_served(server.run(ID + archive))
    assert manifest["status"] == "solved"
    assert set(files) == {"backend.log", "corr.fits", "rdls.fits", "wcs.fits"}


def test_a_refusal_has_its_exit_code_even_if_stderr_is_not_read(server: Server) -> None:
    process = server.start(stderr=None, stdout=None)
    process.communicate(ID + END)
    assert process.returncode == 66
    assert told("solve").startswith(ID)
