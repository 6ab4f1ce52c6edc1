"""The names that ``nova hosts`` gives to places, kept in ``hosts.toml`` beside ``config.toml``."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from novacli.backends.kinds import check_destination
from novacli.config import Config
from novacli.errors import ConfigError, InputMissingError, OutputError, UsageError
from novacli.files.atomic import write_file
from novacli.text.printable import printable_line

FILE = "hosts.toml"
_HEADING = "# Names of solve servers, kept by nova hosts.\n\n[hosts]\n"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def hosts_file(config: Config) -> Path:
    """Return the path of ``hosts.toml``."""
    return config.file.with_name(FILE)


def check_name(name: str) -> str:
    """Return ``name`` if a place can have this name.

    Raises
    ------
    UsageError
        If it cannot.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None or name == "local":
        shown = printable_line(repr(name if not isinstance(name, str) else name[:64]))
        raise UsageError(
            f"{shown} cannot be the name of a host: use letters, digits, dots, hyphens and underscores, begin with a "
            "letter or a digit, and do not use local"
        )
    return name


def read_hosts(config: Config) -> dict[str, str]:
    """Return the destination of each name, in the order in which they were added.

    Raises
    ------
    ConfigError
        If the file cannot be read or is damaged.
    """
    path = hosts_file(config)
    try:
        text = path.read_text(encoding="utf-8")
        import tomllib  # most users have no such file

        hosts = tomllib.loads(text).get("hosts", {})
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:  # errors of UTF-8 and of TOML are ValueErrors
        raise ConfigError(
            f"{path}: {getattr(exc, 'strerror', None) or exc}: correct the file, or move it away"
        ) from exc
    if not isinstance(hosts, dict):
        raise ConfigError(f"{path}: 'hosts' is not a table: correct the file, or move it away")
    try:
        return {check_name(name): _check_destination(text) for name, text in hosts.items()}
    except UsageError as exc:
        raise ConfigError(f"{path}: {exc}") from exc


def _check_destination(text: object) -> str:
    if not isinstance(text, str):
        raise UsageError(f"{printable_line(repr(text)[:64])} is not a destination: write it in quotes")
    if text == "local":
        raise UsageError("'local' is this machine, which needs no other name")
    return check_destination(text)


def add_host(config: Config, name: str, destination: str) -> None:
    """Give a destination a name; an earlier destination of that name is replaced.

    Raises
    ------
    UsageError
        If the name or the destination is malformed, or a pool has that name.
    """
    check_name(name)
    _check_destination(destination)
    if name in config["pools"]:
        raise UsageError(f"there is a pool called {name!r} ({config.settings['pools'].source}): choose another name")
    _change(config, lambda hosts: {**hosts, name: destination})


def remove_host(config: Config, name: str) -> None:
    """Remove a name.

    Raises
    ------
    InputMissingError
        If no host has that name.
    """

    def without(hosts: Mapping[str, str]) -> dict[str, str]:
        if name not in hosts:
            raise InputMissingError(f"{hosts_file(config)}: there is no host {name[:64]!r}: see nova hosts list")
        return {known: where for known, where in hosts.items() if known != name}

    _change(config, without)


def _change(config: Config, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> None:
    """Read, change and write the names, under a lock, so that two commands at once lose neither change."""
    path = hosts_file(config)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path.parent):
            _write(path, change(read_hosts(config)))
    except OSError as exc:
        raise OutputError(f"{path}: {exc.strerror}: hosts.toml cannot be written there") from exc


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _write(path: Path, hosts: Mapping[str, str]) -> None:
    # A JSON string of these characters is also a TOML string.
    lines = (f"{json.dumps(name)} = {json.dumps(where, ensure_ascii=False)}\n" for name, where in hosts.items())
    write_file(path, (_HEADING + "".join(lines)).encode("utf-8"), mode=0o600)
