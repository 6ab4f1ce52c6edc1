"""The server's settings: flags, file, defaults, and messages about invalid ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from solvehost.errors import CommandLineError, ConfigError
from solvehost.server import settings
from solvehost.server.settings import KEYS, load, parse_flags


@pytest.fixture(autouse=True)
def no_file_of_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "DEFAULT_FILE", tmp_path / "none.toml")


def test_defaults_apply_without_flags_and_file() -> None:
    found = load({})
    assert (found.state, found.client, found.queue_wait) == (Path("/var/lib/solvehost"), "default", 300.0)
    assert found.slots >= 1


def test_a_flag_overrides_the_file_and_the_file_overrides_the_default(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('slots = 3\nqueue_wait = 10\nlog = "stderr"\n')
    found = load(parse_flags(["--config", str(file), "--slots", "5", "--client=nova1"]))
    assert (found.slots, found.queue_wait, found.log, found.client) == (5, 10.0, "stderr", "nova1")


def test_every_setting_is_a_flag() -> None:
    values = {"state": "/s", "client": "c", "engine": "/e", "engine_config": "/c", "log": "/log", "slots": "2"}
    for key in KEYS:
        if key.parse is settings._flag:
            assert getattr(load(parse_flags([key.flag])), key.name) is True
        else:
            text = values.get(key.name, "100")
            assert str(getattr(load(parse_flags([key.flag, text])), key.name)).removesuffix(".0") == text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sta", "/x"], "there is no option '--sta'"),
        (["job"], "there is no command 'job'"),
        (["--slots"], "--slots needs a value"),
        (["--slots", "1", "--slots", "2"], "--slots is given twice"),
        (["--require-sandbox=yes"], "--require-sandbox takes no value"),
        (["--slots", "two"], "--slots is 'two': "),
        (["--slots", "1.5"], "--slots is '1.5': it must be a whole number"),
        (["--slots", "0"], "--slots is '0': it must be from 1 to"),
        (["--queue-wait", "nan"], "--queue-wait is 'nan': it must be from"),
        (["--state", "relative"], "--state is 'relative': it must be an absolute path"),
        (["--client", "../x"], "--client is '../x': it must be 1 to 64 of"),
        (["--log", "nowhere"], "--log is 'nowhere': it must be stderr, syslog"),
    ],
)
def test_an_invalid_flag_is_a_usage_error(words: list[str], message: str) -> None:
    with pytest.raises(CommandLineError, match="^" + message.replace("(", r"\(")):
        load(parse_flags(words))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slot = 3", "unknown key 'slot': the keys are state, client"),
        ("slots = true", "slots is True: it must be a number"),
        ("require_sandbox = 1", "require_sandbox is 1: it must be true or false"),
        ("slots = ", "correct the file"),
        ('state = "x"', "state is 'x': it must be an absolute path"),
    ],
)
def test_an_invalid_file_is_a_configuration_error(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "s.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load({"config": str(file)})


def test_a_file_named_by_a_flag_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        load({"config": str(tmp_path / "none.toml")})
