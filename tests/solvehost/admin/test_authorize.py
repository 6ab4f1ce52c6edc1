"""``solvehost authorize`` adds one line, changes no other line, and never leaves an incomplete file."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from admin import made_keys
from solvehost.admin import authorize as module
from solvehost.admin.authorize import ADDED, PRINTED, REPLACED, UNCHANGED, authorize
from solvehost.errors import CommandLineError, ConfigError, DataError, DeniedError, InputMissingError, RetryLaterError

OTHERS = b'# mine\r\n\ncommand="\xff\xfe" nonsense\nssh-ed25519 AAAA other  \n   ' + made_keys.line(9).encode()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return made_keys.write(tmp_path)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An authorized_keys file that does not exist yet."""
    return tmp_path / "authorized_keys.d" / "solve"


def test_print_writes_no_file(key: Path) -> None:
    done = authorize(key, {"client": "nova1", "slots": "2", "require_sandbox": True}, to=None)
    program = f"{os.path.abspath(sys.executable)} -I -m solvehost"
    assert done.outcome == PRINTED
    assert done.line == f'restrict,command="{program} --client nova1 --slots 2 --require-sandbox" {made_keys.line()}'


def test_the_first_key_creates_file_and_directory(key: Path, place: Path) -> None:
    previous = os.umask(0o077)
    try:
        done = authorize(key, {"client": "nova1"}, to=place)
    finally:
        os.umask(previous)
    assert done.outcome == ADDED
    assert place.read_text() == done.line + "\n"
    assert stat.S_IMODE(place.stat().st_mode) == 0o644
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o755
    assert [path.name for path in place.parent.iterdir()] == ["solve"]


def test_other_lines_are_unchanged(key: Path, place: Path) -> None:
    """Byte for byte; a last line without a line feed gets one."""
    place.parent.mkdir()
    place.write_bytes(OTHERS)
    done = authorize(key, {}, to=place)
    assert place.read_bytes() == OTHERS + b"\n" + done.line.encode() + b"\n"


def test_authorizing_the_same_key_again_changes_nothing(key: Path, place: Path) -> None:
    authorize(key, {"client": "a"}, to=place)
    before = place.stat()
    assert authorize(key, {"client": "a"}, to=place).outcome == UNCHANGED
    after = place.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_same_key_with_other_options_needs_replace(key: Path, place: Path) -> None:
    place.parent.mkdir()
    place.write_bytes(OTHERS + b"\n")
    authorize(key, {"client": "a"}, to=place)
    with place.open("ab") as stream:
        stream.write(b"# after\n")
    before = place.read_bytes()
    with pytest.raises(DataError, match=r"line 6 has this key with other options.*--replace"):
        authorize(key, {"client": "b"}, to=place)
    assert place.read_bytes() == before
    done = authorize(key, {"client": "b"}, to=place, replace=True)
    assert done.outcome == REPLACED
    assert place.read_bytes() == before.replace(b"--client a", b"--client b")


def test_replacing_a_key_removes_its_duplicates(key: Path, place: Path) -> None:
    place.parent.mkdir()
    place.write_text(f"{made_keys.line()}\n# between\nrestrict {made_keys.line()}\n")
    with pytest.raises(DataError, match="line 1, 3"):
        authorize(key, {"client": "a"}, to=place)
    done = authorize(key, {"client": "a"}, to=place, replace=True)
    assert place.read_text() == f"{done.line}\n# between\n"


def test_a_symbolic_link_is_not_followed(key: Path, place: Path, tmp_path: Path) -> None:
    """A user could have made a link to a file that only root can read."""
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    place.parent.mkdir()
    place.symlink_to(secret)
    with pytest.raises(Exception, match="solve"):
        authorize(key, {}, to=place)
    assert secret.read_text() == "secret\n"
    assert place.is_symlink()


@pytest.mark.parametrize("kind", ["fifo", "directory", "hard link"])
def test_a_file_that_is_not_regular_is_refused(kind: str, key: Path, place: Path) -> None:
    place.parent.mkdir()
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "directory":
        place.mkdir()
    else:
        place.with_name("other").write_text("x\n")
        os.link(place.with_name("other"), place)
    with pytest.raises(Exception, match=r"not a regular file|Is a directory"):
        authorize(key, {}, to=place)


def test_a_file_keeps_its_owner_and_loses_write_permission_for_others(key: Path, place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    place.parent.mkdir()
    place.write_text("# mine\n")
    place.chmod(0o666)
    os.chown(place, 12345, 12345)
    authorize(key, {}, to=place)
    found = place.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (12345, 12345, 0o644)


def test_keys_authorized_at_the_same_time_all_get_a_line(place: Path, tmp_path: Path) -> None:
    keys = [made_keys.write(tmp_path, number) for number in range(1, 9)]
    threads = [threading.Thread(target=authorize, args=(key, {"client": "a"}), kwargs={"to": place}) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(place.read_text().splitlines()) == len(keys)


def test_a_lock_that_stays_taken_is_an_error(
    key: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "_LOCK_TIMEOUT_S", 0.1)
    place.parent.mkdir()
    fd = os.open(place.parent, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        with pytest.raises(RetryLaterError, match="kept it locked"):
            authorize(key, {}, to=place)
    finally:
        os.close(fd)
    assert authorize(key, {}, to=place).outcome == ADDED


def test_invalid_settings_are_refused(key: Path, place: Path, tmp_path: Path) -> None:
    """Nothing is written then."""
    bad = tmp_path / "bad.toml"
    bad.write_text("slots = 0\n")
    with pytest.raises(CommandLineError, match="--slots"):
        authorize(key, {"slots": "many"}, to=place)
    with pytest.raises(CommandLineError, match="--client"):
        authorize(key, {"client": "a b"}, to=place)
    with pytest.raises(ConfigError, match="slots"):
        authorize(key, {"config": str(bad)}, to=place)
    with pytest.raises(CommandLineError, match="cannot be written into"):
        authorize(key, {"state": "/a'b"}, to=place)
    assert not place.exists()


def test_a_relative_configuration_is_refused(key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="absolute"):
        authorize(key, {"config": "s.toml"}, to=None)


def test_a_program_that_does_not_start_is_not_authorized(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.installation, "program", lambda: [sys.executable, "-I", "-m", "no_such_module"])
    with pytest.raises(ConfigError, match=r"does not start: .*no_such_module"):
        authorize(key, {}, to=None)


def test_the_message_names_a_missing_directory(key: Path, tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="create the directory"):
        authorize(key, {}, to=tmp_path / "no" / "such" / "solve")


def test_without_permission_it_says_what_to_do(key: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.Path, "mkdir", refuse)
    with pytest.raises(DeniedError, match="run this as root"):
        authorize(key, {}, to=place)


def test_a_note_says_that_clients_are_not_told_apart(key: Path) -> None:
    assert authorize(key, {}, to=None).notes == (
        "no --client was given: all keys without it share the jobs of the client 'default'",
    )
    assert authorize(key, {"client": "a"}, to=None).notes == ()


def test_openssh_reads_the_line(place: Path, tmp_path: Path) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed (Debian: apt install openssh-client)")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "k"], check=True)
    done = authorize(tmp_path / "k.pub", {"client": "a", "state": "/a b"}, sources="::1", expiry="2999-01-01", to=place)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", place], check=True, capture_output=True, text=True)
    assert done.fingerprint in shown.stdout
