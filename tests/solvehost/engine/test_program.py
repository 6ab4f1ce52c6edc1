"""Finding the engine's program."""

from __future__ import annotations

from pathlib import Path

import pytest
import standin

from solvehost.engine.program import find_engine
from solvehost.errors import UnavailableError


def test_an_engine_is_found_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = standin.install(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_engine() == program
    assert find_engine(str(program)) == program


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = standin.install(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert find_engine("./astrometry-engine") == program


@pytest.mark.parametrize("name", ["astrometry-engine", "/no/such/engine"])
def test_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"was not found: install it .*apt install astrometry\.net"):
        find_engine(name)
