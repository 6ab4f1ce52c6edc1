"""Settings: option > environment > config.toml > default; each value knows where it came from.

Every key is defined once, in ``KEYS``.  Nothing is read at import, and nothing is read from the environment after
:func:`load`: a :class:`Config` also knows the folders of the user who loaded it.
"""

from __future__ import annotations

import enum
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from novacli.errors import ConfigError
from solvehost.record import record


class SettingOrigin(enum.Enum):
    """Where the value of a setting came from."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    CALLER = "caller"  # an option of the command line, or a parameter of the Python API


#: Wall-clock limit of a solve, in seconds, if neither the user nor the configuration gives one.
DEFAULT_TIMEOUT_S = 300.0


@record
class Key:
    """One setting.

    ``name`` is its name in config.toml and ``variable`` its environment variable.  ``parse`` checks and converts a
    value, ``default`` computes the value if none is given, ``meaning`` is the description that ``nova config`` shows.
    """

    name: str
    variable: str
    parse: Callable[[Any], Any]
    default: Callable[[UserFolders], Any]
    meaning: str


@record
class Setting:
    """A value and its origin; ``source`` names it for people: ``default``, a file, ``$VARIABLE`` or an option."""

    value: Any
    source: str
    origin: SettingOrigin


@record
class UserFolders:
    """The folders of a user, by the rules of XDG.

    ``variables`` are the environment variables that decide, copied once.  A home directory is looked for only if one
    of the folders needs it.
    """

    variables: Mapping[str, str]

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> UserFolders:
        """Copy the variables that name folders; no other part of the environment is kept."""
        return cls({name: env[name] for name in _FOLDER_VARIABLES if env.get(name)})

    @property
    def config(self) -> Path:
        """The folder of config.toml and hosts.toml."""
        return self._folder("XDG_CONFIG_HOME", ".config")

    @property
    def cache(self) -> Path:
        """The folder of files that can be made again."""
        return self._folder("XDG_CACHE_HOME", ".cache")

    @property
    def data(self) -> Path:
        """The folder of job directories."""
        return self._folder("XDG_DATA_HOME", ".local/share")

    @property
    def state(self) -> Path:
        """The folder of what nova remembers: rigs and the ledgers of batches."""
        return self._folder("XDG_STATE_HOME", ".local/state")

    @property
    def runtime(self) -> Path:
        """The folder of sockets and locks of this machine and user; it need not exist."""
        runtime = self.variables.get("XDG_RUNTIME_DIR", "")
        if runtime.startswith("/") and os.access(runtime, os.W_OK):
            return Path(runtime) / "nova"
        return Path(tempfile.gettempdir()) / f"nova-{os.getuid()}"

    @property
    def rigs_file(self) -> Path:
        """The file that keeps what solved frames taught about each camera."""
        return self.state / "rigs.json"

    def _folder(self, variable: str, below_home: str) -> Path:
        stated = self.variables.get(variable, "")
        base = Path(stated) if stated.startswith("/") else Path(self.variables.get("HOME") or _home(), below_home)
        return base / "nova"


_FOLDER_VARIABLES = (
    "HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
)


def _home() -> Path:
    """Return the home directory in the user database, for a process without $HOME."""
    try:
        return Path.home()
    except RuntimeError as exc:
        raise ConfigError(
            "this user has no home directory: set HOME, or all of XDG_CONFIG_HOME, XDG_CACHE_HOME, XDG_DATA_HOME and "
            "XDG_STATE_HOME"
        ) from exc


@record
class Config:
    """All settings by name, the path of config.toml, and the user's folders; frozen."""

    settings: Mapping[str, Setting]
    file: Path
    folders: UserFolders = field(default_factory=lambda: UserFolders.from_environment(os.environ))

    def __getitem__(self, name: str) -> Any:
        return self.settings[name].value

    def replaced(self, source: str, **values: Any) -> Config:
        """Return a copy with the values that are not None; ``source`` names the option or parameter they came from."""
        new = {k: Setting(v, source, SettingOrigin.CALLER) for k, v in values.items() if v is not None}
        return replace(self, settings={**self.settings, **new})


def config_file(env: Mapping[str, str]) -> Path:
    """Return the path of the configuration: $NOVA_CONFIG, else config.toml in the user's folder."""
    return _file(env, "NOVA_CONFIG", "config.toml")


def _file(env: Mapping[str, str], variable: str, name: str) -> Path:
    """Return the path in an environment variable, else that of a file in the user's folder."""
    stated = env.get(variable)
    return Path(stated) if stated else UserFolders.from_environment(env).config / name


def parse_positive(value: Any) -> float:
    """Return a number above zero."""
    number = float(_not_a_flag(value))
    if not 0 < number < 1e9:
        raise ValueError("it must be above zero")
    return number


def _not_a_flag(value: Any) -> Any:
    """Return the value; raise TypeError for true and false, which Python counts as 1 and 0."""
    if isinstance(value, bool):
        raise TypeError("it must be a number")
    return value


def parse_count(value: Any) -> int:
    """Return a whole number of 1 or more."""
    number = int(_not_a_flag(value))
    if number != float(value) or not 1 <= number <= 10**7:
        raise ValueError("it must be a whole number, 1 or more")
    return number


def parse_path(value: Any) -> Path:
    """Return a path; ``~`` is the home directory."""
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("it must be a path")
    return Path(value).expanduser()


def _paths(value: Any) -> tuple[str, ...]:
    items = value.split(os.pathsep) if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(i, str) for i in items):
        raise ValueError("it must be a list of paths")
    return tuple(str(Path(i).expanduser()) for i in items if i)


