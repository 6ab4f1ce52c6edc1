"""Settings: flag > environment > config.toml > default; each value knows where it came from.

Every key is defined once, in ``KEYS``.  Nothing is read at import.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from novacli.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: its name in config.toml, its environment variable, how to read it, its default, what it means."""

    name: str
    variable: str
    parse: Callable[[Any], Any]
    default: Callable[[Mapping[str, str]], Any]
    meaning: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it came from: ``default``, a file's path, ``$VARIABLE`` or a flag."""

    value: Any
    source: str


@dataclass(frozen=True, slots=True)
class Config:
    """All settings, by name, frozen."""

    settings: Mapping[str, Setting]
    file: Path

    def __getitem__(self, name: str) -> Any:
        return self.settings[name].value

    def replaced(self, flag: str, **values: Any) -> Config:
        """Return a copy in which values that are not None are set by a command-line flag."""
        new = {k: Setting(v, flag) for k, v in values.items() if v is not None}
        return Config({**self.settings, **new}, self.file)


def _home(env: Mapping[str, str], variable: str, fallback: str) -> Path:
    stated = env.get(variable, "")
    base = Path(stated) if stated.startswith("/") else Path(env.get("HOME", "") or Path.home(), fallback)
    return base / "nova"


def config_file(env: Mapping[str, str]) -> Path:
    """Return the configuration's path: $NOVA_CONFIG, else under $XDG_CONFIG_HOME."""
    stated = env.get("NOVA_CONFIG")
    return Path(stated) if stated else _home(env, "XDG_CONFIG_HOME", ".config") / "config.toml"


def cache_dir(env: Mapping[str, str]) -> Path:
    """Return where what can be asked for again is kept."""
    return _home(env, "XDG_CACHE_HOME", ".cache")


def rigs_file(env: Mapping[str, str]) -> Path:
    """Return where it is kept what solved frames taught about each camera."""
    return _home(env, "XDG_STATE_HOME", ".local/state") / "rigs.json"


def batches_dir(env: Mapping[str, str]) -> Path:
    """Return where batches keep what they know of their frames, unless told otherwise."""
    return _home(env, "XDG_STATE_HOME", ".local/state") / "batches"


def runtime_dir(env: Mapping[str, str]) -> Path:
    """Return where sockets and locks of this machine and user are kept; it need not be there."""
    runtime = env.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/") and os.access(runtime, os.W_OK):
        return Path(runtime) / "nova"
    return Path(tempfile.gettempdir()) / f"nova-{os.getuid()}"


def _slots_dir(env: Mapping[str, str]) -> Path:
    """Tokens belong to a machine, so never under a home that other machines share."""
    return runtime_dir(env) / "slots"


def _positive(value: Any) -> float:
    number = float(_not_a_flag(value))
    if not 0 < number < 1e9:
        raise ValueError("it must be above zero")
    return number


def _not_a_flag(value: Any) -> Any:
    """Refuse true and false, which Python counts as 1 and 0."""
    if isinstance(value, bool):
        raise TypeError("it must be a number")
    return value


def _count(value: Any) -> int:
    number = int(_not_a_flag(value))
    if number != float(value) or not 1 <= number <= 10**7:
        raise ValueError("it must be a whole number, 1 or more")
    return number


def _path(value: Any) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("it must be a path")
    return Path(value).expanduser()


def _paths(value: Any) -> tuple[str, ...]:
    items = value.split(os.pathsep) if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(i, str) for i in items):
        raise ValueError("it must be a list of paths")
    return tuple(str(Path(i).expanduser()) for i in items if i)


