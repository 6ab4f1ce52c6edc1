"""``solvehost config``: show the settings, or print a file for the sysadmin to install."""

from __future__ import annotations

import pkgutil
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from solvehost.admin.records import FileText, SettingRow, SettingTable
from solvehost.errors import CommandLineError, ConfigError
from solvehost.server import settings

TOML_NAME = "solvehost.toml"
#: Files in the package's share directory.  The configuration file is not among them: it is made from ``settings.KEYS``.
SHARED = ("sshd.conf", "user-slice.conf", "solvehost-gc.service", "solvehost-gc.timer", "logrotate.conf")
FILES = (TOML_NAME, *SHARED)
_WIDTH = 100


def show(flags: Mapping[str, Any]) -> SettingTable:
    """Return every setting with its value and its source."""
    config = settings.load(flags)
    in_file = settings.read_file(flags)
    rows = []
    for key in settings.KEYS:
        source = "flag" if key.name in flags else str(settings.file_of(flags)) if key.name in in_file else "default"
        value = getattr(config, key.name)
        value = str(value) if isinstance(value, Path) else value
        rows.append(SettingRow(key.name, key.flag, value, key.unit, source, key.meaning))
    return SettingTable(tuple(rows))


def print_file(name: str) -> FileText:
    """Return a file for the sysadmin.

    Raises
    ------
    CommandLineError
        If there is no file with this name.
    """
    if name == TOML_NAME:
        return FileText(name, default_toml())
    if name not in SHARED:
        raise CommandLineError(f"there is no file {name[:40]!r}: the files are {', '.join(FILES)}")
    data = pkgutil.get_data("solvehost", f"share/{name}")
    if data is None:
        raise ConfigError(f"the installation of solvehost is incomplete (share/{name} is missing): install it again")
    return FileText(name, data.decode("utf-8"))


def default_toml() -> str:
    """Return a configuration file with every setting as a comment: its meaning, unit and default."""
    parts = [
        "# Settings of the solve server.  A setting that is commented out has the value shown.",
        "# A flag in the forced command overrides this file.",
    ]
    for key in settings.KEYS:
        unit = f" ({key.unit})" if key.unit else ""
        parts += ["", *(f"# {line}" for line in textwrap.wrap(f"{key.meaning}{unit}", _WIDTH))]
        parts.append(f"#{key.name} = {_toml(_example(key))}")
    return "\n".join(parts) + "\n"


#: Values shown for settings without a fixed default.
_EXAMPLES = {"engine_config": "/etc/astrometry.cfg", "slots": 4, "max_running": 4}


def _example(key: settings.SettingKey) -> Any:
    return _EXAMPLES[key.name] if key.default is None else key.default


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}"
    return f'"{value}"'
