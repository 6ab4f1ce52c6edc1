"""The ledger: an SQLite file that records the outcome of every frame, so that a rerun solves only the others.

Only the process that runs a batch writes to it, in one transaction a frame, after the frame's outputs are written;
other processes may read it meanwhile.  It uses SQLite's rollback journal: a write-ahead log needs shared memory, which
home directories on NFS do not have.  After ``kill -9`` the file holds whole transactions, because the system keeps what
was written.  After a power cut it does so because every transaction is synchronised to the disk (FULL), which takes
some milliseconds a frame; with less (NORMAL) a power cut could damage the file, and no other record of the work exists.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from novacli.batch.ledger import schema
from novacli.batch.records import WAITING, FileContent, FrameFile, FrameRecord, LedgerEntry
from novacli.errors import ConfigError, DataError, DeniedError, InputMissingError, OutputError, RetryLaterError
from solvehost.record import record

#: How long a writer waits for a process that reads or copies the ledger.
_BUSY_S = 60.0
#: Rows that are read at once.  The writer can work between two pages; otherwise it would fail after waiting too long
#: for a slow reader, such as a report that is piped into a pager.
_PAGE_ROWS = 500
#: The exit code of a frame that is not solved yet.
_NOT_YET = RetryLaterError.exit_code


@record
class RunRecord:
    """One run over the ledger; ``outcome`` is None while it runs, and if it was killed."""

    number: int
    began_s: float
    ended_s: float | None
    pid: int
    what: list[str]
    frames: int | None
    outcome: str | None


class Ledger:
    """An open ledger."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection

    @classmethod
    def open(cls, path: Path) -> Ledger:
        """Open a ledger for writing; create it if it does not exist.

        Raises
        ------
        OutputError
            If it cannot be created or written.
        DataError
            If the file is not a ledger, or is damaged.
        ConfigError
            If a newer version of nova wrote it.
        """
        with _translated(path):
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as exc:
                raise OutputError(
                    f"{path}: {exc.strerror}: the ledger cannot be kept there; name one by --ledger"
                ) from exc
            db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
            ledger = cls(path, db)
            try:
                ledger._prepare()
            except BaseException:
                db.close()
                raise
            return ledger

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """Open a ledger for reading, even while a batch writes to it.

        Raises
        ------
        InputMissingError
            If it does not exist.
        DeniedError
            If it may not be read.
        DataError
            If the file is not a ledger, or is damaged.
        ConfigError
            If a newer version of nova wrote it.
        """
        missing = f"{path}: there is no ledger: run nova batch first, with the same paths"
        if not os.path.isfile(path):  # noqa: PTH113 - never raises
            raise InputMissingError(missing)
        if not os.access(path, os.R_OK):
            raise DeniedError(f"{path} may not be read: check its permissions")
        with _translated(path):
            # Not mode=ro if possible: a killed run may have left a journal, and rolling it back needs write access.
            mode = "rw" if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK) else "ro"
            uri = f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}"
            db = sqlite3.connect(uri, timeout=_BUSY_S, isolation_level=None, uri=True)
            ledger = cls(path, db)
            try:
                db.execute("PRAGMA query_only = ON")
                if ledger._is_empty():
                    raise InputMissingError(missing)
                ledger._check()
            except BaseException:
                db.close()
                raise
            return ledger

    def close(self) -> None:
        """Close it."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _prepare(self) -> None:
        # First check that it is a ledger: setting the journal mode would change another program's file.
        if not self._is_empty():
            self._check()
        self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.execute("PRAGMA synchronous = FULL")
        with self._transaction():
            if self._is_empty():
                self._execute_all(schema.SCHEMA)
                self._db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
                self._db.execute(f"PRAGMA user_version = {schema.FORMAT}")
            self._execute_all(schema.ADDED_TABLES)
            self._rename_old_table()

    def _rename_old_table(self) -> None:
        """Move the rows of a table that older versions named otherwise."""
        if self._has_table(schema.OLD_UNREPORTED):
            self._db.execute(f"INSERT OR IGNORE INTO unreported SELECT path FROM {schema.OLD_UNREPORTED}")  # noqa: S608
            self._db.execute(f"DROP TABLE {schema.OLD_UNREPORTED}")

    def _execute_all(self, statements: str) -> None:
        """Run statements one by one; ``executescript`` would commit the transaction."""
        for statement in statements.split(";\n")[:-1]:
            self._db.execute(statement)

    def _is_empty(self) -> bool:
        """Return True if the file has no tables: it is new, or the process that created it was killed."""
        return not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]

    def _check(self) -> None:
        found = self._db.execute("PRAGMA application_id").fetchone()[0]
        if found != schema.APPLICATION_ID:
            raise DataError(f"{self.path}: it is not a ledger of nova batch: name another file by --ledger")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > schema.FORMAT:
            newer = (
                f"it was written by a newer version of nova (format {version}, this one reads format {schema.FORMAT})"
            )
            raise ConfigError(f"{self.path}: {newer}: use that version, or name another file by --ledger")
        if version != schema.FORMAT:
            raise DataError(f"{self.path}: it claims format {version}, which does not exist: move it away")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    # -- frames ---------------------------------------------------------------------------------------------------

    def records(self) -> dict[str, FrameRecord]:
        """Return the records of all frames, by path."""
        with _translated(self.path):
            rows = self._db.execute(schema.RECORDS_WITH_DIGESTS if self._has_table("contents") else schema.RECORDS)
            return {_path(path): _record(row) for path, *row in rows}

    def _has_table(self, name: str) -> bool:
        """Return True if the ledger has one of the tables that older versions did not create."""
        found = self._db.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?", (name,))
        return bool(found.fetchone()[0])

    def entries(self) -> Iterator[LedgerEntry]:
        """Yield all rows by path, paths that are not UTF-8 last; the ledger is not locked between pages."""
        after: str | bytes = ""
        while True:
            with _translated(self.path):
                rows = self._db.execute(schema.PAGE, (after, _PAGE_ROWS)).fetchall()
            yield from map(_entry, rows)
            if len(rows) < _PAGE_ROWS:
                return
            after = rows[-1][0]

    def entry(self, path: str) -> LedgerEntry | None:
        """Return the row of a frame, None if there is none."""
        with _translated(self.path):
            row = self._db.execute(schema.ALL + " WHERE path = ?", (_key(path),)).fetchone()
        return None if row is None else _entry(row)

    def put(self, entry: LedgerEntry, *, is_reported: bool = True, written: Iterable[str] | None = ()) -> None:
        """Store a row in one transaction.

        Parameters
        ----------
        entry
            The row; it replaces an earlier one of the same path.
        is_reported
            False if it still has to be reported to the user: :meth:`unreported` returns it until
            :meth:`mark_reported`.
        written
            The paths of the outputs that were written for the frame; None if that is unknown.
        """
        record, key = entry.record, _key(entry.path)
        outputs = "\n".join(sorted(record.outputs))
        values = (record.size, record.mtime_ns, record.sha256, record.params, outputs)
        change = (
            "DELETE FROM unreported WHERE path = ?" if is_reported else "INSERT OR IGNORE INTO unreported VALUES (?)"
        )
        with _translated(self.path), self._transaction():
            fate = (record.fate, record.exit_code, record.tries)
            self._db.execute(schema.PUT, (key, *values, *fate, entry.line, entry.finished_s))
            self._put_content(key, record.content)
            self._db.execute(change, (key,))
            if written is not None:
                self._forget_expected(key)
                self._put_outputs((entry.path, path, True) for path in written)

    def _put_outputs(self, rows: Iterable[tuple[str, str, bool]]) -> None:
        """Store outputs: the frame's path, the output's path, and whether it is written."""
        self._db.executemany(
            "INSERT OR REPLACE INTO output_files VALUES (?, ?, ?)",
            ((_key(frame), _key(path), is_written) for frame, path, is_written in rows),
        )

    def _forget_expected(self, key: str | bytes) -> None:
        """Remove the outputs that a run was about to write for a frame, and has not written."""
        self._db.execute("DELETE FROM output_files WHERE frame = ? AND NOT is_written", (key,))

    def _put_content(self, key: str | bytes, content: FileContent | None) -> None:
        if content is None or content.digest is None:
            self._db.execute("DELETE FROM contents WHERE path = ?", (key,))
        else:
            self._db.execute("INSERT OR REPLACE INTO contents VALUES (?, ?, ?)", (key, content.sha256, content.digest))

    def add_waiting(self, frames: Iterable[FrameFile], params: str, outputs: Iterable[tuple[str, str]] = ()) -> None:
        """Add frames that the ledger does not have yet, as waiting, in one transaction.

        ``outputs`` are the files that the run is about to write and that do not exist yet: pairs of the frame's path
        and the output's path.  If the run is killed, the next one may replace them.
        """
        rows = ((_key(f.path), f.size, f.mtime_ns, params, WAITING, _NOT_YET) for f in frames)
        with _translated(self.path), self._transaction():
            self._db.executemany(schema.ADD, rows)
            self._put_outputs((frame, path, False) for frame, path in outputs)

    def forget_expected(self, frames: Collection[str]) -> None:
        """Remove the outputs that the run was about to write for frames that it did not begin."""
        if not frames:
            return
        with _translated(self.path), self._transaction():
            for frame in frames:
                self._forget_expected(_key(frame))

    def written_outputs(self) -> frozenset[str]:
        """Return the paths of all outputs that runs have written, or were about to write when they were killed."""
        with _translated(self.path):
            if not self._has_table("output_files"):
                return frozenset()
            return frozenset(_path(path) for (path,) in self._db.execute("SELECT path FROM output_files"))

    def refresh(self, frame: FrameFile, content: FileContent | None = None) -> None:
        """Store the size, the time and the content of a file that still has the result in the ledger."""
        key = _key(frame.path)
        with _translated(self.path), self._transaction():
            self._db.execute(
                "UPDATE frames SET size = ?, mtime_ns = ? WHERE path = ?", (frame.size, frame.mtime_ns, key)
            )
            if content is not None:
                self._db.execute("UPDATE frames SET sha256 = ? WHERE path = ?", (content.sha256, key))
                self._put_content(key, content)
            self._forget_expected(key)

    def counts(self) -> dict[str, int]:
        """Return the number of frames of each fate."""
        with _translated(self.path):
            return dict(self._db.execute("SELECT fate, count(*) FROM frames GROUP BY fate").fetchall())

    # -- what was reported to the user -----------------------------------------------------------------------------

    def unreported(self) -> list[LedgerEntry]:
        """Return the rows that were not reported to the user, because a run was killed."""
        with _translated(self.path):
            return [_entry(row) for row in self._db.execute(schema.UNREPORTED)]

    def reported_remarks(self) -> frozenset[str]:
        """Return the remarks that the last run reported."""
        with _translated(self.path):
            return frozenset(remark for (remark,) in self._db.execute("SELECT remark FROM remarks"))

    def mark_reported(self, remarks: Iterable[str]) -> None:
        """Record that all rows, and these remarks on paths, were reported to the user."""
        remarks = frozenset(remarks)
        if not self.unreported() and remarks == self.reported_remarks():
            return
        with _translated(self.path), self._transaction():
            self._db.execute("DELETE FROM unreported")
            self._db.execute("DELETE FROM remarks")
            rows = ((remark,) for remark in remarks)
            self._db.executemany("INSERT OR IGNORE INTO remarks VALUES (?)", rows)

    # -- runs -----------------------------------------------------------------------------------------------------

    def begin_run(self, frames: int | None = None, what: Sequence[str] = ()) -> int:
        """Record that a run begins; return its number.

        ``frames`` is the number of frames to solve, ``what`` the paths as the user gave them.
        """
        with _translated(self.path), self._transaction():
            cursor = self._db.execute(
                "INSERT INTO runs (began_s, pid, what, frames) VALUES (?, ?, ?, ?)",
                (time.time(), os.getpid(), json.dumps(list(what)), frames),
            )
        return int(cursor.lastrowid or 0)

    def end_run(self, number: int, outcome: str) -> None:
        """Record how a run ended."""
        with _translated(self.path), self._transaction():
            self._db.execute(
                "UPDATE runs SET ended_s = ?, outcome = ? WHERE number = ?", (time.time(), outcome, number)
            )

    def last_run(self) -> RunRecord | None:
        """Return the newest run."""
        with _translated(self.path):
            row = self._db.execute(
                "SELECT number, began_s, ended_s, pid, what, frames, outcome FROM runs ORDER BY number DESC LIMIT 1"
            ).fetchone()
        if row is None:
            return None
        number, began_s, ended_s, pid, what, frames, outcome = row
        return RunRecord(number, began_s, ended_s, pid, json.loads(what), frames, outcome)


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Translate errors of SQLite into errors whose messages say what to do."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        if "locked" in str(exc):
            raise OutputError(f"{path}: another program has locked the ledger: end it, and run this again") from exc
        if "readonly" in str(exc):
            denied = "you may not write to it, and the traces of a killed run must be removed first"
            raise DeniedError(f"{path}: {denied}: ask its owner to run the batch again") from exc
        remedy = "free some space" if "full" in str(exc) else "check the disk, or name another file by --ledger"
        raise OutputError(f"{path}: the ledger cannot be written or read ({exc}): {remedy}") from exc
    except sqlite3.DatabaseError as exc:
        raise DataError(f"{path}: the ledger is damaged ({exc}): move it away, and all frames are new again") from exc


def _key(path: str) -> str | bytes:
    """Return a path as the table stores it: as bytes if it is not UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def _path(key: str | bytes) -> str:
    return os.fsdecode(key)


def _record(row: Sequence[object]) -> FrameRecord:
    size, mtime_ns, sha256, params, outputs, fate, exit_code, tries, *digest = row
    words = frozenset(str(outputs).split("\n")) if outputs else frozenset()
    return FrameRecord(size, mtime_ns, sha256, params, words, fate, exit_code, tries, *digest)  # type: ignore[arg-type]


def _entry(row: Sequence[Any]) -> LedgerEntry:
    path, *values, line, finished_s = row
    return LedgerEntry(_path(path), _record(values), line, finished_s)
