"""Start Django for a command, and turn its errors into those of this project."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib.util import find_spec

from novacli.errors import ConfigError, UnavailableError

#: Only the user of the service reads the database and the uploads.
_OWN_UMASK = 0o077


def start(*, needs_tables: bool = True) -> None:
    """Load Django with the settings of the service.

    Parameters
    ----------
    needs_tables
        False for the command that makes the tables.

    Raises
    ------
    ConfigError
        If a package is missing, a setting is wrong, or the database is not up to date.
    UnavailableError
        If the database cannot be reached.
    """
    if find_spec("django") is None:
        raise ConfigError("the web service is not installed: pip install 'novacli[web]'")
    os.umask(_OWN_UMASK)
    os.environ["DJANGO_SETTINGS_MODULE"] = "novaweb.settings"
    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except ImproperlyConfigured as exc:
        first = str(exc).partition("\n")[0]
        raise ConfigError(f"{first}: for PostgreSQL, pip install 'novacli[web,postgres]'") from exc
    if needs_tables:
        _check_tables()


def migrate() -> None:
    """Make the tables of the database, or bring them up to date.

    Raises
    ------
    UnavailableError
        If the database cannot be used.
    """
    from django.core.management import call_command

    with _database_errors():
        call_command("migrate", verbosity=0, interactive=False)


@contextlib.contextmanager
def _database_errors() -> Iterator[None]:
    from django.db import DatabaseError

    try:
        yield
    except DatabaseError as exc:
        first = str(exc).partition("\n")[0]
        raise UnavailableError(f"the database cannot be used: {first}: see $NOVAWEB_DATABASE") from exc


def _check_tables() -> None:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    with _database_errors():
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise ConfigError("the database is not up to date: run nova-web migrate")
