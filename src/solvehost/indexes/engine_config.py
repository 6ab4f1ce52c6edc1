"""The engine's configuration file, ``astrometry.cfg``: which index files and directories it names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from solvehost.errors import ConfigError

_CONFIG_FILES = ("/etc/astrometry.cfg", "/usr/local/etc/astrometry.cfg", "/opt/homebrew/etc/astrometry.cfg")
#: With any of these keywords the engine takes more files from the directories than those that ``index`` names.
_TAKES_WHOLE_DIRECTORIES = ("autoindex", "indexset", "multiindex")


def config_candidates(engine: Path | None) -> list[Path]:
    """Return where an engine's configuration may be, most likely first: beside the engine, then the usual places."""
    beside = [engine.parent.parent / "etc" / "astrometry.cfg"] if engine is not None else []
    return [*beside, *(Path(p) for p in _CONFIG_FILES)]


def configured_places(config: Path | None, engine: Path | None) -> tuple[Path, ...]:
    """Return the index files and directories that the engine's configuration names.

    Parameters
    ----------
    config
        The configuration file; None for the first of :func:`config_candidates` that exists.
    engine
        The engine whose configuration is looked for if ``config`` is None.

    Raises
    ------
    ConfigError
        If the configuration cannot be read.
    """
    for candidate in [config] if config is not None else config_candidates(engine):
        if candidate == config or candidate.is_file():
            return places_of_config(candidate)
    return ()


def places_of_config(path: Path) -> tuple[Path, ...]:
    """Return the directories and files that a configuration file names (``add_path``, ``index``).

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}: the engine's configuration cannot be read") from exc
    words = [line.strip().split(None, 1) for line in lines if line.strip() and not line.strip().startswith("#")]
    folders = [Path(rest[0].strip()) for key, *rest in words if key == "add_path" and rest]
    named = [_find(Path(rest[0].strip()), folders) for key, *rest in words if key == "index" and rest]
    if not named or any(key in _TAKES_WHOLE_DIRECTORIES for key, *_ in words):
        return tuple(folders + named)
    return tuple(named)


def _find(name: Path, folders: Sequence[Path]) -> Path:
    """Return the path of an index file that the configuration names with or without directory and ``.fits``."""
    tries = [name] if name.is_absolute() else [f / n for f in folders for n in (name, Path(f"{name}.fits"))]
    return next((t for t in tries if t.exists()), tries[0] if tries else name)
