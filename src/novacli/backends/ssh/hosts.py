"""The hosts known to ``nova hosts``: names for ssh destinations, in ``hosts.toml`` beside ``config.toml``."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from novacli.backends.ssh.destinations import check_destination, check_name
from novacli.config import Config
from novacli.errors import ConfigError, InputMissingError, OutputError, UsageError

FILE = "hosts.toml"
_HEADING = "# Names of solve servers, kept by nova hosts.\n\n[hosts]\n"


def hosts_file(config: Config) -> Path:
    """Return where the names are kept."""
    return config.file.with_name(FILE)


def read_hosts(config: Config) -> dict[str, str]:
    """Return the ssh destination of each known host, in the order in which they were added.

    Raises
    ------
    ConfigError
        Where the file cannot be read, or holds something else.
    """
    import tomllib

    path = hosts_file(config)
    try:
        hosts = tomllib.loads(path.read_text(encoding="utf-8")).get("hosts", {})
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"{path}: {getattr(exc, 'strerror', None) or exc}: mend the file, or move it away") from exc
    if not isinstance(hosts, dict):
        raise ConfigError(f"{path}: 'hosts' is no table: mend the file, or move it away")
    try:
        return {check_name(name): check_destination(where) for name, where in hosts.items()}
    except UsageError as exc:
        raise ConfigError(f"{path}: {exc}") from exc


def add_host(config: Config, name: str, destination: str) -> None:
    """Keep a host under a name; one that was known by it is replaced.

    Raises
    ------
    UsageError
        Where name or destination cannot be one, or a pool is called so.
    """
    check_name(name)
    check_destination(destination)
    if name in config["pools"]:
        raise UsageError(f"there is a pool called {name!r} ({config.settings['pools'].source}): choose another name")
    _change(config, lambda hosts: {**hosts, name: destination})


def remove_host(config: Config, name: str) -> None:
    """Forget a host.

    Raises
    ------
    InputMissingError
        Where none is known by that name.
    """

    def without(hosts: Mapping[str, str]) -> dict[str, str]:
        if name not in hosts:
            raise InputMissingError(f"{hosts_file(config)}: there is no host {name[:64]!r}: see nova hosts list")
        return {known: where for known, where in hosts.items() if known != name}

    _change(config, without)


def _change(config: Config, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> None:
    """Read, change and write the names; two that do so at once take turns, so that neither undoes the other's."""
    path = hosts_file(config)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _turn(path.parent):
            _write(path, change(read_hosts(config)))
    except OSError as exc:
        raise OutputError(f"{path}: {exc.strerror}: hosts cannot be kept there") from exc


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _write(path: Path, hosts: Mapping[str, str]) -> None:
    # A JSON string of these characters is a TOML one, too.
    lines = (f"{json.dumps(name)} = {json.dumps(where, ensure_ascii=False)}\n" for name, where in hosts.items())
    beside = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as stream:
            stream.write((_HEADING + "".join(lines)).encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
