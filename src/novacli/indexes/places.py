"""The engine and the index files that this machine's settings name."""

from __future__ import annotations

from pathlib import Path

from novacli.config import Config
from novacli.errors import NovaError
from solvehost.engine import program
from solvehost.indexes.engine_config import configured_places


def installed_engine(config: Config) -> Path | None:
    """Return the path of the engine that the settings name; None if it is not installed."""
    try:
        return program.find_engine(config["engine"])
    except NovaError:
        return None


def index_places(config: Config, engine_path: Path | None) -> tuple[Path, ...]:
    """Return the folders and files in which index files are looked for.

    The first of these that is set or found decides: the setting ``index``, the setting ``engine_config``, the engine's
    own configuration file (beside the engine, or where packages install it).  Unless the setting ``index`` names all
    places, the folder of ``nova index get`` is one of them if it exists.

    Parameters
    ----------
    config
        The settings.
    engine_path
        The engine beside which a configuration file is looked for; None to look only where packages install one.

    Raises
    ------
    ConfigError
        The engine's configuration file cannot be read.
    """
    if config["index"]:
        return tuple(Path(place) for place in config["index"])
    places, own = configured_places(config["engine_config"], engine_path), own_folder(config)
    return (*places, own) if own.is_dir() and own not in places else places


def own_folder(config: Config) -> Path:
    """Return the folder into which ``nova index get`` puts index files if the user names no other."""
    return config.folders.data / "index"
