"""The tables of a ledger, and the SQL statements of :mod:`novacli.batch.ledger.database`."""

from __future__ import annotations

#: "nova", in the header of the file, by which ``file`` and other programs recognise it.
APPLICATION_ID = 0x6E6F7661
FORMAT = 1
SCHEMA = """
CREATE TABLE frames (
    path PRIMARY KEY,       -- absolute; text, or bytes if it is not UTF-8
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
    frames INTEGER,         -- number of frames to solve
    outcome TEXT            -- how it ended; NULL while it runs, or if it was killed
);
"""
#: Tables that ledgers of older versions lack.  They are no part of the format: older versions ignore them.
ADDED_TABLES = """
CREATE TABLE IF NOT EXISTS contents (  -- digests that leave out the solution
    path PRIMARY KEY,
    sha256 TEXT NOT NULL,   -- the row counts while the frame's row has the same one
    digest TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS unreported (
    path PRIMARY KEY        -- of a frame that was not solved, until a run has reported that to the user
);
CREATE TABLE IF NOT EXISTS remarks (
    remark PRIMARY KEY      -- on a path that could not be read, as the last run reported it
);
CREATE TABLE IF NOT EXISTS output_files (
    frame NOT NULL,         -- the frame's path
    path NOT NULL,          -- absolute path of an output
    is_written INTEGER NOT NULL,  -- 0 while a run is about to write it, or was killed before it recorded that
    PRIMARY KEY (frame, path)
) WITHOUT ROWID;
"""
#: The name of the table ``unreported`` in older ledgers; its rows are moved.
OLD_UNREPORTED = "untold"
COLUMNS = "path, size, mtime_ns, sha256, params, outputs, fate, exit_code, tries"
RECORDS = f"SELECT {COLUMNS} FROM frames"  # noqa: S608 - constants
RECORDS_WITH_DIGESTS = """
SELECT f.path, f.size, f.mtime_ns, f.sha256, f.params, f.outputs, f.fate, f.exit_code, f.tries, c.digest
FROM frames AS f LEFT JOIN contents AS c ON c.path = f.path AND c.sha256 = f.sha256
"""
ALL = f"SELECT {COLUMNS}, line, finished_s FROM frames"  # noqa: S608
PAGE = ALL + " WHERE path > ? ORDER BY path LIMIT ?"
PUT = "INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
UNREPORTED = ALL + " WHERE path IN (SELECT path FROM unreported) ORDER BY path"  # noqa: S608
ADD = "INSERT OR IGNORE INTO frames VALUES (?, ?, ?, NULL, ?, '', ?, ?, 0, NULL, NULL)"
