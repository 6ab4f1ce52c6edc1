"""The checks of memory and engine slots."""

from __future__ import annotations

from pathlib import Path

import pytest

from novacli.config import Config
from novacli.doctor import machine
from solvehost.engine.slots import Token, Tokens


def test_the_check_of_slots_counts_the_running_engines(settings: Config, tmp_path: Path) -> None:
    token = Tokens(tmp_path / "slots", 3).try_acquire()
    assert token is not None
    assert machine.check_slots(settings).detail == "3 engines may run at once, 1 running"
    token.release()
    assert machine.check_slots(settings).detail == "3 engines may run at once, none running"


def test_the_check_of_slots_takes_one_token_only(
    settings: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A race that borrows tokens meanwhile still finds some."""
    held: list[int] = []
    real_release = Token.release
    monkeypatch.setattr(
        Token, "release", lambda t: (held.append(Tokens(tmp_path / "slots", 3).count_held()), real_release(t))[1]
    )
    assert machine.check_slots(settings).ok
    assert held == [1]


def test_a_slots_directory_that_is_a_file_fails_the_check(settings: Config, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert machine.check_slots(settings.replaced("test", slots_dir=tmp_path / "file")).ok is False


@pytest.mark.parametrize(("free_bytes", "ok"), [(20_000_000_000, True), (500_000_000, None), (None, True)])
def test_little_free_memory_gives_a_remark(
    monkeypatch: pytest.MonkeyPatch, free_bytes: int | None, ok: bool | None
) -> None:
    monkeypatch.setattr(machine, "_memory_bytes", lambda: (free_bytes, 24_000_000_000))
    assert machine.check_memory().ok is ok
