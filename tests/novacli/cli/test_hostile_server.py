"""A hostile or broken server: the job fails with one clear line, and nothing of the reply is kept."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_lines import read_lines
from made_results import CORR_COLUMNS, RDLS_COLUMNS, table_fits, wcs_fits
from made_servers import HEIGHT, WIDTH, Servers, solved_files, write_star_list

from solvehost.formats import jobdir

sys.path.insert(0, str(Path(__file__).parents[2] / "solvehost"))
from rawwire import END, FILES, header, make_manifest, member, pax, reply_bytes

WCS = wcs_fits(WIDTH, HEIGHT)
MANIFEST = member(b"manifest.json", b"{}")
RESULTS = {"backend.log", "corr.fits", "rdls.fits", "wcs.fits", "manifest.json"}


@pytest.fixture
def submit(nova: Any, home: Path, jobs: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that submits a star list to solve1."""
    path = write_star_list(home / "stars.csv")
    canaries = {home / "canary": b"untouched", path: path.read_bytes()}
    (home / "canary").write_bytes(b"untouched")

    def run(*more: str) -> Any:
        return nova("submit", str(path), "--size", f"{WIDTH}x{HEIGHT}", "--to", "solve1", *more)

    def submit(*more: str) -> Any:
        ran = run("--json", *more)
        for canary, content in canaries.items():
            assert canary.read_bytes() == content
        return ran

    return submit


def assert_failed(ran: Any, jobs: Path, code: int = 74, says: str = "") -> None:
    """Check that a call printed one clear line, and that the job directory has no trace of the reply."""
    (line,) = read_lines(ran.out)
    assert (ran.code, line["status"], line["error"]["exit_code"]) == (code, "failed", code)
    (said,) = ran.err.splitlines()
    assert "solve1: " in said
    assert says in said
    assert len(said) < 700
    assert said.isascii()
    assert said.isprintable()
    (job,) = jobdir.list_jobs(jobs)
    names = {path.name for path in job.path.iterdir()}
    assert not names & RESULTS
    assert {name for name in names if name.startswith(".")} == set()
    assert "result.json" in names


def link(kind: bytes, name: bytes = b"wcs.fits") -> bytes:
    return header(name, 0, kind)


BAD_ARCHIVES = {
    "zeros only": (END, "the archive is empty"),
    "nothing": (b"", "nothing was sent: an archive was expected here"),
    "a banner before the tar": (
        b"Welcome to solve1!\n" + MANIFEST + END,
        "this is not a tar archive: it begins with 'Welcome",
    ),
    "absolute": (MANIFEST + member(b"/tmp/canary", b"x") + END, "send plain file names"),
    "parent": (MANIFEST + member(b"../canary", b"x") + END, "send plain file names"),
    "up and down": (MANIFEST + member(b"a/../wcs.fits", b"x") + END, "send plain file names"),
    "a symlink": (MANIFEST + link(b"2") + END, "a symbolic link"),
    "a hard link": (MANIFEST + link(b"1") + END, "a hard link"),
    "a FIFO": (MANIFEST + link(b"6") + END, "a FIFO"),
    "a device": (MANIFEST + link(b"3") + END, "a character device"),
    "a directory": (MANIFEST + link(b"5") + END, "a directory"),
    "contiguous": (MANIFEST + link(b"7") + END, "a contiguous file"),
    "sparse": (MANIFEST + link(b"S") + END, "a sparse file"),
    "unknown type": (MANIFEST + link(b"Z") + END, "the unknown type"),
    "a name like an option": (MANIFEST + member(b"--checkpoint-action=exec=sh", b"x") + END, "send plain file names"),
    "a huge PAX header": (header(b"p", 50 * 2**30 % 8**11, b"x"), "bytes, more than the"),
    "a GNU long name": (header(b"l", 100, b"L"), "a GNU long name"),
    "nested PAX headers": (pax(b"mtime=1") * 2000, "more than 128 headers"),
    "a PAX path": (pax(b"path=../canary") + MANIFEST + END, "a PAX header sets 'path'"),
    "negative size": (header(b"manifest.json", b"-0000000001\0") + END, "a size that is not an octal number"),
    "base 256": (header(b"manifest.json", b"\x80" + bytes(10) + b"\x05") + END, "a size that is not an octal number"),
    "twice": (member(b"wcs.fits", WCS) * 2 + END, "the archive contains wcs.fits twice"),
    "many members": (b"".join(member(b"f%d" % n) for n in range(200)) + END, "more than 128 headers"),
    "gzip": (b"\x1f\x8b" + bytes(1000), "compressed with gzip"),
    "a terabyte declared": (header(b"wcs.fits", b"10000000000\0"), "bytes, more than the"),
    "cut in a header": (MANIFEST + header(b"wcs.fits", 5)[:100], "cut short"),
    "cut in data": (MANIFEST + member(b"corr.fits", bytes(5760))[:1000], "cut short in corr.fits"),
    "cut after corr.fits": (MANIFEST + member(b"corr.fits", bytes(5760)), "cut short after header 2"),
    "cut before the end marks": (MANIFEST, "cut short"),
    "one end mark": (MANIFEST + bytes(512), "cut short before the second"),
    "something after the end": (MANIFEST + END + b"rm -rf /", "data follow the end"),
    "control characters": (b"\x1b[2J\x1b]0;owned\x07" * 50, r"\x1b[2J"),
    "a manifest that is none": (MANIFEST + END, "the manifest is not a JSON object with a format"),
    "no manifest": (member(b"wcs.fits", WCS) + END, "it sent no manifest"),
    "another job's manifest": (reply_bytes(make_manifest(), FILES), "the server replied to another job"),
}


