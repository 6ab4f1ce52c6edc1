"""Check the database of star patterns, by which wide fields are recognised; ``repair`` makes it."""

from __future__ import annotations

from novacli.config import Config
from novacli.errors import UnavailableError
from novacli.matchers import database
from novacli.records.check import Check
from novacli.text.quantities import bytes_text

_NAME = "star patterns"


def check_patterns(settings: Config) -> Check:
    """Check that the package for star patterns is installed, and that their database is there and whole."""
    path = database.database_file(settings.folders)
    if not settings["patterns"]:
        return Check(_NAME, True, "not used: the setting patterns is false")
    if not database.is_package_installed():
        detail = f"{database.PACKAGE} is not installed: wide fields are solved without star patterns"
        return Check(_NAME, None, detail, "pip install 'novacli[patterns]', then nova doctor --fix")
    if not path.exists():
        detail = "there is no database yet: wide fields are solved without star patterns"
        return Check(_NAME, None, detail, "nova doctor --fix makes it in some ten seconds (43 MB)")
    try:
        database.load(path)
    except UnavailableError as exc:
        return Check(_NAME, None, str(exc))
    low, high = database.NARROWEST_DEG, database.WIDEST_DEG
    return Check(_NAME, True, f"{path} ({bytes_text(path.stat().st_size)}), for fields {low:g}° to {high:g}° wide")


def repair(settings: Config) -> None:
    """Make the database of star patterns if it is missing or damaged, and the package is installed.

    Raises
    ------
    NovaError
        If it cannot be made.
    """
    if database.is_package_installed() and check_patterns(settings).ok is None:
        database.make(database.database_file(settings.folders))