def parse_flag(value: Any) -> bool:
    """Return true or false, which the environment also has as yes, no, on, off, 1 and 0."""
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    found = words.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise ValueError("it must be true or false")
    return found


def parse_text(value: Any) -> str:
    """Return a text that is not empty."""
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


def _no_value(_folders: UserFolders) -> None:
    return None


def _cores(_folders: UserFolders) -> int:
    from solvehost.engine.slots import default_slots

    return default_slots()


KEYS = (
    Key("jobs_dir", "NOVA_JOBS", parse_path, lambda folders: folders.data / "jobs",
        "where job directories are kept"),
    Key("keep_days", "NOVA_KEEP_DAYS", parse_positive, lambda _: 90.0,
        "finished jobs are removed after this many days without use"),
    Key("keep_jobs", "NOVA_KEEP_JOBS", parse_count, lambda _: 50_000,
        "how many finished jobs are kept; the oldest are removed first"),
    Key("engine", "NOVA_ENGINE", parse_text, lambda _: "astrometry-engine", "the engine's name or path"),
    Key("engine_config", "NOVA_ENGINE_CONFIG", parse_path, _no_value,
        "the engine's configuration, which names index files"),
    Key("index", "NOVA_INDEX", _paths, lambda _: (), "index directories or files, in place of the configuration's"),
    Key("slots", "NOVA_SLOTS", parse_count, _cores, "how many engines may run at once on this machine"),
    Key("slots_dir", "NOVA_SLOTS_DIR", parse_path, lambda folders: folders.runtime / "slots",
        "the folder of the tokens of running engines; it must be local to this machine"),
    Key("timeout_s", "NOVA_TIMEOUT", parse_positive, lambda _: DEFAULT_TIMEOUT_S,
        "wall-clock seconds an image may take"),
    Key("learn", "NOVA_LEARN", parse_flag, lambda _: True,
        "true if solved frames give hints for the next frames of their camera"),
    Key("patterns", "NOVA_PATTERNS", parse_flag, lambda _: True,
        "true if wide fields may be recognised by star patterns, once nova doctor --fix has made their database"),
    Key("ssh", "NOVA_SSH", parse_text, lambda _: "ssh", "the ssh program's name or path"),
    Key("api_key_file", "NOVA_API_KEY_FILE", parse_path, _no_value,
        "a file with the API key for web services, in place of the keys that nova login keeps"),
    Key("public", "NOVA_PUBLIC", parse_flag, lambda _: False,
        "true if web services may show to everyone what is uploaded"),
    Key("pools", "NOVA_POOLS", _pools, lambda _: {}, "names for several solve servers, each a list of hosts"),
)  # fmt: skip


def load(env: Mapping[str, str] | None = None) -> Config:
    """Read the settings from the environment, the configuration file and the defaults.

    Parameters
    ----------
    env
        Environment variables; those of the process by default.

    Raises
    ------
    ConfigError
        If the file cannot be read or parsed, has an unknown key or a wrong value, or if a folder needs a home
        directory and the user has none.
    """
    env = os.environ if env is None else env
    return read_settings(KEYS, env, "NOVA_CONFIG", "config.toml", "nova config show")


def read_settings(keys: tuple[Key, ...], env: Mapping[str, str], variable: str, name: str, listing: str) -> Config:
    """Read a table of settings from the environment, a configuration file and the defaults.

    Parameters
    ----------
    keys
        The settings.
    env
        Environment variables.
    variable, name
        The variable that names the file, and the file's name in the user's folder if the variable is not set.
    listing
        The command that lists the keys, for the message about an unknown one.

    Raises
    ------
    ConfigError
        As :func:`load`.
    """
    folders, path = UserFolders.from_environment(env), _file(env, variable, name)
    table = _read_toml(path, variable if env.get(variable) else None)
    unknown = sorted(set(table) - {k.name for k in keys})
    if unknown:
        raise ConfigError(f"{path}: unknown key {unknown[0]!r}: {listing} lists the keys")
    return Config({key.name: _setting(key, env, table, path, folders) for key in keys}, path, folders)


def _setting(key: Key, env: Mapping[str, str], table: dict[str, Any], path: Path, folders: UserFolders) -> Setting:
    if env.get(key.variable):
        value, source, origin = env[key.variable], f"${key.variable}", SettingOrigin.ENVIRONMENT
    elif key.name in table:
        value, source, origin = table[key.name], str(path), SettingOrigin.FILE
    else:
        return Setting(key.default(folders), "default", SettingOrigin.DEFAULT)
    try:
        return Setting(key.parse(value), source, origin)
    except (ValueError, TypeError, OverflowError, RuntimeError) as exc:  # RuntimeError: ~nobody has no home
        raise ConfigError(f"{source}: {key.name} = {value!r}: {exc}") from exc


def _read_toml(path: Path, variable: str | None) -> dict[str, Any]:
    """Read the file, which need not exist unless an environment variable names it."""
    try:
        text = path.read_text(encoding="utf-8")
        import tomllib  # most users have no such file

        return tomllib.loads(text)
    except FileNotFoundError as exc:
        if variable is not None:
            raise ConfigError(f"{path}: no such file: check ${variable}") from exc
        return {}
    except (OSError, ValueError) as exc:  # errors of UTF-8 and of TOML are ValueErrors
        reason = getattr(exc, "strerror", None) or str(exc)
        raise ConfigError(f"{path}: {reason}: correct the file, or move it away") from exc
