"""The check of the database of star patterns, and its repair."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from novacli.config import Config
from novacli.doctor import patterns
from novacli.errors import UnavailableError
from novacli.matchers import database


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Pretend that the package is installed; a database that it makes is a file with one word."""
    paths: list[Path] = []

    def make(path: Path) -> None:
        paths.append(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("whole")

    def load(path: Path) -> SimpleNamespace:
        if path.read_text() != "whole":
            raise UnavailableError(f"{path}: damaged")
        return SimpleNamespace()

    monkeypatch.setattr(database, "is_package_installed", lambda: True)
    monkeypatch.setattr(database, "make", make)
    monkeypatch.setattr(database, "load", load)
    return paths


def test_without_the_package_the_check_says_how_to_install_it(
    settings: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "is_package_installed", lambda: False)
    check = patterns.check_patterns(settings)
    assert check.ok is None
    assert "pip install 'novacli[patterns]'" in check.remedy
    patterns.repair(settings)
    assert not database.database_file(settings.folders).exists()


def test_a_missing_database_is_made_once(settings: Config, made: list[Path]) -> None:
    assert "nova doctor --fix" in patterns.check_patterns(settings).remedy
    patterns.repair(settings)
    patterns.repair(settings)
    assert made == [database.database_file(settings.folders)]
    assert patterns.check_patterns(settings).ok is True


def test_a_damaged_database_is_made_again(settings: Config, made: list[Path]) -> None:
    file = database.database_file(settings.folders)
    file.parent.mkdir(parents=True)
    file.write_text("half")
    assert patterns.check_patterns(settings).ok is None
    patterns.repair(settings)
    assert patterns.check_patterns(settings).ok is True


def test_nothing_is_made_if_star_patterns_are_switched_off(settings: Config, made: list[Path]) -> None:
    off = settings.replaced("test", patterns=False)
    assert patterns.check_patterns(off).ok is True
    patterns.repair(off)
    assert not made
