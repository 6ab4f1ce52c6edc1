"""What the sysadmin's commands return: frozen records, which only ``render`` turns into text or JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All findings of ``solvehost check``."""

    checks: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """Zero, or the largest exit code of the findings that failed."""
        return max((finding.exit_code for finding in self.checks if finding.ok is False), default=0)


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job, detached or plain.  Client and id are empty if a crash left no record of them."""

    client: str
    id: str
    state: str
    created: str
    size_bytes: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class JobTable:
    """All jobs, in the order in which they are printed."""

    rows: tuple[JobRow, ...]


@dataclass(frozen=True, slots=True)
class GcResult:
    """What ``solvehost gc`` removed, or would remove: expired jobs, and directories that crashes left behind."""

    expired_jobs: int
    stale_directories: int
    freed_bytes: int
    is_dry_run: bool = False
    failed: int = 0


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting; ``source`` is ``flag``, ``default``, or the path of the configuration file."""

    name: str
    flag: str
    value: str | int | float | bool | None
    unit: str
    source: str
    meaning: str


@dataclass(frozen=True, slots=True)
class SettingTable:
    """All settings."""

    rows: tuple[SettingRow, ...]


@dataclass(frozen=True, slots=True)
class FileText:
    """A file for the sysadmin, printed unchanged."""

    name: str
    text: str


Result = CheckReport | AuthorizeResult | JobTable | GcResult | SettingTable | FileText
