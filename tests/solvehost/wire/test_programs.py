"""The reader accepts archives of other programs, and other programs read the writer's archives."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from rawwire import (
    AXY,
    FILES,
    in_pieces,
    make_manifest,
    read_request,
)

from solvehost import wire
from solvehost.errors import DataError, InputMissingError


def _run(*command: str, data: bytes = b"") -> bytes:
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout


def _writers() -> list[list[str]]:
    gnu = [["tar", f"--format={f}"] for f in ("gnu", "ustar", "pax", "v7", "oldgnu")]
    bsd = [["bsdtar", f"--format={f}"] for f in ("ustar", "pax", "gnutar")] if shutil.which("bsdtar") else []
    return [["tar"], *gnu, ["tar", "-b", "1"], *bsd]


@pytest.mark.parametrize("writer", _writers(), ids=" ".join)
@pytest.mark.parametrize("name", ["job.axy", "./job.axy"])
def test_archives_of_other_tar_programs_are_read(tmp_path: Path, writer: list[str], name: str) -> None:
    (tmp_path / "job.axy").write_bytes(AXY * 50)
    archive = _run(*writer, "-cf", "-", "-C", str(tmp_path), name)
    assert read_request(archive).axys == {1: AXY * 50}


def test_the_original_client_without_a_file_sends_no_input(tmp_path: Path) -> None:
    command = ["tar", "cf", "-", "--ignore-failed-read", "-C", str(tmp_path), "job.axy"]
    archive = subprocess.run(command, capture_output=True, check=False).stdout
    with pytest.raises(InputMissingError, match="the archive is empty"):
        read_request(archive)


@pytest.mark.parametrize("make", [Path.mkdir, lambda p: p.symlink_to("/etc/passwd")], ids=["directory", "symlink"])
def test_directories_and_links_are_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "job.axy")
    with pytest.raises(DataError, match="regular files only"):
        read_request(_run("tar", "cf", "-", "-C", str(tmp_path), "job.axy"))


def test_python_and_gnu_tar_read_a_request() -> None:
    data = b"".join(wire.write_request("job-1", {1: AXY, 3: b"three"}, mtime_s=1732406400))
    archive = data.removeprefix(b"job-1\n")
    assert len(archive) % 10240 == 0
    listing = _run("tar", "tvf", "-", "--numeric-owner", "--utc", data=archive).decode().splitlines()
    assert [line.split() for line in listing] == [
        ["-rw-r--r--", "0/0", "2880", "2024-11-24", "00:00", "job.axy"],
        ["-rw-r--r--", "0/0", "5", "2024-11-24", "00:00", "job-3.axy"],
    ]
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        found = [(m.name, m.size, m.mode, m.uid, m.gid, m.uname, m.gname, m.mtime) for m in opened]
    assert found == [
        ("job.axy", 2880, 0o644, 0, 0, "", "", 1732406400),
        ("job-3.axy", 5, 0o644, 0, 0, "", "", 1732406400),
    ]


def test_the_original_client_unpacks_a_reply(tmp_path: Path) -> None:
    data = b"".join(wire.write_reply(make_manifest(), FILES))
    _run("tar", "xf", "-", "--atime-preserve", "-m", "--exclude=job.axy", "-C", str(tmp_path), data=data)
    unpacked = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert json.loads(unpacked.pop("manifest.json")) == make_manifest()
    assert unpacked == FILES


def test_the_archive_of_upstreams_script_is_read(tmp_path: Path) -> None:
    for name in ("job.axy", "backend.log", "wcs.fits", "solved"):
        (tmp_path / name).write_bytes(name.encode())
    archive = _run("sh", "-c", 'cd "$1" && tar cf - --exclude job.axy *', "sh", str(tmp_path))
    assert wire.read_reply(in_pieces(archive), "job-1").files == {"wcs.fits": b"wcs.fits"}
