"""Fixtures that every test may use: a clean environment, the real engine where it is installed, a real sshd."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import made_sshd
from solvehost.engine import program
from solvehost.errors import NovaError
from solvehost.indexes import engine_config, index_set

_XDG = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")


def pytest_configure() -> None:
    """Hear Ctrl-C, as a person's programs do: a shell has its jobs in the background ignore it, and what they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Take away what the caller set for nova, and keep every per-user directory below a fresh one, returned."""
    for name in os.environ:
        if name.startswith(("NOVA_", "XDG_")) and not name.startswith("NOVA_TEST_"):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    for name in _XDG:
        folder = home / name.lower()
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    return home


@pytest.fixture(scope="session")
def real_engine() -> Path:
    """The installed astrometry-engine."""
    try:
        return program.find_engine()
    except NovaError as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="session")
def real_indexes(real_engine: Path) -> index_set.IndexSet:
    """The index files that the installed engine's own configuration names."""
    config = next((c for c in engine_config.config_candidates(real_engine) if c.is_file()), None)
    if config is None:
        pytest.skip("the engine has no configuration (astrometry.cfg) that would name index files")
    found = index_set.scan(engine_config.places_of_config(config))
    if not found.files:
        pytest.skip(f"no index file is installed where {config} says (Debian: apt install astrometry-data-tycho2)")
    return found


@pytest.fixture(scope="session")
def sshd() -> Iterator[made_sshd.MadeSshd]:
    """A real sshd on loopback, with solvehost behind it; how to use it is told in made_sshd.py."""
    with made_sshd.start() as server:
        yield server