@pytest.mark.parametrize("name", BAD_ARCHIVES)
def test_a_bad_archive_fails_the_job(submit, servers: Servers, jobs: Path, name: str) -> None:
    data, says = BAD_ARCHIVES[name]
    servers.sends("solve1", data)
    assert_failed(submit(), jobs, says=says)


BAD_RESULTS: dict[str, tuple[dict[str, bytes], str]] = {
    "NaN": ({"wcs.fits": WCS.replace(b"190.909712733", b"NaN          ")}, "wcs.fits"),
    "infinite": ({"wcs.fits": WCS.replace(b"190.909712733", b"1e999        ")}, "wcs.fits"),
    "SIP order 999": ({"wcs.fits": wcs_fits(WIDTH, HEIGHT, A_ORDER=999)}, "999"),
    "half a block": ({"wcs.fits": WCS[:-1000]}, "not a whole number of FITS blocks"),
    "no END": ({"wcs.fits": WCS.replace(b"END     ", b"HISTORY ")}, "wcs.fits"),
    "empty": ({"wcs.fits": b""}, "not a whole number of FITS blocks"),
    "singular": ({"wcs.fits": wcs_fits(WIDTH, HEIGHT, CD1_1=0.0, CD1_2=0.0)}, "cannot be inverted"),
    "another projection": ({"wcs.fits": wcs_fits(WIDTH, HEIGHT, CTYPE1="RA---SIN", CTYPE2="DEC--SIN")}, "projection"),
    "another image": ({"wcs.fits": wcs_fits(100, 100)}, "an image of another size"),
    "no FITS": ({"wcs.fits": b"x" * 2880}, "wcs.fits"),
    "corr.fits lies": (
        {"wcs.fits": WCS, "corr.fits": table_fits(CORR_COLUMNS, [(1.0, 2.0, 3.0, 4.0, 5)], NAXIS2=10**9)},
        "corr.fits",
    ),
    "corr.fits with negative rows": (
        {"wcs.fits": WCS, "corr.fits": table_fits(CORR_COLUMNS, [(1.0, 2.0, 3.0, 4.0, 5)], NAXIS2=-1)},
        "corr.fits",
    ),
    "corr.fits of other columns": (
        {"wcs.fits": WCS, "corr.fits": table_fits(RDLS_COLUMNS, [(1.0, 2.0, 3.0)])},
        "column",
    ),
    "corr.fits is nonsense": ({"wcs.fits": WCS, "corr.fits": b"c" * 2880}, "corr.fits"),
    "rdls.fits lies": (
        {**solved_files(), "rdls.fits": table_fits(RDLS_COLUMNS, [(1.0, 2.0, 3.0)], NAXIS2=10**9)},
        "rdls.fits",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_RESULTS)
def test_an_impossible_result_fails_the_job(submit, servers: Servers, jobs: Path, name: str) -> None:
    """The archive is valid, and the manifest agrees with it."""
    files, says = BAD_RESULTS[name]
    servers.replies("solve1", {"backend.log": b"solved\n", **files})
    ran = submit()
    assert_failed(ran, jobs, says=says)
    assert "what it sent back cannot be used: " in ran.err
    assert ".run-reply" not in ran.err


BAD_MANIFESTS: dict[str, dict[str, Any]] = {
    "solved without a winner": {"winner": None},
    "an attempt that was not sent": {"winner": 99},
    "a number that is none": {"winner": "1"},
    "another format": {"format": 2},
    "status and reason": {"reason": "exhausted"},
    "unsolved with a WCS": {"status": "unsolved", "reason": "exhausted", "winner": None},
    "a wrong hash": {"described": {"wcs.fits": {"size": len(WCS), "sha256": "0" * 64}}},
    "endless seconds": {"seconds": 1e300},
}


@pytest.mark.parametrize("name", BAD_MANIFESTS)
def test_an_impossible_manifest_fails_the_job(submit, servers: Servers, jobs: Path, name: str) -> None:
    servers.replies("solve1", **BAD_MANIFESTS[name])
    assert_failed(submit(), jobs)


def test_texts_of_a_manifest_are_escaped_before_they_are_shown_or_kept(submit, servers: Servers, jobs: Path) -> None:
    attempt = {"number": 77, "label": "\x1b[31m" * 100, "outcome": "pwned", "seconds": 1, "cpu_s": 1}
    servers.replies(
        "solve1",
        attempts=[attempt] * 500,
        engine="\x1b" * 9999,
        client="\n",
        indexes={"loaded": ["\x07"], "failed": []},
    )
    ran = submit()
    (line,) = read_lines(ran.out)
    assert line["status"] == "solved"
    (job,) = jobdir.list_jobs(jobs)
    text = (job.path / "manifest.json").read_text() + ran.out
    assert "u001b" not in text
    assert "pwned" not in text
    assert len(text) < 100_000, "the labels alone are 500 kB"


# --- Modes, links and unexpected files ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["0006777", "0000000"])
def test_modes_and_owners_of_members_are_ignored(submit, servers: Servers, jobs: Path, mode: str) -> None:
    """A setuid member, or one without read permission, becomes an ordinary file."""
    servers.replies("solve1")
    (servers.place / "solve1" / "mode").write_text(mode)
    assert submit().code == 0
    (job,) = jobdir.list_jobs(jobs)
    for name in ("wcs.fits", "backend.log"):
        found = (job.path / name).stat()
        assert (found.st_mode & 0o7777 & ~0o044, found.st_uid) == (0o600, os.getuid())


@pytest.mark.parametrize("name", ["wcs.fits", "corr.fits", "backend.log", "manifest.json", "result.json", ".run-reply"])
def test_symbolic_links_in_the_job_directory_are_not_followed(
    submit, nova: Any, servers: Servers, jobs: Path, home: Path, name: str
) -> None:
    servers.add("solve1", solve="cat > /dev/null; exit 78")
    submit()
    (job,) = jobdir.list_jobs(jobs)
    (job.path / name).unlink(missing_ok=True)
    (job.path / name).symlink_to(home / "canary")
    servers.replies("solve1", solved_files())
    assert nova("retry", "last").code == 0
    assert (home / "canary").read_bytes() == b"untouched"
    assert not (job.path / name).is_symlink()


def test_an_unexpected_member_is_left_out(submit, servers: Servers, jobs: Path) -> None:
    servers.replies("solve1", {**solved_files(), "job.axy": b"mine", "job.json": b"{}", "result.json": b"{}"})
    ran = submit()
    assert ran.code == 0
    (job,) = jobdir.list_jobs(jobs)
    assert job.axy(1).read_bytes() != b"mine"
    request = job.read_json("job.json")
    assert request is not None
    assert request["format"] == 1


# --- Exit codes, silence and floods --------------------------------------------------------------------------------


def test_a_whole_reply_with_an_exit_code_is_a_failure(submit, servers: Servers, jobs: Path) -> None:
    servers.replies("solve1", after="echo 'solvehost: the disk is full' >&2; exit 73")
    assert_failed(submit(), jobs, 73, "the disk is full")


@pytest.mark.parametrize(("script", "code"), [("exit 3", 70), ("exit 200", 70), ("kill -9 $$", 75)])
def test_unexpected_ends_have_an_exit_code(submit, servers: Servers, jobs: Path, script: str, code: int) -> None:
    servers.add("solve1", solve=f"cat > /dev/null; {script}")
    assert_failed(submit(), jobs, code)


def test_the_exit_code_of_a_server_that_reads_nothing_is_kept(submit, servers: Servers, jobs: Path) -> None:
    servers.add("solve1", solve="exec <&-; echo 'solvehost: not you' >&2; exit 77")
    assert_failed(submit(), jobs, 77, "solve1: not you")


def test_a_server_that_does_not_answer_info_is_a_temporary_failure(
    submit, servers: Servers, jobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from novacli.backends.ssh import retrying, server_pool

    monkeypatch.setattr(server_pool, "ASK_ONE_S", 0.3)
    monkeypatch.setattr(retrying, "MAX_TRIES", 2)
    servers.add("solve1", info="exec sleep 1000")
    ran = submit()
    assert (ran.code, "solve1: it did not answer in time" in ran.err) == (75, True)
    assert jobdir.list_jobs(jobs) == []


def test_a_server_that_does_not_answer_a_solve_is_stopped_at_the_time_limit(submit, servers: Servers) -> None:
    servers.add("solve1", solve="cat > /dev/null; exec sleep 1000")
    ran = submit("--timeout", "1")
    assert (ran.code, read_lines(ran.out)[0]["reason"]) == (1, "time-limit")


@pytest.fixture
def little_memory() -> Any:
    """Limit the growth of this process to a few times the size of a reply."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000


@pytest.mark.parametrize("start", [b"", MANIFEST, MANIFEST + END])
def test_endless_stdout_is_not_read_to_the_end(
    submit, servers: Servers, jobs: Path, little_memory: None, start: bytes
) -> None:
    servers.sends("solve1", start, after="exec cat /dev/zero")
    ran = submit("--timeout", "60")
    assert_failed(ran, jobs)


def test_endless_stderr_is_not_read_to_the_end(submit, servers: Servers, jobs: Path, little_memory: None) -> None:
    servers.add("solve1", solve="cat > /dev/null; exec yes 'a line of log that does not end' >&2")
    assert_failed(submit("--timeout", "60"), jobs, says="its log does not end")


def test_an_endless_line_on_stderr_is_cut(submit, servers: Servers, jobs: Path, little_memory: None) -> None:
    servers.add("solve1", solve="cat > /dev/null; head -c 3000000 /dev/zero >&2; exit 77")
    assert_failed(submit(), jobs, 77)


def test_a_reply_and_a_flood_on_stderr_do_not_block_each_other(submit, servers: Servers) -> None:
    servers.replies("solve1", before="(yes | head -c 3000000) >&2 &", after="wait")
    assert submit().code == 0


def test_the_end_of_stderr_is_not_waited_for(submit, servers: Servers) -> None:
    """The background process of a shared connection may keep it open."""
    servers.replies("solve1", after="sleep 1000 > /dev/null < /dev/null &")
    assert submit().code == 0


BAD_INFOS = {
    "a banner": "echo 'Last login: yesterday'; cat info.json",
    "a shell's word": "echo 'This account is currently not available.'; exit 1",
    "no JSON": "echo '{'",
    "two lines": "cat info.json info.json",
    "NaN": "echo '{\"protocols\": [NaN]}'",
    "deep": f"{sys.executable} -c \"print('[' * 100000)\"",
    "endless": "cat /dev/zero",
    "endless lines": "yes",
    "no keys": "echo '{}'",
}


@pytest.mark.parametrize("name", BAD_INFOS)
def test_a_wrong_answer_to_info_is_refused(
    submit, servers: Servers, jobs: Path, little_memory: None, name: str
) -> None:
    servers.add("solve1", info=BAD_INFOS[name])
    ran = submit()
    assert ran.code in (70, 74)
    (said,) = ran.err.splitlines()
    assert "solve1: " in said
    assert len(said) < 700
    assert jobdir.list_jobs(jobs) == []
