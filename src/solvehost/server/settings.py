"""The server's settings: flag > TOML file > default.  Each is defined once, in ``KEYS``; all are flags, too.

No argparse: this is read at every start, before the first byte of a job.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from solvehost.engine.slots import default_slots
from solvehost.errors import ConfigError, UsageError

DEFAULT_FILE = Path("/etc/solvehost.toml")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Key(NamedTuple):
    """One setting: its name in the file, how a value is read, its default, its unit, and what it means."""

    name: str
    parse: Callable[[Any], Any]
    default: Any
    unit: str
    meaning: str

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")


def _path(value: Any) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("it must be a path")
    if not Path(value).is_absolute():
        raise ValueError("it must be an absolute path")
    return Path(value)


def _program(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("it must be a path, or a name on PATH")
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


def _yes(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it must be true or false")
    return value


KEYS = (
    Key("state", _path, Path("/var/lib/solvehost"), "DIR", "where jobs are worked on and kept"),
    Key("client", _name, "default", "NAME", "whose jobs these are; a key sees the jobs of its own client alone"),
    Key("engine", _program, "astrometry-engine", "PATH", "the engine"),
    Key("engine_config", _path, None, "FILE", "the engine's configuration; if unset, the first found"),
    Key("slots", _count(1, 10_000), None, "N", "engines that may run at once; if unset, as many as there are cores"),
    Key("queue_wait", _number(0, 1e6), 300.0, "S", "seconds that a job waits for a slot"),
    Key("max_wall", _number(0.1, 1e6), 300.0, "S", "seconds that a job may run"),
    Key("max_cpu", _number(1, 1e7), 1200.0, "S", "CPU seconds that all engines of a job may use"),
    Key("max_memory_mb", _count(64, 10**7), 2048, "MB", "memory of its own that an engine may use"),
    Key("max_running", _count(1, 10_000), None, "N", "jobs of a client that may run at once; if unset, no limit"),
    Key("max_waiting", _count(1, 10_000), 100, "N", "jobs of a client that may be sent or wait at once"),
    Key("max_stored_mb", _count(1, 10**9), 2000, "MB", "disk that a client's kept jobs may take"),
    Key("keep", _number(0, 36500), 7.0, "DAYS", "days that a detached job is kept"),
    Key("require_sandbox", _yes, False, "", "refuse to run engines that the kernel cannot confine"),
    Key("log", _log, "syslog", "WHERE", "the line a job: stderr, syslog (stderr where there is none), or a file"),
)  # fmt: skip
_BY_NAME = {key.name: key for key in KEYS}
_BY_FLAG = {key.flag: key for key in KEYS}


class Settings(NamedTuple):
    """All settings, in the order of ``KEYS``; durations in seconds, but ``keep`` in days."""

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
    log: str


def parse_flags(words: Sequence[str]) -> dict[str, Any]:
    """Return name → text of flags ``--name VALUE`` and ``--name=VALUE``; ``config`` among them.

    Raises
    ------
    UsageError
        Where a word is no flag, a value is missing, or a flag stands twice.
    """
    found: dict[str, Any] = {}
    left = list(words)
    while left:
        flag, equals, value = left.pop(0).partition("=")
        key = _BY_FLAG.get(flag)
        if key is None and flag != "--config":
            what = "option" if flag.startswith("-") else "command"
            raise UsageError(f"{flag[:40]!r} is no {what}: see solvehost --help")
        name = "config" if key is None else key.name
        if name in found:
            raise UsageError(f"{flag} is given twice")
        if key is not None and key.parse is _yes:
            if equals:
                raise UsageError(f"{flag} takes no value")
            found[name] = True
        elif equals:
            found[name] = value
        elif left:
            found[name] = left.pop(0)
        else:
            raise UsageError(f"{flag} needs a value")
    return found


def load(flags: Mapping[str, Any]) -> Settings:
    """Return the settings that flags (:func:`parse_flags`) and the configuration file make.

    Raises
    ------
    UsageError
        Where a flag's value is wrong.
    ConfigError
        Where the file cannot be read, has an unknown key, or a value is wrong.
    """
    path = file_of(flags)
    values = {key.name: key.default for key in KEYS}
    values["slots"] = default_slots()
    for name, value in stated_in_file(flags).items():
        if name not in _BY_NAME:
            raise ConfigError(f"{path}: unknown key {name!r}: known are {', '.join(_BY_NAME)}")
        values[name] = _parsed(_BY_NAME[name], value, ConfigError, f"{path}: {name}")
    for name, value in flags.items():
        if name != "config":
            values[name] = _parsed(_BY_NAME[name], value, UsageError, _BY_NAME[name].flag)
    return Settings(**values)


def file_of(flags: Mapping[str, Any]) -> Path:
    """Return the configuration file that is read, which need not be there where no flag names it."""
    return Path(flags.get("config") or DEFAULT_FILE)


def stated_in_file(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the configuration file says, as it stands there.

    Raises
    ------
    ConfigError
        Where it cannot be read.
    """
    return _read_file(file_of(flags), required=flags.get("config") is not None)


def _parsed(key: Key, value: Any, error: type[UsageError | ConfigError], where: str) -> Any:
    try:
        return key.parse(value)
    except (ValueError, TypeError, OverflowError) as exc:
        raise error(f"{where} is {value!r}: {exc}") from exc


def _read_file(path: Path, *, required: bool) -> dict[str, Any]:
    if not required and not os.path.lexists(path):
        return {}
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise ConfigError(f"{path}: {reason}: mend the file, or move it away") from exc
