"""The server in one file: isolated, complete, reproducible, and usable with other versions of Python."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import drawnfield
import pytest

from solvehost.formats import axy
from solvehost.indexes import index_set
from solvehost.wire import read_reply, write_request

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "solvehost"
BUILD = ROOT / "scripts" / "build-pyz"


def build(out: Path, **variables: str) -> Path:
    env = {"PATH": os.environ["PATH"], **variables}
    subprocess.run([sys.executable, BUILD, out], env=env, check=True, capture_output=True)
    return out


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist") / "solvehost.pyz")


def run(*words: str | Path, feed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-I", *words], input=feed, capture_output=True, check=False, cwd="/", env={})


def test_the_zipapp_runs_isolated(pyz: Path) -> None:
    assert run(pyz, "--version").stdout == run("-m", "solvehost", "--version").stdout != b""
    assert run(pyz, "config", "print", "sshd.conf").stdout == (SOURCE / "share" / "sshd.conf").read_bytes()


def test_the_zipapp_is_executable(pyz: Path) -> None:
    assert os.access(pyz, os.X_OK)
    assert pyz.read_bytes().startswith(b"#!/usr/bin/python3 -I\nPK")


def test_authorize_writes_the_path_of_the_zipapp(pyz: Path, tmp_path: Path) -> None:
    from admin import made_keys

    link = tmp_path / "solvehost"
    link.symlink_to(pyz)
    done = run(link, "authorize", made_keys.write(tmp_path), "--client", "a", "--print")
    assert f'command="{os.path.abspath(sys.executable)} -I {pyz.resolve()} --client a"'.encode() in done.stdout


def test_the_same_sources_give_the_same_bytes(pyz: Path, tmp_path: Path) -> None:
    again = build(tmp_path / "again.pyz", PYTHONHASHSEED="7", TZ="Pacific/Auckland", TMPDIR=str(tmp_path))
    assert again.read_bytes() == pyz.read_bytes()


def test_the_zipapp_contains_all_of_solvehost_and_nothing_else(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as zipped:
        entries = zipped.infolist()
    names = {entry.filename for entry in entries}
    modules = {path.relative_to(SOURCE.parent).as_posix() for path in SOURCE.rglob("*.py")} | {"__main__.py"}
    shared = {path.relative_to(SOURCE.parent).as_posix() for path in (SOURCE / "share").iterdir() if path.is_file()}
    assert names == modules | {f"{name}c" for name in modules} | shared
    assert [entry.filename for entry in entries] == sorted(names)
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


def test_bytecode_is_used_without_checking_the_source(pyz: Path) -> None:
    """The flags are 1 (unchecked hash), since copying would change timestamps."""
    with zipfile.ZipFile(pyz) as zipped:
        for name in zipped.namelist():
            if name.endswith(".pyc"):
                data = zipped.read(name)
                assert (data[:4], data[4:8]) == (importlib.util.MAGIC_NUMBER, b"\x01\0\0\0"), name


def test_serving_uses_the_bytecode(pyz: Path, tmp_path: Path) -> None:
    """It runs even if the sources are invalid."""
    spoilt = _copy(pyz, tmp_path / "spoilt.pyz", lambda name, data: b"(" if name.endswith(".py") else data)
    done = run(spoilt, "--nonsense")
    assert done.returncode == 64
    assert b"there is no option" in done.stderr


@pytest.mark.engine
@pytest.mark.parametrize("magic", ["ours", "another"])
def test_the_zipapp_solves(magic: str, pyz: Path, tmp_path: Path, real_indexes: index_set.IndexSet) -> None:
    """Also with bytecode of another Python, in place of which the source is used."""
    if magic == "another":
        pyz = _copy(pyz, tmp_path / "other.pyz", _as_of_another_python)
    index = next((file for file in real_indexes.files if file.index_id == 4110), real_indexes.files[0])
    stars = drawnfield.draw(index.path, parity=1)
    scale = drawnfield.ARCSEC_PER_PIXEL
    attempt = axy.Attempt(drawnfield.WIDTH, drawnfield.HEIGHT, stars, ((axy.Range(scale * 0.9, scale * 1.1)),))
    request = b"".join(write_request("job-1", {1: axy.to_bytes(attempt)}))
    flags = ("--config", os.devnull, "--state", tmp_path / "state", "--log", "stderr", "--allow-root")
    done = run(pyz, *flags, feed=request)
    assert done.returncode == 0, done.stderr
    reply = read_reply(io.BytesIO(done.stdout).read1, "job-1")
    assert reply.manifest is not None
    assert reply.manifest["status"] == "solved"
    assert "wcs.fits" in reply.files


def _copy(pyz: Path, out: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Copy an archive, and change its members."""
    with zipfile.ZipFile(pyz) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            new.writestr(entry, change(entry.filename, old.read(entry)))
    return out


def _as_of_another_python(name: str, data: bytes) -> bytes:
    return b"\xff\xff\r\n" + data[4:] if name.endswith(".pyc") else data


def test_another_python_runs_the_zipapp(pyz: Path) -> None:
    names = (f"python3.{minor}" for minor in range(11, 20) if minor != sys.version_info[1])
    found = next((path for name in names if (path := shutil.which(name)) and _runs(path)), None)
    if found is None:
        pytest.skip("no other Python of 3.11 or newer is on PATH")
    ran = subprocess.run([found, "-I", pyz, "--version"], capture_output=True, check=False)
    assert ran.stdout.startswith(b"solvehost "), ran.stderr


def _runs(python: str) -> bool:
    return not subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode


def test_an_invalid_command_line_is_refused() -> None:
    done = subprocess.run([sys.executable, BUILD, "--nonsense"], capture_output=True, check=False)
    assert done.returncode != 0
    assert b"usage" in done.stderr
