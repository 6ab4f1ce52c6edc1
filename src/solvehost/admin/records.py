"""What the sysadmin's commands return: frozen records, which only ``render`` turns into text or JSON."""

from __future__ import annotations

from pathlib import Path

from solvehost.record import record


@record
class Finding:
    """One thing that ``solvehost check`` looked at.

    ``ok`` is True, False (it prevents serving, or serving safely) or None (worth knowing).  ``remedy`` tells the
    sysadmin what to do.  ``exit_code`` is the exit code of ``solvehost check`` if ``ok`` is False.
    """

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""
    exit_code: int = 78


@record
class CheckReport:
    """All findings of ``solvehost check``."""

    checks: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """Zero, or the largest exit code of the findings that failed."""
        return max((finding.exit_code for finding in self.checks if finding.ok is False), default=0)


@record
class AuthorizeResult:
    """The result of ``solvehost authorize``.

    ``outcome`` is ``printed``, ``added``, ``replaced`` or ``unchanged``; ``path`` is the file, if there is one.
    """

    outcome: str
    line: str
    client: str
    fingerprint: str
    path: Path | None = None
    notes: tuple[str, ...] = ()


@record
class JobRow:
    """A job, detached or plain.  Client and id are empty if a crash left no record of them."""

    client: str
    id: str
    state: str
    created: str
    size_bytes: int
    message: str = ""


@record
class JobTable:
    """All jobs, in the order in which they are printed."""

    rows: tuple[JobRow, ...]


@record
class GcResult:
    """What ``solvehost gc`` removed, or would remove: expired jobs, and directories that crashes left behind.

    ``failed`` counts those that could not be removed, and ``kept`` has their paths.
    """

    expired_jobs: int
    stale_directories: int
    freed_bytes: int
    is_dry_run: bool = False
    failed: int = 0
    kept: tuple[Path, ...] = ()


@record
class SettingRow:
    """One setting; ``source`` is ``flag``, ``default``, or the path of the configuration file."""

    name: str
    flag: str
    value: str | int | float | bool | None
    unit: str
    source: str
    meaning: str


@record
class SettingTable:
    """All settings."""

    rows: tuple[SettingRow, ...]


@record
class FileText:
    """A file for the sysadmin, printed unchanged."""

    name: str
    text: str


Result = CheckReport | AuthorizeResult | JobTable | GcResult | SettingTable | FileText
