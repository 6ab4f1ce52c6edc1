"""Reading the engine's configuration: which directories and index files it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from solvehost.errors import ConfigError
from solvehost.indexes.engine_config import config_candidates, configured_places, places_of_config


def write_config(folder: Path, text: str) -> Path:
    path = folder / "engine.cfg"
    path.write_text(text)
    return path


def test_autoindex_takes_the_directories(tmp_path: Path) -> None:
    """Comments and other settings are ignored; a path may contain blanks."""
    config = write_config(tmp_path, "# add_path /not\ninparallel\n  add_path /a b/c  \n\nadd_path /d\nautoindex\n")
    assert places_of_config(config) == (Path("/a b/c"), Path("/d"))


def test_named_index_files_are_looked_up_in_the_directories(tmp_path: Path) -> None:
    """With or without ``.fits``, in the first directory that has the file; absolute names are taken as they are."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (two / "index-b.fits").touch()
    (two / "index-a").touch()
    text = f"add_path {one}\nadd_path {two}\nindex index-a\nindex index-b\nindex /x/index-c.fits\nindex index-none\n"
    assert places_of_config(write_config(tmp_path, text)) == (
        two / "index-a",
        two / "index-b.fits",
        Path("/x/index-c.fits"),
        one / "index-none",
    )


def test_autoindex_and_named_files_add_up(tmp_path: Path) -> None:
    (tmp_path / "index-a.fits").touch()
    config = write_config(tmp_path, f"add_path {tmp_path}\nindex index-a\nautoindex\n")
    assert places_of_config(config) == (tmp_path, tmp_path / "index-a.fits")


def test_keywords_without_a_value_name_nothing(tmp_path: Path) -> None:
    assert places_of_config(write_config(tmp_path, "")) == ()
    assert places_of_config(write_config(tmp_path, "add_path\nindex\n#autoindex\n")) == ()


def test_bytes_that_are_not_utf_8_are_accepted(tmp_path: Path) -> None:
    config = tmp_path / "engine.cfg"
    config.write_bytes(b"# caf\xe9\nadd_path /a\n")
    assert places_of_config(config) == (Path("/a"),)


def test_a_missing_configuration_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.cfg: No such file .* cannot be read"):
        configured_places(tmp_path / "none.cfg", None)


def test_the_configuration_beside_the_engine_comes_first(tmp_path: Path) -> None:
    assert config_candidates(Path("/opt/x/bin/astrometry-engine"))[0] == Path("/opt/x/etc/astrometry.cfg")
    assert Path("/etc/astrometry.cfg") in config_candidates(None)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "astrometry.cfg").write_text("add_path /beside\n")
    assert configured_places(None, tmp_path / "bin" / "astrometry-engine") == (Path("/beside"),)
