"""The check of the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from novacli.config import Config
from novacli.doctor import engine


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_an_engine_that_does_not_start_fails_the_check(settings: Config, tmp_path: Path) -> None:
    path = script(tmp_path / "engine", "echo libcfitsio.so.10: cannot open; exit 127")
    (check,) = engine.check_engine(settings.replaced("test", engine=str(path)))
    assert (check.ok, check.detail) == (False, f"{path} does not start: libcfitsio.so.10: cannot open")
    assert check.remedy


def test_an_engine_that_hangs_fails_the_check(
    settings: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_START_TIMEOUT_S", 0.2)
    path = script(tmp_path / "engine", "sleep 60")
    (check,) = engine.check_engine(settings.replaced("test", engine=str(path)))
    assert (check.ok, "did not end" in check.detail) == (False, True)
