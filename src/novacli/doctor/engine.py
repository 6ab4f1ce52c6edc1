"""Check that the engine is installed and starts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from novacli.config import Config
from novacli.errors import NovaError, UnavailableError
from novacli.records.check import Check
from solvehost.engine import program
from solvehost.engine.process import EngineLimits, EngineProcess, wait_for_any

_START_TIMEOUT_S = 10.0


def check_engine(settings: Config) -> Iterator[Check]:
    """Check that the engine is installed and starts."""
    code = UnavailableError.exit_code
    try:
        path = program.find_engine(settings["engine"])
    except NovaError as exc:
        remedy = str(exc).partition(": ")[2]
        yield Check("engine", False, f"{settings['engine']} was not found", remedy, code)
        return
    problem = _start_problem(path)
    if problem is None:
        yield Check("engine", True, f"{path}, which starts")
    else:
        remedy = "install it again, or name another by $NOVA_ENGINE"
        yield Check("engine", False, f"{path} does not start: {problem}", remedy, code)


def _start_problem(path: Path) -> str | None:
    """Start the engine as a solve would, with ``--help``; return what went wrong, or None."""
    with tempfile.TemporaryDirectory(prefix="nova-doctor-") as folder:
        log = Path(folder, "log")
        try:
            child = EngineProcess([str(path), "--help"], Path(folder), log, EngineLimits())
        except (OSError, NovaError) as exc:
            return str(exc)
        wait_for_any([child], _START_TIMEOUT_S)
        if not child.poll():
            child.kill()
            return f"it did not end within {_START_TIMEOUT_S:g} s"
        lines = log.read_text(errors="replace").split("\n")
    return None if child.exit_status == 0 else lines[0][:200] or f"exit status {child.exit_status}"
