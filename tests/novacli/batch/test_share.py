"""The units for systemd, held to systemd and to the command that they start."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest

import novacli
from novacli.cli.commands.batch import command
from novacli.cli.watchargs import watch_settings

SHARE = Path(novacli.__file__).parent / "share"
UNITS = (
    "nova-watch.service",
    "nova-batch.service",
    "nova-batch.timer",
    "nova-web.service",
    "nova-web-work.service",
)
BATCH_SERVICES = UNITS[:2]


def test_the_list_of_units_is_complete() -> None:
    assert sorted(path.name for path in SHARE.iterdir()) == sorted(UNITS)


def _verify(folder: Path, name: str) -> tuple[int, str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt install systemd)")
    env = {"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{folder}:", "HOME": str(folder)}
    done = subprocess.run(
        [program, "verify", "--man=no", str(folder / name)],
        env=env, capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", UNITS)
def test_units_pass_systemd(name: str, tmp_path: Path) -> None:
    for each in UNITS:
        text = re.sub(r"/opt/nova/bin/nova(-web)?", str(shutil.which("true")), (SHARE / each).read_text())
        (tmp_path / each).write_text(text)
    assert _verify(tmp_path, name) == (0, "")
    (tmp_path / name).write_text(f"{(tmp_path / name).read_text()}\n[Unit]\nDescriptoin=x\n")
    assert "Descriptoin" in _verify(tmp_path, name)[1], "else the check above would see nothing"


@pytest.mark.parametrize("name", BATCH_SERVICES)
def test_the_commands_in_the_units_are_valid(name: str) -> None:
    found = re.search(r"^ExecStart=/opt/nova/bin/nova batch (.*)$", (SHARE / name).read_text(), re.MULTILINE)
    assert found is not None
    assert isinstance(command, click.Group)
    raw: dict[str, Any] = command.commands["run"].make_context("run", shlex.split(found[1])).params
    assert raw["paths"] == ("/data/new",)
    assert (watch_settings(raw) is not None) is (name == "nova-watch.service")


@pytest.mark.parametrize("name", UNITS)
def test_each_unit_tells_its_path(name: str) -> None:
    assert (SHARE / name).read_text().startswith(f"# /etc/systemd/system/{name}\n")
