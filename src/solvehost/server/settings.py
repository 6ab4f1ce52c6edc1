"""The server's settings: a flag overrides the TOML file, which overrides the default.  ``KEYS`` defines each of them.

Every setting is also a flag.  argparse is not used, because it would delay the start of every request.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from solvehost.engine.slots import default_slots
from solvehost.errors import CommandLineError, ConfigError

DEFAULT_FILE = Path("/etc/solvehost.toml")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class SettingKey(NamedTuple):
    """One setting: its name in the file, the parser of its values, its default, its unit, and its meaning."""

    name: str
    parse: Callable[[Any], Any]
    default: Any
    unit: str
    meaning: str

    @property
    def flag(self) -> str:
        """The name of the setting on the command line."""
        return "--" + self.name.replace("_", "-")


def _path(value: Any) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("it must be a path")
    if not Path(value).is_absolute():
        raise ValueError("it must be an absolute path")
    return Path(value)


def _program(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("it must be a path or the name of a program")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        raise ValueError("it must be 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or digit")
    return value


def _log(value: Any) -> str:
    if value not in ("stderr", "syslog") and not (isinstance(value, str) and value.startswith("/")):
        raise ValueError("it must be stderr, syslog, or the absolute path of a file")
    return str(value)


def _number(low: float, high: float) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        if isinstance(value, bool):
            raise ValueError("it must be a number")
        number = float(value)
        if not low <= number <= high:
            raise ValueError(f"it must be from {low:g} to {high:g}")
        return number

    return parse


def _count(low: int, high: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        number = _number(low, high)(value)
        if number != int(number):
            raise ValueError("it must be a whole number")
        return int(number)

    return parse


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it must be true or false")
    return value


KEYS = (
    SettingKey("state", _path, Path("/var/lib/solvehost"), "DIR", "directory in which jobs are solved and kept"),
    SettingKey("client", _name, "default", "NAME", "the owner of the jobs; a key sees the jobs of its own client only"),
    SettingKey("engine", _program, "astrometry-engine", "PATH", "the engine"),
    SettingKey("engine_config", _path, None, "FILE", "the engine's configuration; if unset, the first one found"),
    SettingKey("slots", _count(1, 10_000), None, "N", "engines that may run at once; if unset, the number of cores"),
    SettingKey("queue_wait", _number(0, 1e6), 300.0, "S", "seconds that a job may wait for a slot"),
    SettingKey("max_wall", _number(0.1, 1e6), 300.0, "S", "seconds that a job may run"),
    SettingKey("max_cpu", _number(1, 1e7), 1200.0, "S", "CPU seconds that all engines of a job together may use"),
    SettingKey("max_memory_mb", _count(64, 10**7), 2048, "MB", "private memory that an engine may use"),
    SettingKey("max_running", _count(1, 10_000), None, "N", "jobs of a client that may run at once (unset: see docs)"),
    SettingKey("max_waiting", _count(1, 10_000), 100, "N", "jobs of a client that may be uploading or waiting at once"),
    SettingKey("max_stored_mb", _count(1, 10**9), 2000, "MB", "disk space that a client's stored jobs may take"),
    SettingKey("keep", _number(0, 36500), 7.0, "DAYS", "days that a detached job is kept"),
    SettingKey("require_sandbox", _flag, False, "", "refuse to solve if the kernel cannot confine engines"),
    SettingKey("allow_root", _flag, False, "", "serve even as root, whom file modes do not stop: for tests"),
    SettingKey("log", _log, "syslog", "WHERE", "the request log: stderr, syslog (stderr if there is none), or a file"),
)  # fmt: skip
_BY_NAME = {key.name: key for key in KEYS}
_BY_FLAG = {key.flag: key for key in KEYS}


class Settings(NamedTuple):
    """All settings, in the order of ``KEYS``.  Durations are in seconds, except ``keep`` in days."""

    state: Path
    client: str
    engine: str
    engine_config: Path | None
    slots: int
    queue_wait: float
    max_wall: float
    max_cpu: float
    max_memory_mb: int
    max_running: int | None
    max_waiting: int
    max_stored_mb: int
    keep: float
    require_sandbox: bool
    allow_root: bool
    log: str


def parse_flags(words: Sequence[str]) -> dict[str, Any]:
    """Parse flags ``--name VALUE`` and ``--name=VALUE``, including ``--config``; return their values as text by name.

    Raises
    ------
    CommandLineError
        If a word is not a flag, a value is missing, or a flag is given twice.
    """
    flags: dict[str, Any] = {}
    remaining = list(words)
    while remaining:
        flag, equals, value = remaining.pop(0).partition("=")
        key = _BY_FLAG.get(flag)
        if key is None and flag != "--config":
            what = "option" if flag.startswith("-") else "command"
            raise CommandLineError(f"there is no {what} {flag[:40]!r}: see solvehost --help")
        name = "config" if key is None else key.name
        if name in flags:
            raise CommandLineError(f"{flag} is given twice")
        if key is not None and key.parse is _flag:
            if equals:
                raise CommandLineError(f"{flag} takes no value")
            flags[name] = True
        elif equals:
            flags[name] = value
        elif remaining:
            flags[name] = remaining.pop(0)
        else:
            raise CommandLineError(f"{flag} needs a value")
    return flags


def format_flags(flags: Mapping[str, Any]) -> list[str]:
    """Return the words of a command line with these flags, in the order of ``KEYS`` after ``--config``."""
    words = ["--config", str(flags["config"])] if "config" in flags else []
    for key in KEYS:
        if key.name in flags:
            value = flags[key.name]
            words += [key.flag] if value is True else [key.flag, str(value)]
    return words


def load(flags: Mapping[str, Any]) -> Settings:
    """Return the settings that result from flags (as :func:`parse_flags` returns them) and the configuration file.

    Raises
    ------
    CommandLineError
        If the value of a flag is invalid.
    ConfigError
        If the file cannot be read, has an unknown key, or has an invalid value.
    """
    path = file_of(flags)
    values = {key.name: key.default for key in KEYS}
    values["slots"] = default_slots()
    for name, value in read_file(flags).items():
        if name not in _BY_NAME:
            raise ConfigError(f"{path}: unknown key {name!r}: the keys are {', '.join(_BY_NAME)}")
        values[name] = _parse(_BY_NAME[name], value, ConfigError, f"{path}: {name}")
    for name, value in flags.items():
        if name != "config":
            values[name] = _parse(_BY_NAME[name], value, CommandLineError, _BY_NAME[name].flag)
    return Settings(**values)


def file_of(flags: Mapping[str, Any]) -> Path:
    """Return the path of the configuration file, which must exist only if ``--config`` names it."""
    return Path(flags.get("config") or DEFAULT_FILE)


def read_file(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings in the configuration file, unchecked.

    Raises
    ------
    ConfigError
        If it cannot be read.
    """
    return _load_toml(file_of(flags), required=flags.get("config") is not None)


def _parse(key: SettingKey, value: Any, error: type[CommandLineError | ConfigError], where: str) -> Any:
    try:
        return key.parse(value)
    except (ValueError, TypeError, OverflowError) as exc:
        raise error(f"{where} is {value!r}: {exc}") from exc


def _load_toml(path: Path, *, required: bool) -> dict[str, Any]:
    if not required and not os.path.lexists(path):
        return {}
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise ConfigError(f"{path}: {reason}: correct the file, or move it away") from exc
