"""Which engine and which index files the settings name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from novacli import config
from novacli.indexes.places import index_places, installed_engine, own_folder


def write_engine_config(path: Path, folder: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"add_path {folder}\nautoindex\n")
    return path


def test_named_index_files_go_before_the_engine_s_configuration(tmp_path: Path) -> None:
    engine_config = write_engine_config(tmp_path / "a.cfg", tmp_path / "from-config")
    settings = config.load().replaced("--engine-config", engine_config=engine_config)
    assert index_places(settings, None) == (tmp_path / "from-config",)
    assert index_places(settings.replaced("--index", index=("/named",)), None) == (Path("/named"),)


def test_the_configuration_beside_the_engine_is_found(tmp_path: Path) -> None:
    """As in a conda environment: bin/astrometry-engine, etc/astrometry.cfg."""
    write_engine_config(tmp_path / "etc" / "astrometry.cfg", tmp_path / "data")
    assert index_places(config.load(), tmp_path / "bin" / "astrometry-engine") == (tmp_path / "data",)


def test_the_engine_that_the_settings_name_is_found(stand_in: Callable[[str], Path]) -> None:
    engine = stand_in("exit 0")
    assert installed_engine(config.load()) == engine


def test_there_is_no_path_to_an_engine_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert installed_engine(config.load()) is None


def test_the_folder_of_downloads_is_searched_by_itself(tmp_path: Path) -> None:
    """Beside those of the engine's configuration, once it exists; not if the user names all places."""
    engine_config = write_engine_config(tmp_path / "a.cfg", tmp_path / "from-config")
    settings = config.load({"HOME": str(tmp_path)}).replaced("--engine-config", engine_config=engine_config)
    own = own_folder(settings)
    assert index_places(settings, None) == (tmp_path / "from-config",)
    own.mkdir(parents=True)
    assert index_places(settings, None) == (tmp_path / "from-config", own)
    assert index_places(settings.replaced("--index", index=("/named",)), None) == (Path("/named"),)
