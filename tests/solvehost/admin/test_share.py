"""The files for the sysadmin, held to the programs that read them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from solvehost.admin import config, programs

SHARE = Path(config.__file__).parents[1] / "share"


def _verify(units: Path, name: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt install systemd)")
    env = {"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{units}:", "HOME": str(units)}
    return subprocess.run(
        [program, "verify", "--man=no", name], env=env, capture_output=True, text=True, check=False, cwd=units
    )


@pytest.mark.parametrize("name", ["solvehost-gc.service", "solvehost-gc.timer"])
def test_units_pass_systemd(name: str, tmp_path: Path) -> None:
    for each in ("solvehost-gc.service", "solvehost-gc.timer"):
        shutil.copy(SHARE / each, tmp_path)
    done = _verify(tmp_path, str(tmp_path / name))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_slice_passes_systemd(tmp_path: Path) -> None:
    folder = tmp_path / "user-12345.slice.d"
    folder.mkdir()
    shutil.copy(SHARE / "user-slice.conf", folder / "solvehost.conf")
    done = _verify(tmp_path, "user-12345.slice")
    assert (done.returncode, done.stderr) == (0, "")
    (folder / "solvehost.conf").write_text("[Slice]\nMemoryMux=1\n")
    assert "MemoryMux" in _verify(tmp_path, "user-12345.slice").stderr, "otherwise the check above would find nothing"


@pytest.mark.sshd
def test_the_match_block_passes_sshd(tmp_path: Path) -> None:
    sshd = programs.find("sshd")
    if sshd is None or shutil.which("ssh-keygen") is None:
        pytest.skip("sshd is not installed (Debian: apt install openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # Debian's sshd refuses to start without it
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "host"], check=True)
    settings = tmp_path / "sshd_config"
    settings.write_text(f"HostKey {tmp_path}/host\n{config.print_file('sshd.conf').text}")
    for mode in (["-t"], ["-T", "-C", "user=solve,host=h,addr=192.0.2.1"]):
        done = subprocess.run([sshd, *mode, "-f", settings], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout.splitlines()
    assert {"authorizedkeysfile /etc/ssh/authorized_keys.d/%u", "permittty no", "maxsessions 64"} <= set(shown)


def test_logrotate_accepts_its_configuration(tmp_path: Path) -> None:
    program = programs.find("logrotate")
    if program is None:
        pytest.skip("logrotate is not installed (Debian: apt install logrotate)")
    text = (
        config.print_file("logrotate.conf")
        .text.replace("/var/log/solvehost", str(tmp_path))
        .replace("su solve", "su root")
    )
    (tmp_path / "conf").write_text(text)
    (tmp_path / "conf").chmod(0o644)
    done = subprocess.run(
        [program, "-d", "-s", tmp_path / "state", tmp_path / "conf"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr
