"""Checks of what solving needs, with the user's permissions."""

from __future__ import annotations

import dataclasses
import os
import resource
from pathlib import Path
from types import SimpleNamespace

import pytest
import standin

from admin import made_keys, made_state
from solvehost.admin.checks import limits, run_check, serving
from solvehost.admin.checks import state as state_checks
from solvehost.admin.records import Finding
from solvehost.engine import sandbox
from solvehost.errors import RetryLaterError
from solvehost.indexes.index_set import IndexSet
from solvehost.server import settings
from solvehost.server.engine_setup import EngineSetup


def only(checks: object) -> Finding:
    (found,) = checks  # type: ignore[misc]
    return found


def test_a_missing_configuration_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DEFAULT_FILE", tmp_path / "none.toml")
    found = only(serving.check_configuration({}, made_keys.account(tmp_path)))
    assert found.ok
    assert "defaults apply" in found.detail


@pytest.mark.parametrize(
    ("text", "said"),
    [("slots = 0", "slots"), ("nonsense", "correct the"), ("slot = 1", "unknown key"), ("\xff", "")],
)
def test_an_invalid_configuration_ends_these_checks(text: str, said: str, tmp_path: Path) -> None:
    """The engine and the directories that it would name are unknown."""
    path = tmp_path / "s.toml"
    path.write_bytes(text.encode("latin-1"))
    found = only(serving.check({"config": str(path)}, made_keys.account(tmp_path)))
    assert (found.name, found.ok, found.exit_code) == ("configuration", False, 78)
    assert said in found.detail


def test_a_configuration_that_the_user_can_change_fails(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")
    path = tmp_path / "s.toml"
    path.write_text("slots = 1\n")
    os.chown(path, 54321, 0)
    found = only(serving.check_configuration({"config": str(path)}, made_keys.account(tmp_path, uid=54321)))
    assert (found.ok, found.exit_code) == (False, 77)
    assert "chown root" in found.remedy


def test_a_missing_engine_fails_with_69(tmp_path: Path) -> None:
    host = EngineSetup(made_state.config(tmp_path, engine="/none/astrometry-engine"))
    found = only(run_check("engine", lambda: [serving.check_engine(host, made_keys.account(tmp_path))]))
    assert (found.ok, found.exit_code) == (False, 69)
    assert "install it" in found.detail


def test_an_engine_that_does_not_start_fails(tmp_path: Path) -> None:
    program = tmp_path / "engine"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    host = EngineSetup(made_state.config(tmp_path, engine=str(program)))
    found = serving.check_engine(host, made_keys.account(tmp_path, uid=0))
    assert (found.ok, found.exit_code) == (False, 69)
    assert "does not start" in found.detail


def test_index_files_that_cannot_be_loaded_are_named(tmp_path: Path) -> None:
    (tmp_path / "index-1.fits").write_bytes(b"nonsense")
    (tmp_path / "engine.cfg").write_text(f"add_path {tmp_path}\nautoindex\n")
    flags = {"engine": str(standin.install(tmp_path)), "engine_config": str(tmp_path / "engine.cfg")}
    host = EngineSetup(made_state.config(tmp_path / "state", **flags))
    none, damaged = serving.check_indexes(host, made_keys.account(tmp_path))
    assert (none.ok, none.exit_code) == (False, 69)
    assert damaged.ok is None
    assert "index-1.fits cannot be loaded" in damaged.detail
    assert not (tmp_path / "state").exists(), "a check leaves nothing behind"


def test_one_damaged_index_file_among_good_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = IndexSet((standin.make_index("index-1.fits"),), ((Path("/a/index-2.fits"), "it is cut short"),))
    monkeypatch.setattr(serving, "scan", lambda _: found)
    checks = list(serving.check_indexes(EngineSetup(made_state.config(tmp_path)), made_keys.account(tmp_path)))
    assert [check.ok for check in checks] == [None, True]
    assert "index-2.fits cannot be loaded" in checks[0].detail
    assert "1 index file, quads of 60 to 85 arcminutes" in checks[1].detail


def test_an_index_file_that_the_user_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")
    index = standin.make_index("index-1.fits")
    index = dataclasses.replace(index, path=tmp_path / "index-1.fits")
    index.path.write_bytes(b"")
    os.chown(index.path, 54321, 0)
    monkeypatch.setattr(serving, "scan", lambda _: IndexSet((index,)))
    found = only(
        serving.check_indexes(EngineSetup(made_state.config(tmp_path)), made_keys.account(tmp_path, uid=54321))
    )
    assert (found.ok, found.exit_code) == (False, 77)
    assert str(index.path) in found.detail


def test_a_correct_state_directory_passes(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    found = list(state_checks.check(made_state.config(state), made_keys.account(tmp_path)))
    assert [check.name for check in found] == ["state", "room", "work"]
    assert found[0].ok
    assert found[1].ok is not False


@pytest.mark.parametrize("wrong", ["missing", "mode", "file", "link", "network"])
def test_a_wrong_state_directory_fails(wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state"
    if wrong == "file":
        state.write_text("")
    elif wrong == "link":
        state.symlink_to(tmp_path)
    elif wrong != "missing":
        state.mkdir(mode=0o755 if wrong == "mode" else 0o700)
    if wrong == "network":
        monkeypatch.setattr(state_checks, "disk_kind", lambda _: "nfs4")
    found = only(state_checks.check(made_state.config(state), made_keys.account(tmp_path)))
    assert (found.ok, found.exit_code) == (False, 73 if wrong == "missing" else 78)
    assert found.remedy


@pytest.mark.parametrize(
    ("blocks", "inodes", "ok", "code"),
    [
        (10**7, 10**6, True, 0),
        (10**5, 10**6, None, 0),
        (10**7, 1000, None, 0),
        (100, 10**6, False, 73),
        (10**7, 3, False, 73),
    ],
)
def test_too_little_room_fails_and_scarce_room_is_a_warning(
    blocks: int, inodes: int, ok: bool | None, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(f_bavail=blocks, f_frsize=4096, f_files=10**7, f_favail=inodes)
    monkeypatch.setattr(state_checks.os, "statvfs", lambda _: found)
    check = state_checks.check_room(tmp_path)
    assert check.ok is ok
    assert check.exit_code == (code or 78)
    assert bool(check.remedy) is not bool(check.ok)


def test_the_file_system_of_a_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    folder = tmp_path / "a b"
    folder.mkdir()
    escaped = str(folder).replace(" ", "\\040")
    mounts.write_text(f"none / ext4 rw 0 0\nserver:/x {escaped} nfs4 rw 0 0\nnone {tmp_path}/a xfs rw 0 0\n")
    monkeypatch.setattr(state_checks, "_MOUNTS", mounts)
    assert state_checks.disk_kind(folder / "deep") == "nfs4"
    assert state_checks.disk_kind(tmp_path) == "ext4"
    monkeypatch.setattr(state_checks, "_MOUNTS", tmp_path / "none")
    assert state_checks.disk_kind(folder) == ""


def test_too_little_memory_is_a_warning(tmp_path: Path) -> None:
    assert serving.check_memory(made_state.config(tmp_path, slots="1", max_memory_mb="64")).ok
    found = serving.check_memory(made_state.config(tmp_path, slots="1000", max_memory_mb="1000000"))
    assert found.ok is None
    assert "max_memory_mb" in found.remedy


@pytest.mark.parametrize(
    ("version", "filters", "required", "ok", "said"),
    [
        (7, True, True, True, "engines are confined by a seccomp filter and Landlock, version 7"),
        (
            2,
            True,
            True,
            True,
            "does not govern truncation of files, TCP, ioctl on devices, signals and abstract socket",
        ),
        (0, True, False, None, "no Landlock: an engine that was taken over could read and change the files"),
        (7, False, False, None, "no seccomp filter: an engine that was taken over could reach the user's other proc"),
        (0, False, False, None, "no Landlock and no seccomp filter"),
        (0, True, True, False, "require_sandbox is set, but this kernel cannot confine engines (no Landlock)"),
        (7, False, True, False, "require_sandbox is set, but this kernel cannot confine engines (no seccomp filter)"),
    ],
)
def test_what_the_kernel_lacks_for_confinement_is_named(
    version: int, filters: bool, required: bool, ok: bool | None, said: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sandbox, "landlock_abi", lambda: version)
    monkeypatch.setattr(serving, "landlock_abi", lambda: version)
    monkeypatch.setattr(sandbox, "filters_calls", lambda: filters)
    found = serving.check_sandbox(made_state.config(tmp_path)._replace(require_sandbox=required))
    assert (found.ok, found.exit_code) == (ok, 78)
    assert said in found.detail
    assert ok is not None or "set require_sandbox" in found.remedy


def test_low_limits_of_a_session_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = made_state.config(tmp_path)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1, 1))
    found = only([limits.check_session(config)])
    assert found.ok is False
    assert "nofile is 1, but jobs need 64" in found.detail
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1, resource.RLIM_INFINITY))
    assert only([limits.check_session(config)]).ok


