"""Unpacking a reply into a job directory: all of it, or nothing if any part is wrong."""

from __future__ import annotations

import contextlib
import io
import random
from array import array
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
from made_jobs import make_job
from made_results import RDLS_COLUMNS, corr_fits, solution_of, table_fits, wcs_fits
from made_servers import HEIGHT, WIDTH, solved_files

from novacli.backends.ssh import unpack
from novacli.backends.ssh.packing import Packet
from novacli.errors import NovaError, OutputError, TransferError
from novacli.fits.tables import read_table
from solvehost import wire
from solvehost.formats import axy
from solvehost.formats.jobdir import JobDir
from solvehost.formats.star_table import Stars
from solvehost.wire import Reply

ID = "a-1"
PACKET = Packet(ID, (1, 3), b"")
STARS = [(10.0, 55.0), (20.0, 40.0), (30.0, 30.0), (40.0, 20.0), (55.0, 10.0)]
FILES = {
    **solved_files(),
    "corr.fits": corr_fits(wcs_fits(WIDTH, HEIGHT), STARS),
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
    """Return a reply as a server would send it, with its manifest."""
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


def test_attempts_have_the_job_s_own_numbers_and_labels(job: JobDir) -> None:
    race = unpack.unpack(job, PACKET, reply(FILES), "solve1")
    assert (race.winner, race.attempts[0].number, race.attempts[0].label) == (3, 3, "attempt 3")
    assert results(job) == {*FILES, "manifest.json"}
    for name in ("corr.fits", "rdls.fits"):
        assert read_table((job.path / name).read_bytes()).tolist() == read_table(FILES[name]).tolist()
    assert solution_of(job.wcs.read_bytes()) == solution_of(FILES["wcs.fits"])
    assert job.log.read_bytes() == FILES["backend.log"]


def test_the_log_of_an_unsolved_reply_is_kept(job: JobDir) -> None:
    files = {"backend.log": b"no\n"}
    race = unpack.unpack(job, PACKET, reply(files, status="unsolved", reason="time-limit", winner=None), "solve1")
    assert (race.reason, results(job)) == ("time-limit", {"backend.log", "manifest.json"})


def test_logs_of_several_requests_are_joined(job: JobDir) -> None:
    for text in (b"one\n", b"two\n"):
        unpack.unpack(job, PACKET, reply({**FILES, "backend.log": text}), "solve1")
    assert job.log.read_bytes() == b"one\ntwo\n"


CANDIDATE = {"number": 2, "label": "x", "logodds": 18.5, "ra_deg": 9.0, "dec_deg": 8.0, "pixscale_arcsec": 7.0}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(CANDIDATE, (3, "attempt 3", 18.5, 9.0, 8.0, 7.0)), ({**CANDIDATE, "number": 9}, None), (None, None)],
)
def test_the_best_match_of_an_unsolved_reply_is_kept(
    job: JobDir, sent: dict[str, Any] | None, expected: tuple[Any, ...] | None
) -> None:
    """One of an attempt that was not sent is left out."""
    answer = reply({"backend.log": b""}, status="unsolved", reason="exhausted", winner=None, candidate=sent)
    race = unpack.unpack(job, PACKET, answer, "solve1")
    assert (None if race.candidate is None else astuple(race.candidate)) == expected
    written = job.read_json("manifest.json")
    assert written is not None
    assert (written["candidate"] is None) == (expected is None)


def test_the_better_match_of_several_requests_is_kept(job: JobDir) -> None:
    race = None
    for logodds in (15.0, 18.5, 14.0):
        candidate = {**CANDIDATE, "logodds": logodds}
        answer = reply({"backend.log": b""}, status="unsolved", reason="exhausted", winner=None, candidate=candidate)
        race = unpack.unpack(job, PACKET, answer, "solve1", race)
    assert race is not None
    assert race.candidate is not None
    assert race.candidate.logodds == 18.5


def test_if_one_file_cannot_be_written_none_is_kept(job: JobDir, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.replace

    def fails(self: Path, target: Path) -> Path:
        if self.name == "wcs.fits":
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OutputError, match="No space left on device: the results cannot be written"):
        unpack.unpack(job, PACKET, reply(FILES), "solve1")
    assert results(job) <= {"backend.log"}


def test_the_hidden_directory_of_a_killed_process_is_removed(job: JobDir) -> None:
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
def test_a_damaged_file_that_agrees_with_the_manifest_is_refused_or_read(job: JobDir, seed: int) -> None:
    """A damaged file gives a readable solution or an UnusableReplyError, and no other exception."""
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
    """Return data in which a few bytes, digits or cards are changed, moved or cut off."""
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
def test_a_damaged_archive_is_refused_or_read(job: JobDir, seed: int) -> None:
    """Bytes are changed, removed or inserted anywhere in the stream."""
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
    with contextlib.suppress(NovaError):
        unpack.unpack(job, PACKET, wire.read_reply(io.BytesIO(raw).read, ID), "solve1")
    assert results(job) in (set(), {*FILES, "manifest.json"})


def test_the_wcs_must_have_the_size_of_the_image(job: JobDir) -> None:
    with pytest.raises(TransferError, match="an image of another size"):
        unpack.unpack(job, PACKET, reply({"wcs.fits": wcs_fits(WIDTH + 1, HEIGHT)}), "solve1")


def test_the_stars_of_all_attempts_of_the_request_count(job: JobDir) -> None:
    """A race may verify the match of an attempt with the stars of another; attempts that were not sent do not count."""
    others = [(x + 300, y + 100) for x, y in STARS]
    files = {**FILES, "corr.fits": corr_fits(FILES["wcs.fits"], others)}
    columns = (array("f", column) for column in (*zip(*others, strict=True), range(5)))
    attempt = axy.Attempt(WIDTH, HEIGHT, Stars(*columns))
    axy.write(attempt, job.axy(2))
    with pytest.raises(TransferError, match=r"corr\.fits: it matches a star at 310\.0, 155\.0, where none was sent"):
        unpack.unpack(job, PACKET, reply(files), "solve1")
    axy.write(attempt, job.axy(1))
    assert unpack.unpack(job, PACKET, reply(files), "solve1").winner == 3
