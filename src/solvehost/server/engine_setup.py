"""The engine and the index files of this machine, found and checked when a job first needs them."""

from __future__ import annotations

import functools
from pathlib import Path

from solvehost.engine import program, sandbox
from solvehost.engine.process import EngineLimits
from solvehost.errors import ConfigError, UnavailableError
from solvehost.indexes import engine_config, index_set
from solvehost.indexes.cache import IndexCache
from solvehost.server.settings import Settings

#: Directories in which programs are searched, whatever the client's environment says.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: In the state directory.
INDEX_CACHE = "indexes.json"
_MAX_FILE_BYTES = 64 * 2**20


class EngineSetup:
    """The engine, its index files and its confinement, according to the settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @functools.cached_property
    def engine(self) -> Path:
        """The path of the engine; raises UnavailableError if it is missing."""
        return program.find_engine(self.settings.engine, SEARCH_PATH)

    @functools.cached_property
    def indexes(self) -> index_set.IndexSet:
        """The index files; raises UnavailableError if none can be loaded."""
        places = engine_config.configured_places(self.settings.engine_config, self.engine)
        found = index_set.scan(places, IndexCache(self.settings.state / INDEX_CACHE))
        if not found.files:
            damaged = "".join(f"; {path}: {why}" for path, why in found.damaged)
            raise UnavailableError(
                f"no index file was found ({searched_places(found)}{damaged}): install index files, or name an engine "
                "configuration with --engine-config"
            )
        return found

    @functools.cached_property
    def is_confined(self) -> bool:
        """Whether the kernel confines engines in full; raises ConfigError if the settings require it and it cannot."""
        missing = sandbox.missing()
        if missing and self.settings.require_sandbox:
            raise ConfigError(
                f"require_sandbox is set, but this kernel cannot confine engines (no {' and no '.join(missing)}): see "
                "solvehost check"
            )
        return not missing

    def check(self) -> None:
        """Find everything that a job needs before it waits for its turn; raises as the properties do."""
        _ = (self.engine, self.indexes, self.is_confined)

    def limits(self) -> EngineLimits:
        """Return the limits of one engine."""
        return EngineLimits(
            cpu_s=max(1, int(self.settings.max_cpu)),
            data_bytes=self.settings.max_memory_mb * 2**20,
            file_bytes=_MAX_FILE_BYTES,
            alone=True,
            confined=True,
        )


def searched_places(indexes: index_set.IndexSet) -> str:
    """Return the directories in which index files were searched, for a message."""
    return ", ".join(map(str, indexes.searched)) or "no engine configuration names any directory"