def _flag(value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    found = words.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise ValueError("it must be true or false")
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("it must be text")
    return value


_POOL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _pools(value: Any) -> dict[str, tuple[str, ...]]:
    """Return the members of each pool; text has them as ``name=a,b;other=c``."""
    if isinstance(value, str):
        parts = (part.partition("=") for part in value.split(";") if part.strip())
        value = {name.strip(): members.split(",") for name, _, members in parts}
    if not isinstance(value, dict) or not all(isinstance(members, list | tuple) for members in value.values()):
        raise ValueError("it must be a table of lists of hosts")
    for name, members in value.items():
        if not _POOL_NAME.fullmatch(name) or name == "local":
            raise ValueError(f"a pool cannot be called {name!r}")
        if not members or not all(isinstance(m, str) and m.strip() for m in members):
            raise ValueError(f"{name} must be a list of hosts")
    return {name: tuple(member.strip() for member in members) for name, members in value.items()}


def _no_value(_env: Mapping[str, str]) -> None:
    return None


def _cores(_env: Mapping[str, str]) -> int:
    from solvehost.engine.slots import default_slots

    return default_slots()


KEYS = (
    Key("jobs_dir", "NOVA_JOBS", _path, lambda e: _home(e, "XDG_DATA_HOME", ".local/share") / "jobs",
        "where job directories are kept"),
    Key("keep_days", "NOVA_KEEP_DAYS", _positive, lambda _e: 90.0,
        "jobs that nobody has touched for so many days are removed"),
    Key("keep_jobs", "NOVA_KEEP_JOBS", _count, lambda _e: 50_000, "at most so many finished jobs are kept"),
    Key("engine", "NOVA_ENGINE", _text, lambda _e: "astrometry-engine", "the engine's name or path"),
    Key("engine_config", "NOVA_ENGINE_CONFIG", _path, _no_value, "the engine's configuration, which names index files"),
    Key("index", "NOVA_INDEX", _paths, lambda _e: (), "index directories or files, in place of the configuration's"),
    Key("slots", "NOVA_SLOTS", _count, _cores, "how many engines may run at once on this machine"),
    Key("slots_dir", "NOVA_SLOTS_DIR", _path, _slots_dir, "where the tokens of running engines are kept"),
    Key("timeout_s", "NOVA_TIMEOUT", _positive, lambda _e: 300.0, "wall-clock seconds an image may take"),
    Key("learn", "NOVA_LEARN", _flag, lambda _e: True, "whether solved frames teach the hints for the next ones"),
    Key("ssh", "NOVA_SSH", _text, lambda _e: "ssh", "the ssh program's name or path"),
    Key("pools", "NOVA_POOLS", _pools, lambda _e: {}, "names for several solve servers, each a list of hosts"),
)  # fmt: skip


def load(env: Mapping[str, str] | None = None) -> Config:
    """Return the settings from the environment, the configuration file and the defaults.

    Raises
    ------
    ConfigError
        Where the file cannot be read or parsed, holds an unknown key, or a value is wrong.
    """
    env = os.environ if env is None else env
    path = config_file(env)
    table = _read_toml(path, required=bool(env.get("NOVA_CONFIG")))
    unknown = sorted(set(table) - {k.name for k in KEYS})
    if unknown:
        raise ConfigError(f"{path}: unknown key {unknown[0]!r}: see nova config show for the keys there are")
    return Config({key.name: _setting(key, env, table, path) for key in KEYS}, path)


def _setting(key: Key, env: Mapping[str, str], table: dict[str, Any], path: Path) -> Setting:
    if env.get(key.variable):
        value, source = env[key.variable], f"${key.variable}"
    elif key.name in table:
        value, source = table[key.name], str(path)
    else:
        return Setting(key.default(env), "default")
    try:
        return Setting(key.parse(value), source)
    except (ValueError, TypeError, OverflowError, RuntimeError) as exc:  # RuntimeError: ~nobody has no home
        raise ConfigError(f"{source}: {key.name} = {value!r}: {exc}") from exc


def _read_toml(path: Path, *, required: bool) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        if required:
            raise ConfigError(f"{path}: there is no such file: check $NOVA_CONFIG") from exc
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise ConfigError(f"{path}: {reason}: mend the file, or move it away") from exc
