"""A reply put into a job directory: whole or not at all, whatever is in it."""

from __future__ import annotations

import contextlib
import io
import random
from pathlib import Path
from typing import Any

import pytest
from made_jobs import make_job
from made_results import CORR_COLUMNS, RDLS_COLUMNS, table_fits, wcs_fits
from made_servers import HEIGHT, WIDTH, solved_files

from novacli.backends.ssh import unpack
from novacli.backends.ssh.packing import Packet
from novacli.errors import NovaError, TransferError
from solvehost import wire
from solvehost.errors import DiskError, SolvehostError
from solvehost.formats import axy
from solvehost.formats.jobdir import JobDir
from solvehost.wire import Reply

ID = "a-1"
PACKET = Packet(ID, (1, 3), b"")
FILES = {
    **solved_files(),
    "corr.fits": table_fits(CORR_COLUMNS, [(100.0 + n, 200.0, 190.0, 55.0, n) for n in range(5)]),
    "rdls.fits": table_fits(RDLS_COLUMNS, [(9.0, 190.0, 55.0)]),
}


@pytest.fixture
def job(tmp_path: Path) -> JobDir:
    made = make_job(tmp_path / "jobs", "interrupted")
    attempt = axy.Attempt(WIDTH, HEIGHT, axy.read(made.axy(1)).stars)
    for number in (1, 3):
        axy.write(attempt, made.axy(number))
    return made


def reply(files: dict[str, bytes], **changes: Any) -> Reply:
    """Return the reply that a server would send, manifest and all."""
    return Reply(manifest(files, **changes), files)


def manifest(files: dict[str, bytes], **changes: Any) -> dict[str, Any]:
    attempt = {"number": 2, "label": "theirs", "outcome": "solved", "seconds": 0.5, "cpu_s": 0.25}
    base: dict[str, Any] = {"format": 1, "id": ID, "client": "me", "status": "solved", "reason": "none", "winner": 2}
    base |= {"attempts": [attempt], "indexes": {"loaded": ["b", "a"], "failed": []}, "files": describe(files)}
    return base | {"engine": "e", "version": "1", "seconds": 0.75, "cpu_s": 0.5} | changes


def describe(files: dict[str, bytes]) -> dict[str, Any]:
    import hashlib

    return {n: {"size": len(b), "sha256": hashlib.sha256(b).hexdigest()} for n, b in files.items()}


def results(job: JobDir) -> set[str]:
    return {p.name for p in job.path.iterdir()} & {*FILES, "manifest.json", ".run-reply"}


def test_files_and_race_are_under_the_job_s_own_numbers_and_labels(job: JobDir) -> None:
    race = unpack.unpack(job, PACKET, reply(FILES), "solve1")
    assert (race.winner, race.attempts[0].number, race.attempts[0].label) == (3, 3, "attempt 3")
    assert results(job) == {*FILES, "manifest.json"}
    for name, content in FILES.items():
        assert (job.path / name).read_bytes() == content


def test_an_unsolved_reply_leaves_its_log(job: JobDir) -> None:
    files = {"backend.log": b"no\n"}
    race = unpack.unpack(job, PACKET, reply(files, status="unsolved", reason="time-limit", winner=None), "solve1")
    assert (race.reason, results(job)) == ("time-limit", {"backend.log", "manifest.json"})


def test_logs_of_several_requests_are_joined(job: JobDir) -> None:
    for text in (b"one\n", b"two\n"):
        unpack.unpack(job, PACKET, reply({**FILES, "backend.log": text}), "solve1")
    assert job.log.read_bytes() == b"one\ntwo\n"


def test_a_file_that_cannot_be_put_in_place_takes_the_others_with_it(
    job: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.replace

    def fails(self: Path, target: Path) -> Path:
        if self.name == "wcs.fits":
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(DiskError, match="No space left on device: the results cannot be written"):
        unpack.unpack(job, PACKET, reply(FILES), "solve1")
    assert results(job) <= {"backend.log"}


def test_what_a_dying_process_left_is_cleared(job: JobDir) -> None:
    (job.path / ".run-reply").mkdir()
    (job.path / ".run-reply" / "wcs.fits").write_bytes(b"half")
    unpack.unpack(job, PACKET, reply({"backend.log": b""}, status="unsolved", reason="exhausted", winner=None), "s")
    assert not job.wcs.exists()
    (job.path / ".run-reply").mkdir()
    job.clear_results()
    assert not (job.path / ".run-reply").exists()


@pytest.mark.parametrize("winner", [0, 3, -1, 99])
def test_a_winner_that_was_not_sent_is_refused(job: JobDir, winner: int) -> None:
    with pytest.raises(TransferError, match="solve1: it claims that an attempt solved which was not sent"):
        unpack.unpack(job, PACKET, reply(FILES, winner=winner), "solve1")
    assert results(job) == set()


@pytest.mark.parametrize("seed", range(300))
def test_damaged_files_that_agree_with_their_manifest(job: JobDir, seed: int) -> None:
    """Whatever is wrong in a file, it is a solution that can be read or a clear refusal, never anything else."""
    chance = random.Random(seed)
    name = chance.choice(["wcs.fits", "wcs.fits", "corr.fits", "rdls.fits"])
    files = {**FILES, name: damaged(FILES[name], chance)}
    try:
        unpack.unpack(job, PACKET, reply(files), "solve1")
    except TransferError as exc:
        assert str(exc).startswith("solve1: what it sent back cannot be used: ")
        assert str(exc).isascii()
        assert str(exc).isprintable()
        assert results(job) == set()
    else:
        from novacli.solution.reading import read_solution

        read_solution(job.path, is_fits_like=True, attempt=3)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return data with a few bytes, digits or cards changed, moved or cut off."""
    raw = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(raw))
        card = at // 80 * 80
        match chance.randrange(5):
            case 0:
                raw[at] = chance.randrange(256)
            case 1:
                raw[card + 10 : card + 30] = chance.choice(
                    [b"1e308", b"-1e308", b"NaN", b"-1", b"0", b"99999999999999999999", b"1e-320", b"'text'", b"T"]
                ).rjust(20)
            case 2:
                other = chance.randrange(len(raw)) // 80 * 80
                raw[card : card + 80] = raw[other : other + 80]
            case 3:
                del raw[chance.choice([at, card, at // 2880 * 2880]) :]
                raw = raw or bytearray(b" ")
            case _:
                raw[card : card + 80] = b" " * 80
    return bytes(raw)


@pytest.mark.parametrize("seed", range(300))
def test_damaged_archives(job: JobDir, seed: int) -> None:
    """Bytes changed, cut out or put in anywhere in the stream."""
    chance = random.Random(seed)
    raw = bytearray(b"".join(wire.write_reply(manifest(FILES), FILES)))
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(raw))
        size = chance.choice([1, 8, 512, 5000])
        match chance.randrange(4):
            case 0:
                raw[at : at + size] = chance.randbytes(size)
            case 1:
                del raw[at : at + size]
            case 2:
                raw[at:at] = chance.randbytes(size)
            case _:
                del raw[at:]
                raw = raw or bytearray(1)
    with contextlib.suppress(NovaError, SolvehostError):
        unpack.unpack(job, PACKET, wire.read_reply(io.BytesIO(raw).read, ID), "solve1")
    assert results(job) in (set(), {*FILES, "manifest.json"})


def test_the_wcs_must_be_of_the_picture_that_was_sent(job: JobDir) -> None:
    with pytest.raises(TransferError, match="an image of another size"):
        unpack.unpack(job, PACKET, reply({"wcs.fits": wcs_fits(WIDTH + 1, HEIGHT)}), "solve1")
