"""The database of star patterns: where it is, how it is made, and what is wrong with it.

It is made once from the star catalogue that comes with the extra, in some ten seconds, and takes 43 MB.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from novacli.config import UserFolders
from novacli.errors import UnavailableError
from novacli.files.atomic import as_output_error, replacing

if TYPE_CHECKING:
    from tetra3rs import SolverDatabase

#: The package that makes patterns and matches by them.
PACKAGE = "tetra3rs"
#: Widths of the fields that are recognised, in degrees.  A database for narrower fields takes minutes to make.
NARROWEST_DEG, WIDEST_DEG = 8.0, 60.0
#: Changes whenever a database that was made before can no longer be used, or should not be.
_VERSION = 1
#: A file, and when and where its content was written.
_FileVersion: TypeAlias = tuple[Path, int, int]
#: The database that was read last, or what is wrong with it.
_read: dict[_FileVersion, SolverDatabase | str] = {}
#: Threads that need the database at once wait for the first to read it.
_reading = threading.Lock()


def database_file(folders: UserFolders) -> Path:
    """Return the path of the database of a user."""
    return folders.cache / f"patterns-{_VERSION}.bin"


def is_package_installed() -> bool:
    """Return True if the package is there; it is not imported."""
    from importlib.util import find_spec

    return find_spec(PACKAGE) is not None


def make(path: Path) -> None:
    """Make the database; an existing one is replaced, and those of other versions are removed.

    Raises
    ------
    UnavailableError
        If the extra is not installed.
    OutputError
        If the database cannot be written.
    """
    import shutil
    import tempfile

    try:
        from tetra3rs import SolverDatabase
    except ImportError as exc:
        raise UnavailableError(f"{PACKAGE} cannot be imported ({exc}): pip install 'novacli[patterns]'") from exc
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".patterns-", dir=path.parent) as folder:
            made = Path(folder, path.name)
            SolverDatabase.generate_from_gaia(max_fov_deg=WIDEST_DEG, min_fov_deg=NARROWEST_DEG).save_to_file(str(made))
            with made.open("rb") as source, replacing(path) as target:
                shutil.copyfileobj(source, target)
        for older in set(path.parent.glob("patterns-*.bin")) - {path}:
            older.unlink(missing_ok=True)
    except OSError as exc:
        raise as_output_error(path, exc) from exc


def load(path: Path) -> SolverDatabase:
    """Return the database of a file, which is read once in a process; a damaged one is looked at once, too.

    Raises
    ------
    UnavailableError
        If the file cannot be read, is damaged, or the package is not installed.
    """
    with _reading:
        version = _version_of(path)
        if version not in _read:
            _read.clear()
            _read[version] = _database_or_error(path)
        found = _read[version]
    if isinstance(found, str):
        raise UnavailableError(found)
    return found


def _version_of(path: Path) -> _FileVersion:
    """Return what changes if the file is made again, maybe by another process."""
    try:
        status = path.stat()
    except OSError:
        return path, 0, 0
    return path, status.st_mtime_ns, status.st_ino


def _database_or_error(path: Path) -> SolverDatabase | str:
    """Return the database of a file, or what is wrong with it."""
    try:
        from tetra3rs import SolverDatabase

        database = SolverDatabase.load_from_file(str(path))
    except (ImportError, OSError, RuntimeError, ValueError) as exc:
        return f"{path}: {exc}: make it again with nova doctor --fix"
    if abs(database.min_fov_deg - NARROWEST_DEG) > 0.1 or abs(database.max_fov_deg - WIDEST_DEG) > 0.1:
        return f"{path}: it is for fields of other widths: make it again with nova doctor --fix"
    return database
