"""What the sysadmin's commands return: frozen records, which ``render`` alone turns into text or JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: ``ok`` is True, False (in the way of serving safely) or None (worth knowing).

    ``exit_code`` is what ``solvehost check`` ends with where it failed.
    """

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""
    exit_code: int = 78


@dataclass(frozen=True, slots=True)
class Report:
    """All checks."""

    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """Zero, or the largest code of the checks that failed."""
        return max((check.exit_code for check in self.checks if check.ok is False), default=0)


@dataclass(frozen=True, slots=True)
class Authorized:
    """What became of a key: ``outcome`` is printed, added, replaced or unchanged; ``path`` the file, if any."""

    outcome: str
    line: str
    client: str
    fingerprint: str
    path: Path | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job, stored or just worked on; client and id are empty where a crash left nothing that says them."""

    client: str
    id: str
    state: str
    created: str
    size_bytes: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class JobTable:
    """All jobs, in the order in which they are shown."""

    rows: tuple[JobRow, ...]


@dataclass(frozen=True, slots=True)
class Collected:
    """What retention removed, or would remove: stored jobs beyond their days, and directories that crashes left."""

    expired_jobs: int
    stale_directories: int
    freed_bytes: int
    is_dry_run: bool = False
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: ``source`` is the flag, the file or the default."""

    name: str
    flag: str
    value: str | int | float | bool | None
    unit: str
    source: str
    meaning: str


@dataclass(frozen=True, slots=True)
class SettingTable:
    """All settings."""

    rows: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class FileText:
    """A file for the sysadmin, to be printed as it stands."""

    name: str
    text: str


Result = Report | Authorized | JobTable | Collected | SettingTable | FileText
