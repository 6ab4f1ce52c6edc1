"""Mutated request streams against the real program: no traceback, no hang, no write outside, a known exit code.

``scripts/soak streams`` runs many, the test suite a few.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from attack_server import RunResult, Server, held_locks, read_reply, told
from rawwire import END, member, pax, with_checksum
from standin import make_attempt, wait_until

from solvehost.formats import axy

#: Exit codes that a client's bytes can cause on a working server.
CODES = frozenset({0, 64, 65, 66, 70})
COMMANDS = (*(None,) * 6, "solve", "solve --detach", "jobs", "fetch job-1")
_LOOK_EVERY = 100


def valid_streams() -> list[bytes]:
    """Return valid requests of all kinds."""
    solve, exhaust = (axy.to_bytes(make_attempt(b)) for b in ("solve", "exhaust"))
    return [
        told("solve"),
        told("exhaust", "solve", "crash"),
        b"job-1\n" + pax(b"mtime=1.5", b"comment=x") + member(b"._job.axy", b"x") + member(b"job.axy", solve) + END,
        b"job-1\n" + member(b"./job.axy", exhaust) + b"".join(member(b"job-%d.axy" % n, solve) for n in (2, 16)) + END,
        b"job-1\n" + member(b"job.axy", axy.to_bytes(make_attempt("litter"))) + END + bytes(8192),
    ]


def mutate(rng: random.Random, stream: bytes) -> bytes:
    """Return a stream with random changes of bytes, cards and blocks, often with corrected checksums."""
    data = bytearray(stream)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        _change(rng, data)
    mended = _correct_checksums(bytes(data)) if rng.random() < 0.8 else bytes(data)
    return mended[: rng.randrange(len(mended) + 1)] if rng.random() < 0.1 else mended


def _change(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    kind = rng.randrange(8)
    if kind == 0:
        data[at : at + 1] = bytes([rng.randrange(256)])
    elif kind == 1:
        data[at:at] = rng.randbytes(rng.choice((1, 80, 512, 2880)))
    elif kind == 2:
        del data[at : at + rng.choice((1, 80, 512, 2880))]
    elif kind == 3:  # change the value of a card
        starts = [n for n in range(6 + 512, len(data) - 80, 80) if data[n + 8 : n + 10] == b"= "]
        if starts:
            start = rng.choice(starts)
            data[start + 10 : start + 80] = rng.choice(_VALUES).ljust(70)[:70]
    elif kind == 4:  # change a field of a header
        headers = [n for n in range(6, len(data) - 511, 512) if data[n + 257 : n + 262] == b"ustar"]
        if headers:
            start = rng.choice(headers) + rng.choice((0, 100, 108, 116, 124, 136, 148, 156, 157, 257, 345))
            data[start : start + 12] = rng.choice(_FIELDS)
    elif kind == 5:  # duplicate or move a block
        start = 6 + 512 * rng.randrange(max(1, len(data) // 512))
        data[at:at] = data[start : start + 512]
    elif kind == 6:
        data[:0] = rng.choice((b"\n", b"\0", b" ", b"../", b"-", b"\x1b[2J", b"a" * 70))
    else:
        data[at : at + rng.randrange(64)] = bytes(rng.randrange(2000))


_VALUES = (b"'/etc/passwd'", b"1E999", b"-1", b"NaN", b"2147483648", b"99999999999999999999", b"'", b"''", b"T",
           b"", b"'x'\n", b"0x10", b"1.5.5", b"(1,2)", b"'\x1b[2J'", b"\xff\xfe", b"1D5", b"- 1", b"/ x",
           b"'%n%n'")  # fmt: skip
_FIELDS = (b"7777777777\0\0", b"\x80" + b"\xff" * 11, b"-1\0\0\0\0\0\0\0\0\0\0", b"../../../etc", b"5", b"2", b"L",
           b"x", b"g", b"00000000000\0", b" " * 12, b"\0" * 12, b"ustar  \0", b"job-2.axy\0\0\0",
           b"17777777777\0")  # fmt: skip


def _correct_checksums(data: bytes) -> bytes:
    """Correct the checksum of every block that looks like a header."""
    head, body = data[:6], data[6:]
    blocks = [body[at : at + 512] for at in range(0, len(body), 512)]
    return head + b"".join(with_checksum(b) if len(b) == 512 and b[257:262] == b"ustar" else b for b in blocks)


@dataclass
class Streams:
    """The findings: how often each exit code occurred, and violations."""

    codes: Counter[int] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, seed: int, done: RunResult, why: str) -> None:
        with self.lock:
            self.codes[done.code] += 1
            if why:
                self.violations.append(f"stream {seed}: {why}: exit {done.code}, stderr {done.stderr[-300:]!r}")


def soak(folder: Path, count: int, seed: int = 0, lanes: int = 2) -> Streams:
    """Send ``count`` mutated streams with seeds from ``seed`` on, to ``lanes`` servers in parallel."""
    found = Streams()
    numbers = iter(range(seed, seed + count))
    threads = [threading.Thread(target=_lane, args=(folder / f"lane-{n}", numbers, found)) for n in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _lane(folder: Path, numbers: Iterator[int], found: Streams) -> None:
    folder.mkdir(parents=True)
    server = Server.make(folder, "--max-wall", "20").without_call_filter()  # its stand-in engine removes files
    bases = valid_streams()
    sent = 0
    while True:
        with found.lock:
            number = next(numbers, None)
        if number is None:
            break
        try:
            _send(server, number, bases, found)
            sent += 1
            if sent % _LOOK_EVERY == 0:
                _look(server, number, found)
        except Exception as exc:  # any exception is a finding
            with found.lock:
                found.violations.append(f"stream {number}: {type(exc).__name__}: {exc}")
    _look(server, number or 0, found)


def _send(server: Server, number: int, bases: list[bytes], found: Streams) -> None:
    rng = random.Random(number)
    stream, command = mutate(rng, rng.choice(bases)), rng.choice(COMMANDS)
    done = server.run(stream, ssh_command=command)
    found.note(number, done, _wrong(done, stream, command))


def _wrong(done: RunResult, stream: bytes, command: str | None) -> str:
    """Return what is wrong with an answer, or an empty string."""
    known = CODES if command in (None, "solve") else CODES | {75}
    if done.code not in known:
        return "an unknown exit code"
    if "Traceback" in done.stderr or "a fault in solvehost itself" in done.stderr:
        return "a fault"
    if not done.stderr.replace("\n", "").replace("\t", "").isprintable() or not done.stderr.isascii():
        return "control characters on standard error"
    if done.code and done.stdout:
        return "a refusal with something on standard output"
    if not done.code and command in (None, "solve"):
        try:
            read_reply(done.stdout, stream.split(b"\n")[0].decode("latin-1"))
        except Exception as exc:
            return f"a reply that cannot be read ({exc})"
    return ""


def _look(server: Server, number: int, found: Streams) -> None:
    """Check canary files, processes, directories, tokens and the log."""
    wait_until(lambda: not server.processes())
    wrong = []
    if server.look_outside() != server.seen:
        wrong.append("something outside was changed")
    if server.work.exists() and list(server.work.iterdir()):
        wrong.append("a work directory is left")
    if held_locks(server.state):
        wrong.append("a token is held")
    if server.log.exists() and not server.log.read_text().replace("\n", "").isprintable():
        wrong.append("control characters in the log")
    with found.lock:
        found.violations += [f"before stream {number}: {what}" for what in wrong]
