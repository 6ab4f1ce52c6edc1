"""Attack 6: full disks, before the job, while it is read, and while the engine writes; in a mount namespace."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from attack_server import Server, assert_one_line, read_reply, request, told
from rawwire import member
from standin import make_attempt, make_stars

from solvehost.formats import axy, fitsfile
from solvehost.formats.axy import Attempt

#: Mount a small disk on the state directory, run the program, and list the files that remain there.
_SMALL_DISK = """
mount -t tmpfs -o mode=700,"$1" none "$2" || exit 99
state=$2; left=$3; shift 3
"$@"
code=$?
find "$state" -mindepth 1 >"$left"
exit "$code"
"""
#: The program, without its check of free space.
_CONTENT = [
    "-c",
    "import solvehost.server.state_dir as s; s.MIN_FREE_BYTES = 0; from solvehost.__main__ import main; main()",
]


@pytest.fixture
def small_disks() -> None:
    """Skip the test if no file system can be mounted."""
    probe = ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")


@pytest.fixture
def full(server: Server, small_disks: None) -> Server:
    """A server; ``on(server, options)`` puts its state on a small disk."""
    return server


def on(server: Server, options: str) -> Server:
    server.state.mkdir(mode=0o700, exist_ok=True)
    left = server.folder / "left"
    left.touch()
    words = ["unshare", "-Urm", "/bin/sh", "-c", _SMALL_DISK, "sh", options, str(server.state), str(left)]
    server.prefix = words
    server.seen = server.look_outside()
    return server


def assert_nothing_is_left(server: Server) -> None:
    left = server.folder / "left"
    names = left.read_text().split()
    assert not [name for name in names if ".new-" in name or "/jobs/" in name]
    left.write_bytes(b"")
    server.seen = server.look_outside()
    server.assert_clean()


@pytest.mark.parametrize("ssh_command", ["solve", "solve --detach"])
def test_a_full_disk_is_reported_before_the_job_begins(full: Server, ssh_command: str) -> None:
    done = on(full, "size=64k").run(told("solve"), ssh_command=ssh_command)
    assert (done.code, done.stdout) == (73, b"")
    assert_one_line(done.stderr, "only 0 MiB are free")
    assert_nothing_is_left(full)


def test_a_disk_without_inodes_is_reported(full: Server) -> None:
    done = on(full, "size=100m,nr_inodes=20").run(told("solve"))
    assert (done.code, done.stdout) == (73, b"")
    assert_one_line(done.stderr, "more files can be created")
    assert_nothing_is_left(full)


def test_a_disk_without_room_for_a_lock_is_reported(full: Server) -> None:
    done = on(full, "size=64k,nr_inodes=3").run(told("solve"))
    assert (done.code, done.stdout) == (73, b"")
    assert_one_line(done.stderr, "No space left")
    assert_nothing_is_left(full)


@pytest.mark.parametrize("ssh_command", ["solve", "solve --detach"])
def test_a_star_list_that_does_not_fit_is_reported(full: Server, ssh_command: str) -> None:
    full.command = [sys.executable, "-I", *_CONTENT]
    attempt = Attempt(1000, 800, make_stars(9000), schedule=make_attempt("solve").schedule)
    done = on(full, "size=64k").run(request(axy.to_bytes(attempt)), ssh_command=ssh_command)
    assert (done.code, done.stdout) == (73, b"")
    assert_one_line(done.stderr, "No space left on device")
    assert_nothing_is_left(full)


def test_a_disk_that_fills_while_the_engine_writes_is_reported(full: Server) -> None:
    """The engine leaves ``solved`` and an incomplete wcs.fits, and exits with 0; nothing is sent."""
    done = on(full, "size=40m").run(told("fill-for-real"))
    assert (done.code, done.stdout) == (73, b"")
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert_nothing_is_left(full)


def test_a_complete_solution_on_a_full_disk_is_sent(full: Server) -> None:
    """A solution that was written completely before is sent, if it can be renamed."""
    done = on(full, "size=40m").run(told("solve", "fill-for-real"), "--slots", "1")
    assert done.code == 0
    assert_nothing_is_left(full)


@pytest.mark.engine
def test_the_real_engine_on_small_disks(small_disks: None, real_server: Server, drawn_axy: bytes) -> None:
    """With room for the star list and for ever more of the engine's files, the reply is complete, or there is none."""
    real_server.command = [sys.executable, "-I", *_CONTENT]
    codes = []
    for size_kb in (20, 32, 40, 44, 48, 52, 56, 60, 72, 100):
        done = on(real_server, f"size={size_kb}k").run(request(drawn_axy))
        codes.append(done.code)
        assert "Traceback" not in done.stderr
        assert_nothing_is_left(real_server)
        if done.code:
            assert (done.code, done.stdout) == (73, b""), done
            continue
        manifest, files = read_reply(done.stdout, "job-1")
        assert manifest["status"] == "solved"
        for name in set(files) - {"backend.log"}:
            assert len(list(fitsfile.iter_hdus(io.BytesIO(files[name])))) == (1 if name == "wcs.fits" else 2), size_kb
    assert codes[0] == 73
    assert codes[-1] == 0


def test_a_log_that_cannot_be_written_does_not_fail_the_job(full: Server) -> None:
    """The log line goes to standard error then."""
    full.flags = [f"{full.state}/x.log" if word == str(full.log) else word for word in full.flags]
    full.command = [sys.executable, "-I", *_CONTENT]
    done = on(full, "size=64k").run(b"job-1\n" + member(b"x") + bytes(1024))
    assert done.code == 65
    assert_nothing_is_left(full)
