"""``nova`` as a function, in a home of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from novacli.cli.main import main


@dataclass(frozen=True, slots=True)
class Ran:
    """What a call of ``nova`` came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home with no setting from outside."""
    for name in [n for n in os.environ if n.startswith(("NOVA_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NOVA_SLOTS_DIR", str(tmp_path / "slots"))
    return tmp_path


@pytest.fixture
def jobs(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The jobs directory, not there yet."""
    monkeypatch.setenv("NOVA_JOBS", str(home / "jobs"))
    return home / "jobs"


@pytest.fixture
def nova(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run ``nova`` with these arguments, its output captured (no terminal)."""

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["nova", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return Ran(int(left.value.code or 0), out, err)

    return run
