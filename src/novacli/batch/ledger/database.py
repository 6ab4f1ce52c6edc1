"""The ledger: an SQLite file that holds what became of every frame, so that a rerun does only what is left.

Only the process that runs a batch writes it, one transaction a frame, after the frame's outputs are in place; anybody
may read it meanwhile.  The journal is SQLite's plain one: a write-ahead log needs shared memory, which homes on NFS
do not have.  ``kill -9`` at any moment leaves whole transactions, whatever is synchronised, since the system keeps
what was written; a power cut does so because everything is synchronised (FULL), at some milliseconds a frame.  With
less (NORMAL) it could damage the file, and nothing else knows what was done.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from novacli.batch.records import WAITING, FrameFile, FrameRecord, LedgerEntry
from novacli.errors import ConfigError, DataError, DeniedError, InputMissingError, OutputError, RetryLaterError

#: In the file's header, so that ``file`` and other programs can tell it: "nova".
APPLICATION_ID = 0x6E6F7661
FORMAT = 1
#: Who reads the ledger, or takes a copy of it, holds the writer up for no longer than this.
_BUSY_S = 60.0
#: Rows that are read at once.  Between two such looks the writer has its turn: one that waits longer than its patience
#: for a slow reader, such as a report piped into a pager, would fail.
_PAGE_ROWS = 500
_INT64 = 2**63 - 1
#: The exit code that a frame stands for whose turn has not come.
_NOT_YET = RetryLaterError.exit_code
_SCHEMA = """
CREATE TABLE frames (
    path PRIMARY KEY,       -- absolute; text, or bytes where it is no UTF-8
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 TEXT,
    params TEXT NOT NULL,
    outputs TEXT NOT NULL,  -- words separated by line feeds
    fate TEXT NOT NULL,
    exit_code INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    line TEXT,              -- the JSON object of the result
    finished_s REAL         -- seconds since 1970
);
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    began_s REAL NOT NULL,
    ended_s REAL,
    pid INTEGER NOT NULL,
    what TEXT NOT NULL,     -- the paths that were given, as JSON
    frames INTEGER,         -- how many there were to do
    outcome TEXT            -- how it ended; none while it runs, or where it was killed
);
"""
_KNOWN = "SELECT path, size, mtime_ns, sha256, params, outputs, fate, exit_code, tries FROM frames"
_ALL = "SELECT path, size, mtime_ns, sha256, params, outputs, fate, exit_code, tries, line, finished_s FROM frames"
_PAGE = _ALL + " WHERE path > ? ORDER BY path LIMIT ?"
_PUT = "INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADD = "INSERT OR IGNORE INTO frames VALUES (?, ?, ?, NULL, ?, '', ?, ?, 0, NULL, NULL)"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run over the ledger; ``outcome`` is None while it runs, and of one that was killed."""

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
        """Open a ledger to write into; make it where there is none.

        Raises
        ------
        OutputError
            Where it cannot be made or written.
        DataError
            Where the file is no ledger, or is damaged.
        ConfigError
            Where a newer version of nova wrote it.
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
        """Open a ledger to look into, perhaps while a batch runs.

        Raises
        ------
        InputMissingError
            Where there is none.
        DeniedError
            Where it may not be read.
        DataError
            Where the file is no ledger, or is damaged.
        ConfigError
            Where a newer version of nova wrote it.
        """
        missing = f"{path}: there is no ledger: run nova batch first, with the same paths"
        if not os.path.isfile(path):  # noqa: PTH113 - never raises
            raise InputMissingError(missing)
        if not os.access(path, os.R_OK):
            raise DeniedError(f"{path} may not be read: check its permissions")
        with _translated(path):
            # Not mode=ro: a run that was killed may have left a journal, and only who may write can roll it back.
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
        # First whether it is ours: to set the journal of another program's file would change that file.
        if not self._is_empty():
            self._check()
        self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.execute("PRAGMA synchronous = FULL")
        with self._transaction():
            if not self._is_empty():
                return
            for statement in _SCHEMA.split(";\n")[:-1]:
                self._db.execute(statement)
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version = {FORMAT}")

    def _is_empty(self) -> bool:
        """Say whether there is nothing in the file: a new one, or one whose maker was killed first."""
        return not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]

    def _check(self) -> None:
        found = self._db.execute("PRAGMA application_id").fetchone()[0]
        if found != APPLICATION_ID:
            raise DataError(f"{self.path}: it is no ledger of nova batch: name another file by --ledger")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > FORMAT:
            newer = f"it was written by a newer version of nova (format {version}, this one knows {FORMAT})"
            raise ConfigError(f"{self.path}: {newer}: use that version, or name another file by --ledger")
        if version != FORMAT:
            raise DataError(f"{self.path}: it says that it has format {version}, which never was: move it away")

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

    def known(self) -> dict[str, FrameRecord]:
        """Return what is known of every frame, by its path, in one look."""
        with _translated(self.path):
            rows = self._db.execute(_KNOWN)
            return {_path(path): _known(row) for path, *row in rows}

    def entries(self) -> Iterator[LedgerEntry]:
        """Yield all rows, by path, those that are no UTF-8 last; the ledger is not held up between them."""
        after: str | bytes = ""
        while True:
            with _translated(self.path):
                rows = self._db.execute(_PAGE, (after, _PAGE_ROWS)).fetchall()
            for path, *row in rows:
                yield LedgerEntry(_path(path), _known(row[:-2]), row[-2], row[-1])
            if len(rows) < _PAGE_ROWS:
                return
            after = rows[-1][0]

    def entry(self, path: str) -> LedgerEntry | None:
        """Return the row of a frame, None where there is none."""
        with _translated(self.path):
            row = self._db.execute(_ALL + " WHERE path = ?", (_key(path),)).fetchone()
        return None if row is None else LedgerEntry(_path(row[0]), _known(row[1:-2]), row[-2], row[-1])

    def put(self, entry: LedgerEntry) -> None:
        """Keep what became of a frame, in one transaction."""
        k = entry.known
        outputs = "\n".join(sorted(k.outputs))
        values = (k.size, _int64(k.mtime_ns), k.sha256, k.params, outputs, k.fate, k.exit_code, k.tries)
        with _translated(self.path), self._transaction():
            self._db.execute(_PUT, (_key(entry.path), *values, entry.line, entry.finished_s))

    def add_waiting(self, frames: Iterable[FrameFile], params: str) -> None:
        """Note frames that were never seen before, all in one transaction, so that it is known what is left."""
        rows = ((_key(f.path), f.size, _int64(f.mtime_ns), params, WAITING, _NOT_YET) for f in frames)
        with _translated(self.path), self._transaction():
            self._db.executemany(_ADD, rows)

    def touch(self, frame: FrameFile) -> None:
        """Note the new time of a frame whose content is as it was."""
        with _translated(self.path), self._transaction():
            self._db.execute(
                "UPDATE frames SET mtime_ns = ? WHERE path = ?", (_int64(frame.mtime_ns), _key(frame.path))
            )

    def counts(self) -> dict[str, int]:
        """Return how many frames have each fate."""
        with _translated(self.path):
            return dict(self._db.execute("SELECT fate, count(*) FROM frames GROUP BY fate").fetchall())

    # -- runs -----------------------------------------------------------------------------------------------------

    def begin_run(self, frames: int | None = None, what: Sequence[str] = ()) -> int:
        """Note that a run begins, with so many frames to do, over paths as they were given; return its number."""
        with _translated(self.path), self._transaction():
            cursor = self._db.execute(
                "INSERT INTO runs (began_s, pid, what, frames) VALUES (?, ?, ?, ?)",
                (time.time(), os.getpid(), json.dumps(list(what)), frames),
            )
        return int(cursor.lastrowid or 0)

    def end_run(self, number: int, outcome: str) -> None:
        """Note how a run ended."""
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
    """Make errors of the database ones that say what to do."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        if "locked" in str(exc):
            raise OutputError(f"{path}: another program holds the ledger locked: end it, and run this again") from exc
        if "readonly" in str(exc):
            denied = "it may not be written here, and a run that was cut off has to be tidied up first"
            raise DeniedError(f"{path}: {denied}: ask its owner to run the batch again") from exc
        remedy = "free some space" if "full" in str(exc) else "check the disk, or name another file by --ledger"
        raise OutputError(f"{path}: the ledger cannot be written or read ({exc}): {remedy}") from exc
    except sqlite3.DatabaseError as exc:
        raise DataError(f"{path}: the ledger is damaged ({exc}): move it away, and all frames are new again") from exc


def _int64(number: int) -> int:
    """Return a time cut to what an integer of SQLite holds: some file systems have later ones."""
    return max(-_INT64, min(number, _INT64))


def _key(path: str) -> str | bytes:
    """Return a path as the table has it: what is no UTF-8 as bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def _path(key: str | bytes) -> str:
    return os.fsdecode(key)


def _known(row: list[object]) -> FrameRecord:
    size, mtime_ns, sha256, params, outputs, fate, exit_code, tries = row
    words = frozenset(str(outputs).split("\n")) if outputs else frozenset()
    return FrameRecord(size, mtime_ns, sha256, params, words, fate, exit_code, tries)  # type: ignore[arg-type]
