"""Settings: flag > environment > file > default, and each knows its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from novacli import config
from novacli.config import KEYS, SettingOrigin
from novacli.errors import ConfigError

#: For each key: a value in the file, one in the environment, and what both become.
VALUES: dict[str, tuple[str, Any, str, Any]] = {
    "jobs_dir": ('"/f/jobs"', Path("/f/jobs"), "/e/jobs", Path("/e/jobs")),
    "keep_days": ("30", 30.0, "7.5", 7.5),
    "keep_jobs": ("100", 100, "200", 200),
    "engine": ('"/f/engine"', "/f/engine", "engine-2", "engine-2"),
    "engine_config": ('"/f/a.cfg"', Path("/f/a.cfg"), "/e/a.cfg", Path("/e/a.cfg")),
    "index": ('["/f/a", "/f/b"]', ("/f/a", "/f/b"), "/e/a:/e/b", ("/e/a", "/e/b")),
    "slots": ("3", 3, "4", 4),
    "slots_dir": ('"/f/slots"', Path("/f/slots"), "/e/slots", Path("/e/slots")),
    "timeout_s": ("12.5", 12.5, "60", 60.0),
    "learn": ("false", False, "off", False),
    "patterns": ("false", False, "yes", True),
    "ssh": ('"/f/ssh"', "/f/ssh", "ssh-2", "ssh-2"),
    "api_key_file": ('"/f/key"', Path("/f/key"), "/e/key", Path("/e/key")),
    "public": ("true", True, "no", False),
    "pools": ('{a = ["s1", "s2"]}', {"a": ("s1", "s2")}, "b=s1, s3;c=s4", {"b": ("s1", "s3"), "c": ("s4",)}),
}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment with a home and nothing else."""
    return {"HOME": str(tmp_path)}


