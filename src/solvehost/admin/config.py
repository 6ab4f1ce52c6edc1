"""``solvehost config``: the settings as they hold, and the files that a sysadmin puts in place."""

from __future__ import annotations

import pkgutil
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from solvehost.admin.records import FileText, Setting, SettingTable
from solvehost.errors import ConfigError, UsageError
from solvehost.server import settings

TOML_NAME = "solvehost.toml"
#: Files of the package's share directory, besides the configuration, which is made from the settings themselves.
SHARED = ("sshd.conf", "user-slice.conf", "solvehost-gc.service", "solvehost-gc.timer", "logrotate.conf")
FILES = (TOML_NAME, *SHARED)
_WIDTH = 100


def show(flags: Mapping[str, Any]) -> SettingTable:
    """Return every setting with its value and where it comes from."""
    config = settings.load(flags)
    stated = settings.read_file(flags)
    rows = []
    for key in settings.KEYS:
        source = "flag" if key.name in flags else str(settings.file_of(flags)) if key.name in stated else "default"
        value = getattr(config, key.name)
        value = str(value) if isinstance(value, Path) else value
        rows.append(Setting(key.name, key.flag, value, key.unit, source, key.meaning))
    return SettingTable(tuple(rows))


def print_file(name: str) -> FileText:
    """Return a file for the sysadmin.

    Raises
    ------
    UsageError
        Where there is none of that name.
    """
    if name == TOML_NAME:
        return FileText(name, default_toml())
    if name not in SHARED:
        raise UsageError(f"{name[:40]!r} is none of the files: {', '.join(FILES)}")
    data = pkgutil.get_data("solvehost", f"share/{name}")
    if data is None:
        raise ConfigError(f"solvehost is not installed whole: share/{name} is missing")
    return FileText(name, data.decode("utf-8"))


def default_toml() -> str:
    """Return a configuration file in which every setting stands as a comment, with its default and meaning."""
    parts = [
        "# Settings of the solve server.  What is commented out has the value that is shown.",
        "# A flag in the forced command goes before this file.",
    ]
    for key in settings.KEYS:
        unit = f" ({key.unit})" if key.unit else ""
        parts += ["", *(f"# {line}" for line in textwrap.wrap(f"{key.meaning}{unit}", _WIDTH))]
        parts.append(f"#{key.name} = {_toml(_example(key))}")
    return "\n".join(parts) + "\n"


#: What stands in the file for a setting that has no default of its own.
_EXAMPLES = {"engine_config": "/etc/astrometry.cfg", "slots": 4, "max_running": 4}


def _example(key: settings.Key) -> Any:
    return _EXAMPLES[key.name] if key.default is None else key.default


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}"
    return f'"{value}"'
