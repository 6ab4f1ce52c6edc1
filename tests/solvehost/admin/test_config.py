"""solvehost config: each setting with its source, and the files that a sysadmin puts in place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import solvehost
from solvehost.admin import config
from solvehost.errors import ConfigError, UsageError
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


def test_a_wrong_setting_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("slot = 3\n")
    with pytest.raises(ConfigError, match="unknown key 'slot'"):
        config.show({"config": str(tmp_path / "s.toml")})


def test_the_default_file_holds_every_setting_as_a_comment(tmp_path: Path) -> None:
    text = config.default_toml()
    assert tomllib.loads(text) == {}
    assert re.findall(r"^#(\w+) = ", text, re.MULTILINE) == [key.name for key in settings.KEYS]
    assert all(key.meaning.split()[0] in text for key in settings.KEYS)


def test_what_the_default_file_shows_are_the_defaults(tmp_path: Path) -> None:
    """With every comment sign taken away, it says what holds without it."""
    path = tmp_path / "s.toml"
    path.write_text(re.sub(r"^#(\w+ = )", r"\1", config.default_toml(), flags=re.MULTILINE))
    stated = settings.load({"config": str(path)})._asdict()
    defaults = settings.load({"config": "/dev/null"})._asdict()
    different = {name for name, value in stated.items() if value != defaults[name]}
    assert different <= {"engine_config", "slots", "max_running"}, "those have no default of their own"


@pytest.mark.parametrize("name", config.FILES)
def test_every_file_can_be_printed(name: str) -> None:
    found = config.print_file(name)
    assert found.name == name
    assert found.text.startswith("#")


def test_nothing_else_can_be_printed() -> None:
    with pytest.raises(UsageError, match="none of the files"):
        config.print_file("../engine/exec_helper.py")


def test_every_file_of_the_share_directory_can_be_printed() -> None:
    share = Path(solvehost.__file__).with_name("share")
    assert {path.name for path in share.iterdir() if path.suffix != ".pyc"} == set(config.SHARED)