def test_a_log_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    account = made_keys.account(tmp_path)
    assert serving.check_log(made_state.config(tmp_path, log="stderr"), account).ok
    assert serving.check_log(made_state.config(tmp_path, log=str(tmp_path / "log")), account).ok
    found = serving.check_log(made_state.config(tmp_path, log=str(tmp_path / "none" / "log")), account)
    assert found.ok is None
    assert found.remedy


def test_an_exception_in_a_check_becomes_a_finding(tmp_path: Path) -> None:
    def busy() -> list[Finding]:
        raise RetryLaterError("busy")

    def denied() -> list[Finding]:
        return [Finding("a", True, (tmp_path / "none").read_text())]

    def wrong() -> list[Finding]:
        return [Finding("a", True, str(1 / 0))]

    assert [only(run_check("x", look)).exit_code for look in (busy, denied, wrong)] == [75, 77, 70]
    assert "none: No such file" in only(run_check("x", denied)).detail


@pytest.mark.parametrize("part", ["", "work", "slots", "clients", "clients/a", "clients/a/jobs"])
@pytest.mark.parametrize("mode", [0o000, 0o500, 0o722])
def test_a_directory_of_the_state_with_a_wrong_mode_is_named(tmp_path: Path, part: str, mode: int) -> None:
    """An engine that was taken over could once take the permissions away, and end the service for all."""
    config = made_state.config(tmp_path / "state")
    for name in ("work", "slots", "clients/a/jobs"):
        (config.state / name).mkdir(parents=True, mode=0o700)
    config.state.chmod(0o700)
    (config.state / part).chmod(mode)
    (found, *_) = state_checks.check(config, made_keys.account(tmp_path))
    (config.state / part).chmod(0o700)
    assert found.ok is False
    assert str(config.state / part) in found.detail
    assert next(iter(state_checks.check(config, made_keys.account(tmp_path)))).ok
