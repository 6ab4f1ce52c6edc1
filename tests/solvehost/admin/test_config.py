"""``solvehost config`` shows each setting with its source, and prints files to install."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import solvehost
from solvehost.admin import config
from solvehost.errors import CommandLineError, ConfigError
from solvehost.server import settings


def test_every_setting_is_shown_with_its_source(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text('slots = 3\nkeep = 2\nlog = "stderr"\n')
    rows = {row.name: row for row in config.show({"config": str(path), "slots": "5"}).rows}
    assert list(rows) == [key.name for key in settings.KEYS]
    assert (rows["slots"].value, rows["slots"].source) == (5, "flag")
    assert (rows["keep"].value, rows["keep"].source) == (2.0, str(path))
    assert (rows["max_wall"].value, rows["max_wall"].source) == (300.0, "default")
    assert rows["state"].value == "/var/lib/solvehost"


def test_an_invalid_setting_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("slot = 3\n")
    with pytest.raises(ConfigError, match="unknown key 'slot'"):
        config.show({"config": str(tmp_path / "s.toml")})


def test_the_default_file_has_every_setting_as_a_comment(tmp_path: Path) -> None:
    text = config.default_toml()
    assert tomllib.loads(text) == {}
    assert re.findall(r"^#(\w+) = ", text, re.MULTILINE) == [key.name for key in settings.KEYS]
    assert all(key.meaning.split()[0] in text for key in settings.KEYS)


def test_the_default_file_shows_the_defaults(tmp_path: Path) -> None:
    """With all settings uncommented, the settings are the same as without the file."""
    path = tmp_path / "s.toml"
    path.write_text(re.sub(r"^#(\w+ = )", r"\1", config.default_toml(), flags=re.MULTILINE))
    stated = settings.load({"config": str(path)})._asdict()
    defaults = settings.load({"config": "/dev/null"})._asdict()
    different = {name for name, value in stated.items() if value != defaults[name]}
    assert different <= {"engine_config", "slots", "max_running"}, "these have no fixed default"


@pytest.mark.parametrize("name", config.FILES)
def test_every_file_can_be_printed(name: str) -> None:
    found = config.print_file(name)
    assert found.name == name
    assert found.text.startswith("#")


def test_other_files_cannot_be_printed() -> None:
    with pytest.raises(CommandLineError, match="there is no file"):
        config.print_file("../engine/exec_helper.py")


def test_every_file_of_the_share_directory_can_be_printed() -> None:
    share = Path(solvehost.__file__).with_name("share")
    assert {path.name for path in share.iterdir() if path.suffix != ".pyc"} == set(config.SHARED)
