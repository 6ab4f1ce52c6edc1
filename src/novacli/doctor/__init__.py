"""The checks of ``nova doctor``, a file for each group.

engine       the engine program
index_files  the installed index files and the fields that they serve
machine      memory, engine slots, optional packages
jobs         the jobs directory: room, and how long jobs are kept
patterns     the database of star patterns

Checks change nothing, except that the directory of the engine slots is made if it is missing.  ``repair`` makes what
can be made.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from novacli import config as configuration
from novacli.config import Config
from novacli.doctor.engine import check_engine
from novacli.doctor.index_files import check_indexes
from novacli.doctor.jobs import check_jobs_dir, check_retention
from novacli.doctor.machine import check_extras, check_memory, check_slots
from novacli.doctor.patterns import check_patterns, repair
from novacli.errors import ConfigError
from novacli.records.check import Check, exit_codes
from solvehost.record import record

__all__ = ["Health", "check_configuration", "examine", "repair"]


@record
class Health:
    """All checks, and the settings that they were made with."""

    checks: tuple[Check, ...]
    config: Config

    @property
    def exit_codes(self) -> list[int]:
        """The exit codes of the checks that failed."""
        return exit_codes(self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of ``nova doctor --json``, without the settings."""
        return {"ok": not self.exit_codes, "checks": [check.to_json() for check in self.checks]}


def examine(env: Mapping[str, str] = os.environ) -> Health:
    """Make all checks; if the configuration cannot be read, the others are made with the defaults."""
    settings, first = check_configuration(env)
    checks = [first, *check_engine(settings), *check_indexes(settings), check_slots(settings), check_memory()]
    checks += [check_jobs_dir(settings), *check_retention(settings), *check_extras(), check_patterns(settings)]
    return Health(tuple(checks), settings)


def check_configuration(env: Mapping[str, str]) -> tuple[Config, Check]:
    """Return the settings, and a check of the configuration; the defaults if it cannot be read."""
    try:
        settings = configuration.load(env)
    except ConfigError as exc:
        detail = f"{exc}; the checks below use the defaults"
        return _defaults(env), Check("configuration", False, detail, "correct it, or move it away", exc.exit_code)
    missing = "" if settings.file.exists() else " (it does not exist, so the defaults apply)"
    return settings, Check("configuration", True, f"{settings.file}{missing}")


def _defaults(env: Mapping[str, str]) -> Config:
    kept = {name: value for name, value in env.items() if not name.startswith("NOVA_")}
    return configuration.load({**kept, "NOVA_CONFIG": os.devnull})
