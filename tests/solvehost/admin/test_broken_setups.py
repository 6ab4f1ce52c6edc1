"""Set-ups of a solve server that serve nothing, or not safely: ``solvehost check`` names each one, with a remedy.

Each case breaks one thing in a set-up that passes, behind a real sshd.  Stand-ins replace only what would change the
machine itself: /etc/nologin, /etc/shadow, the limits of PAM, the kernel's confinement, and full disks.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
import standin

from made_sshd import MadeSshd
from solvehost.admin import check as module
from solvehost.admin.check import check as check_server
from solvehost.admin.checks import account as account_checks
from solvehost.admin.checks import limits
from solvehost.admin.checks import state as state_checks
from solvehost.admin.records import CheckReport
from solvehost.engine import sandbox

pytestmark = [
    pytest.mark.sshd,
    pytest.mark.skipif(os.geteuid() != 0, reason="the server's user must be another one than that of the tests"),
]
#: The day number of the start of 2020, as /etc/shadow counts days.
DAY_IN_THE_PAST = 18262


@dataclass
class Setup:
    """A set-up that passes; a case breaks it before ``check`` runs."""

    sshd: MadeSshd
    folder: Path
    state: Path
    keys: Path
    config: Path
    engine: Path
    index: Path
    patch: pytest.MonkeyPatch
    sshd_values: dict[str, list[str]] = field(default_factory=dict)

    def check(self) -> CheckReport:
        """Run all checks but the trial jobs."""
        effective = module.sshd.effective
        with self.patch.context() as patch:
            patch.setattr(module.sshd, "effective", lambda *values: effective(*values) | self.sshd_values)
            return check_server({}, user=self.sshd.user, keys=self.keys, sshd_config=self.folder / "sshd_config",
                                with_trial_jobs=False)  # fmt: skip

    def write_config(self, more: str = "") -> None:
        """Write the settings of the server."""
        self.config.write_text(
            f'engine = "{self.engine}"\nengine_config = "{self.folder}/engine.cfg"\nlog = "stderr"\n{more}'
        )

    def change_keys(self, old: str, new: str) -> None:
        """Replace a text in the line of the key."""
        text = self.keys.read_text()
        assert old in text
        self.keys.write_text(text.replace(old, new))

    def shadow(self, line: str) -> None:
        """Replace the line of the user in /etc/shadow, by a stand-in of that file."""
        (self.folder / "shadow").write_text(line.replace("USER", self.sshd.user) + "\n")
        self.patch.setattr(account_checks, "_SHADOW", self.folder / "shadow")


@pytest.fixture
def setup(sshd: MadeSshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Setup]:
    folder = sshd.folder / f"setup-{time.monotonic_ns()}"
    folder.mkdir(mode=0o755)
    host = sshd.add_host("--config", str(folder / "s.toml"), client="a")
    keys = folder / "keys"
    keys.write_text((sshd.folder / "authorized_keys").read_text().splitlines()[-1] + "\n")
    engine = folder / "astrometry-engine"
    engine.write_text("#!/bin/sh\necho this is astrometry-engine\n")
    index = standin.write_index(folder / "index-1.fits")
    (folder / "engine.cfg").write_text(f"add_path {folder}\nautoindex\n")
    text = (sshd.folder / "sshd_config").read_text()
    (folder / "sshd_config").write_text(text.replace("AcceptEnv *\n", ""))
    for name in ("slots", "work", "clients", "clients/a", "clients/a/waiting"):
        (host.state / name).mkdir(mode=0o700)
        sshd.give(host.state / name)
    made = Setup(sshd, folder, host.state, keys, folder / "s.toml", engine, index, monkeypatch)
    made.write_config()
    for path, mode in ((keys, 0o644), (engine, 0o755), (index, 0o644), (made.config, 0o644)):
        path.chmod(mode)
    yield made
    shutil.rmtree(folder, ignore_errors=True)


def chmod(part: str, mode: int) -> Callable[[Setup], None]:
    return lambda setup: (
        (setup.folder if part.startswith("../") else setup.state).joinpath(part.removeprefix("../")).chmod(mode)
    )


def replace_in_state(part: str, make: Callable[[Path], object]) -> Callable[[Setup], None]:
    """Return a case in which something else stands in place of a part of the state."""

    def breaks(setup: Setup) -> None:
        path = setup.state / part
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
        make(path)
        if not path.is_symlink():
            setup.sshd.give(path)

    return breaks


def key_option(option: str) -> Callable[[Setup], None]:
    return lambda setup: setup.change_keys("restrict,", f"restrict,{option},")


def sshd_value(keyword: str, value: str) -> Callable[[Setup], None]:
    return lambda setup: setup.sshd_values.update({keyword: [value]})


def config_line(line: str) -> Callable[[Setup], None]:
    return lambda setup: setup.write_config(line + "\n")


def close_sshd(setup: Setup) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        setup.sshd_values["listenaddress"] = [f"127.0.0.1:{probe.getsockname()[1]}"]


def forbid_logins(setup: Setup) -> None:
    (setup.folder / "nologin").touch()
    setup.patch.setattr(account_checks, "_NO_LOGIN", (setup.folder / "nologin",))


def limit_by_pam(line: str) -> Callable[[Setup], None]:
    def breaks(setup: Setup) -> None:
        (setup.folder / "limits.conf").write_text(
            f"# domain type item value\n{line}\n".replace("USER", setup.sshd.user)
        )
        setup.patch.setattr(limits, "_PAM_FILE", setup.folder / "limits.conf")
        setup.sshd_values["usepam"] = ["yes"]

    return breaks


def limit_session(name: str, value: int) -> Callable[[Setup], None]:
    number = getattr(resource, f"RLIMIT_{name}")
    return lambda setup: setup.patch.setattr(
        resource, "getrlimit", lambda which: (value, value if which == number else resource.RLIM_INFINITY)
    )


def fill_disk(blocks: int, inodes: int) -> Callable[[Setup], None]:
    values = SimpleNamespace(f_bavail=blocks, f_frsize=4096, f_files=10**7, f_favail=inodes)
    return lambda setup: setup.patch.setattr(state_checks.os, "statvfs", lambda _: values)


def read_only_disk(setup: Setup) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system", str(setup.state))

    setup.patch.setattr(state_checks.jobdir, "create", refuse)


def require_sandbox(setup: Setup) -> None:
    setup.write_config("require_sandbox = true\n")
    setup.patch.setattr(sandbox, "filters_calls", lambda: False)


def replace_shell(path: str) -> Callable[[Setup], None]:
    def breaks(setup: Setup) -> None:
        find = module.accounts.find

        def with_shell(name: str | None = None) -> object:
            import dataclasses

            return dataclasses.replace(find(name), shell=path)

        setup.patch.setattr(module.accounts, "find", with_shell)

    return breaks


def other_architecture(setup: Setup) -> None:
    """An ELF header of a machine that does not exist."""
    setup.engine.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xff\xfe" + bytes(100))


def own_keys(setup: Setup) -> None:
    os.chown(setup.keys, 54321, 0)


#: What is wrong → how it is broken, the check that fails, and words of its message.
CASES: dict[str, tuple[Callable[[Setup], None], str, str]] = {
    "state missing": (lambda s: shutil.rmtree(s.state), "state", "does not exist"),
    "state open to others": (chmod("", 0o755), "state", "mode 0700"),
    "state of another user": (lambda s: os.chown(s.state, 0, 0), "state", "owned by uid 0"),
    "state not writable": (chmod("", 0o500), "state", "mode 0700"),
    "slots not searchable": (chmod("slots", 0o600), "state", "slots"),
    "work of another user": (lambda s: os.chown(s.state / "work", 0, 0), "state", "work"),
    "client's directory without permissions": (chmod("clients/a", 0), "state", "clients/a"),
    "work is a file": (replace_in_state("work", Path.touch), "state", "must be a directory"),
    "slots is a link": (replace_in_state("slots", lambda p: p.symlink_to("work")), "state", "must be a directory"),
    "slot is a FIFO": (replace_in_state("slots/slot-0", os.mkfifo), "state", "must be a file"),
    "slot of another user": (lambda s: (s.state / "slots/slot-0").touch(mode=0o600), "state", "slot-0"),
    "token of a client is a link": (
        replace_in_state("clients/a/waiting/slot-0", lambda p: p.symlink_to("/dev/zero")), "state", "must be a file"),
    "state on a read-only disk": (read_only_disk, "work", "Read-only"),
    "disk full": (fill_disk(10, 10**6), "room", "too little"),
    "no inodes": (fill_disk(10**7, 2), "room", "too little"),
    "sshd not running": (close_sshd, "sshd", "does not answer"),
    "MaxSessions 0": (sshd_value("maxsessions", "0"), "sshd", "MaxSessions is 0"),
    "AllowUsers without the user": (sshd_value("allowusers", "root"), "sshd", "AllowUsers"),
    "ForceCommand": (sshd_value("forcecommand", "/bin/true"), "sshd", "ForceCommand"),
    "sshd's configuration invalid": (
        lambda s: (s.folder / "sshd_config").write_text("NoSuchKeyword yes\n"), "sshd", "sshd -T"),
    "no login": (forbid_logins, "login", "only root can log in"),
    "account expired": (lambda s: s.shadow(f"USER:*:19000:0:99999:7::{DAY_IN_THE_PAST}:"), "login", "has expired"),
    "account locked": (lambda s: s.shadow("USER:!:19000:0:99999:7:::"), "login", "locked"),
    "shell nologin": (replace_shell("/usr/sbin/nologin"), "shell", "does not run a command"),
    "shell missing": (replace_shell("/none/sh"), "shell", "/none/sh"),
    "process limit of PAM": (limit_by_pam("USER hard nproc 1"), "limits", "nproc is 1"),
    "file size limit of PAM": (limit_by_pam("* - fsize 10"), "limits", "fsize is 10,240"),
    "RLIMIT_NOFILE": (limit_session("NOFILE", 10), "limits", "nofile is 10"),
    "RLIMIT_AS": (limit_session("AS", 10**6), "limits", "as is 1,000,000"),
    "RLIMIT_NPROC": (limit_session("NPROC", 2), "limits", "nproc is 2"),
    "key expired": (key_option('expiry-time="20200101"'), "key file", "no key can log in"),
    "no key": (lambda s: s.keys.write_text("# none\n"), "key file", "no key can log in"),
    "keys missing": (lambda s: s.keys.unlink(), "key file", "no key is authorized"),
    "keys writable by others": (chmod("../keys", 0o666), "key file", "other users may write"),
    "keys of another user": (own_keys, "key file", "belongs to neither"),
    "keys not readable": (chmod("../keys", 0o600), "key file", "sshd reads it as the user"),
    "directory of keys not searchable": (lambda s: s.folder.chmod(0o700), "key file", "sshd reads it as the user"),
    "program not readable": (
        lambda s: s.change_keys(f"-I {s.sshd.app}", "-I /root/solvehost"), "program", "cannot run"),
    "wrong program in command=": (
        lambda s: s.change_keys(f"-I {s.sshd.app}", "-I /none/app"), "key 1", "does not start solvehost"),
    "key without restrict": (lambda s: s.change_keys("restrict,", ""), "key 1", "restrict"),
    "mistyped flag in command=": (lambda s: s.change_keys("--client", "--cleint"), "key 1", "--cleint"),
    "mistyped setting": (config_line("slot = 2"), "configuration", "slot"),
    "setting out of range": (config_line("slots = 0"), "configuration", "slots"),
    "no engine": (lambda s: s.engine.unlink(), "engine", "astrometry-engine"),
    "engine not executable": (chmod("../astrometry-engine", 0o644), "engine", "astrometry-engine"),
    "engine for another architecture": (other_architecture, "engine", "Exec format error"),
    "no index file": (lambda s: s.index.unlink(), "index files", "no index file was found"),
    "only a damaged index file": (lambda s: s.index.write_bytes(b"SIMPLE"), "index files", "no index file was found"),
    "index files not readable": (chmod("../index-1.fits", 0o600), "index files", "no index file was found"),
    "required confinement missing": (require_sandbox, "sandbox", "cannot confine"),
}  # fmt: skip


def test_the_set_up_itself_passes(setup: Setup) -> None:
    """So a failure of a case is due to what the case breaks."""
    assert [(found.name, found.detail) for found in setup.check().checks if found.ok is False] == []


@pytest.mark.parametrize("case", CASES)
def test_a_broken_set_up_is_named_with_a_remedy(case: str, setup: Setup) -> None:
    """The exit code is not 0, and one fault is reported once."""
    breaks, name, words = CASES[case]
    breaks(setup)
    report = setup.check()
    failed = [found for found in report.checks if found.ok is False]
    setup.folder.chmod(0o755)
    assert any(found.name == name and words in found.detail for found in failed), report
    assert report.exit_code != 0
    assert [found for found in failed if not found.remedy] == []
    assert len({found.detail for found in failed}) == len(failed)
    assert sum(words in found.detail for found in report.checks) == 1, "told once"


def test_leftovers_of_killed_jobs_are_named(setup: Setup) -> None:
    left = setup.state / "work" / ".new-1-00"
    left.mkdir(mode=0o700)
    setup.sshd.give(left)
    report = setup.check()
    (found,) = [found for found in report.checks if found.name == "leftovers"]
    assert (found.ok, found.remedy, report.exit_code) == (None, "solvehost gc", 0)
    assert "1 directory" in found.detail
    assert left.exists(), "a check removes nothing"


def test_nothing_is_left_behind(setup: Setup) -> None:
    before = sorted(setup.state.rglob("*"))
    setup.check()
    after = sorted(path for path in setup.state.rglob("*") if path.parent.name != "slots")
    assert after == before