def write_config(env: dict[str, str], text: str | bytes) -> Path:
    path = Path(env["HOME"], ".config", "nova", "config.toml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_every_key_is_tried_here() -> None:
    assert set(VALUES) == {key.name for key in KEYS}


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_flag_beats_environment_beats_file_beats_default(key: config.Key, env: dict[str, str]) -> None:
    in_file, from_file, in_env, from_env = VALUES[key.name]
    default = config.load(env).settings[key.name]
    assert default.source == "default"
    path = write_config(env, f"{key.name} = {in_file}\n")
    assert config.load(env).settings[key.name] == config.Setting(from_file, str(path), SettingOrigin.FILE)
    env[key.variable] = in_env
    loaded = config.load(env)
    assert loaded.settings[key.name] == config.Setting(from_env, f"${key.variable}", SettingOrigin.ENVIRONMENT)
    assert loaded.replaced("--flag", **{key.name: from_file}).settings[key.name].source == "--flag"
    env[key.variable] = ""
    assert config.load(env)[key.name] == from_file, "an empty variable says nothing"


def test_a_flag_that_was_not_given_changes_nothing(env: dict[str, str]) -> None:
    loaded = config.load(env)
    assert loaded.replaced("--timeout", timeout_s=None).settings == loaded.settings


def test_defaults_lie_under_home(env: dict[str, str], tmp_path: Path) -> None:
    assert config.config_file(env) == tmp_path / ".config/nova/config.toml"
    assert config.load(env)["jobs_dir"] == tmp_path / ".local/share/nova/jobs"


def test_xdg_directories_are_kept_where_they_are_absolute(env: dict[str, str], tmp_path: Path) -> None:
    """As the XDG base directory specification says, a relative one is ignored."""
    env |= {"XDG_CONFIG_HOME": "/xdg/config", "XDG_DATA_HOME": "/xdg/data", "XDG_RUNTIME_DIR": str(tmp_path)}
    assert config.config_file(env) == Path("/xdg/config/nova/config.toml")
    assert config.load(env)["jobs_dir"] == Path("/xdg/data/nova/jobs")
    assert config.load(env)["slots_dir"] == tmp_path / "nova/slots"
    env |= {"XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "data", "XDG_RUNTIME_DIR": "run"}
    assert config.config_file(env) == tmp_path / ".config/nova/config.toml"
    assert config.load(env)["jobs_dir"] == tmp_path / ".local/share/nova/jobs"
    assert not config.load(env)["slots_dir"].is_relative_to(tmp_path)


def test_a_home_in_a_path_is_expanded(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    write_config(env, 'jobs_dir = "~/jobs"\nindex = ["~/indexes"]')
    loaded = config.load(env)
    assert loaded["jobs_dir"] == Path("/home/ada/jobs")
    assert loaded["index"] == ("/home/ada/indexes",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", r"config\.toml: unknown key 'colour': nova config show lists the keys"),
        ("[jobs]\ndir = 1", "unknown key 'jobs'"),
        ("timeout_s = 'soon'", r"config\.toml: timeout_s = 'soon': could not convert"),
        ("timeout_s = 0", "timeout_s = 0: it must be above zero"),
        ("timeout_s = true", "timeout_s = True: it must be a number"),
        ("timeout_s = inf", "timeout_s = inf: it must be above zero"),
        ("timeout_s = nan", "timeout_s = nan: it must be above zero"),
        ("slots = true", "slots = True: it must be a number"),
        ("slots = 0", "slots = 0: it must be a whole number, 1 or more"),
        ("slots = 1.5", "slots = 1.5: it must be a whole number"),
        ("slots = inf", "slots = inf: cannot convert float infinity"),
        ("slots = []", "slots = "),
        ("jobs_dir = 3", "jobs_dir = 3: it must be a path"),
        ("jobs_dir = ''", "jobs_dir = '': it must be a path"),
        ("jobs_dir = '~nobody-of-that-name/x'", "jobs_dir = '~nobody-of-that-name/x': Could not determine home"),
        ("index = [1]", "it must be a list of paths"),
        ("engine = ['a']", "it must be text"),
        ("timeout_s = \n", r"config\.toml: .*line 1.*correct the file"),
        (b"engine = '\xff'", r"config\.toml: .*can't decode byte 0xff.*correct the file"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(env: dict[str, str], text: str | bytes, message: str) -> None:
    write_config(env, text)
    with pytest.raises(ConfigError, match=message) as caught:
        config.load(env)
    assert caught.value.exit_code == 78
    assert "\n" not in str(caught.value)


def test_a_wrong_variable_is_named(env: dict[str, str]) -> None:
    env["NOVA_SLOTS"] = "many"
    with pytest.raises(ConfigError, match=r"^\$NOVA_SLOTS: slots = 'many'"):
        config.load(env)


def test_a_file_that_was_named_must_be_there(env: dict[str, str], tmp_path: Path) -> None:
    """The usual one need not, and an empty variable names none."""
    env["NOVA_CONFIG"] = str(tmp_path / "other.toml")
    with pytest.raises(ConfigError, match=r"other\.toml: no such file: check \$NOVA_CONFIG"):
        config.load(env)
    env["NOVA_CONFIG"] = ""
    assert config.load(env)["timeout_s"] == 300


def test_a_file_that_cannot_be_read_is_named(env: dict[str, str], tmp_path: Path) -> None:
    env["NOVA_CONFIG"] = str(tmp_path)
    with pytest.raises(ConfigError, match="Is a directory"):
        config.load(env)


def test_a_user_without_a_home_directory_is_told_which_settings_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run under a user id that is in no user database."""

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(ConfigError, match="no home directory: set HOME, or all of XDG_CONFIG_HOME") as caught:
        config.load({})
    assert caught.value.exit_code == 78


def test_no_home_directory_is_needed_if_all_folders_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: pytest.fail("the home directory was looked for"))
    names = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
    loaded = config.load({name: str(tmp_path / name) for name in names})
    assert loaded["jobs_dir"] == tmp_path / "XDG_DATA_HOME" / "nova" / "jobs"
    assert loaded.folders.rigs_file == tmp_path / "XDG_STATE_HOME" / "nova" / "rigs.json"


def test_a_loaded_configuration_does_not_follow_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "first"))
    loaded = config.load()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "second"))
    assert loaded.folders.state == tmp_path / "first" / "nova"


def test_a_configuration_holds_no_other_part_of_the_environment() -> None:
    """It travels to the workers of a batch; secrets must not travel with it."""
    loaded = config.load({"HOME": "/home/me", "TOKEN": "secret"})
    assert "secret" not in repr(loaded)
