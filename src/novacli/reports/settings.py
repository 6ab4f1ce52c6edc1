"""Settings with their sources, for ``nova config show`` and ``nova doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TextIO

from novacli.config import KEYS, Config, Key
from novacli.text.columns import write_aligned
from novacli.text.printable import printable_line


def to_json(config: Config, keys: tuple[Key, ...] = KEYS) -> dict[str, Any]:
    """Return the object that ``nova config show --json`` prints, for a table of settings."""
    return {
        "file": str(config.file),
        "file_exists": config.file.exists(),
        "settings": {
            key.name: {
                "value": _plain(config[key.name]),
                "source": config.settings[key.name].source,
                "variable": key.variable,
                "meaning": key.meaning,
            }
            for key in keys
        },
    }


def write(config: Config, stream: TextIO, keys: tuple[Key, ...] = KEYS) -> None:
    """Write one line for each setting: name, value, source."""
    rows = [(key.name, _text(config[key.name]), config.settings[key.name].source) for key in keys]
    write_aligned([tuple(map(printable_line, row)) for row in rows], stream)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _text(value: Any) -> str:
    if value in (None, (), {}):
        return "–"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {', '.join(members)}" for name, members in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
