"""The ledger: a dictionary that survives any end of the process, and can be read while it is written."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from novacli.batch.ledger import database as module
from novacli.batch.ledger.database import Ledger
from novacli.batch.ledger.schema import FORMAT
from novacli.batch.records import FATES, WAITING, FileContent, FrameFile, FrameRecord, LedgerEntry
from novacli.errors import ConfigError, DataError, DeniedError, InputMissingError, OutputError

SOURCE = Path(__file__).parents[4] / "src"


def entry(path: str = "/n/a.fits", fate: str = "solved", line: str | None = "{}", tries: int = 1) -> LedgerEntry:
    known = FrameRecord(10, 5, "ab" * 32, "params", frozenset({"wcs", "update"}), fate, 0, tries)
    return LedgerEntry(path, known, line, 1.5)


PATHS = st.sampled_from(["/a", "/a/b.fits", "/é", "/line\nfeed", "/\udcff", "/\udcff\udc80", "/𝄞", "/A", "/a'b", "/ "])
NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1)
SHA256S = st.text("0123456789abcdef", min_size=1, max_size=64)
KNOWN = st.builds(
    FrameRecord,
    size=st.integers(0, 2**62),
    mtime_ns=NUMBERS,
    sha256=SHA256S,
    digest=st.none() | SHA256S,
    params=st.text(max_size=9),
    outputs=st.frozensets(st.text("abc:/_", min_size=1, max_size=5), max_size=3),
    fate=st.sampled_from(FATES),
    exit_code=st.integers(0, 78),
    tries=st.integers(0, 9),
)
CONTENTS = st.builds(FileContent, SHA256S, st.none() | SHA256S)
# A line is JSON in ASCII: see reports/jsonlines.py.
ENTRIES = st.builds(
    LedgerEntry,
    path=PATHS,
    record=KNOWN,
    line=st.none() | st.text(st.characters(max_codepoint=126, min_codepoint=32)),
    finished_s=st.none() | st.floats(0, 1e12),
)


def without_digest(entry: LedgerEntry) -> LedgerEntry:
    """The entry as the ledger returns it one by one: the digest is read with all records alone."""
    return replace(entry, record=replace(entry.record, digest=None))


def by_key(path: str) -> tuple[bool, bytes]:
    """The order of a ledger: names in UTF-8 by their bytes, and then the others."""
    return any("\ud800" <= c <= "\udfff" for c in path), os.fsencode(path)


class LedgerModel(RuleBasedStateMachine):
    """A ledger does what a dictionary does, across any number of openings."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="nova-ledger-"))
        self.path = self.folder / "sub" / "l.sqlite"
        self.model: dict[str, LedgerEntry] = {}
        self.ledger = Ledger.open(self.path)

    @rule(entry=ENTRIES)
    def put(self, entry: LedgerEntry) -> None:
        self.ledger.put(entry)
        self.model[entry.path] = entry

    @rule(paths=st.lists(PATHS), mtime_ns=NUMBERS)
    def add_waiting(self, paths: list[str], mtime_ns: int) -> None:
        self.ledger.add_waiting((FrameFile(path, 7, mtime_ns) for path in paths), "p")
        for path in paths:
            known = FrameRecord(7, mtime_ns, None, "p", frozenset(), WAITING, 75, 0)
            self.model.setdefault(path, LedgerEntry(path, known))

    @rule(path=PATHS, size=st.integers(0, 2**62), mtime_ns=NUMBERS, content=st.none() | CONTENTS)
    def refresh(self, path: str, size: int, mtime_ns: int, content: FileContent | None) -> None:
        self.ledger.refresh(FrameFile(path, size, mtime_ns), content)
        if path in self.model:
            old = self.model[path]
            record = replace(old.record, size=size, mtime_ns=mtime_ns)
            if content is not None:
                record = replace(record, sha256=content.sha256, digest=content.digest)
            self.model[path] = replace(old, record=record)

    @rule()
    def reopen(self) -> None:
        self.ledger.close()
        self.ledger = Ledger.open(self.path)

    @invariant()
    def holds_what_the_dictionary_holds(self) -> None:
        with Ledger.read(self.path) as reader:
            assert reader.records() == {path: kept.record for path, kept in self.model.items()}
            assert list(reader.entries()) == [
                without_digest(self.model[path]) for path in sorted(self.model, key=by_key)
            ]
            assert sum(reader.counts().values()) == len(self.model)
            for path in ("/a", "/\udcff"):
                kept = self.model.get(path)
                assert reader.entry(path) == (None if kept is None else without_digest(kept))

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.folder)


TestModel = LedgerModel.TestCase
TestModel.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "l.sqlite"


def test_pages_hold_each_row_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGE_ROWS", 3)
    for count in (0, 1, 2, 3, 4, 6, 7):
        with Ledger.open(path.with_suffix(f".{count}")) as ledger:
            names = [f"/{n}" for n in range(count - 1)] + (["/\udcff"] if count else [])
            for name in reversed(names):
                ledger.put(entry(name))
            assert [e.path for e in ledger.entries()] == names


def test_runs_are_counted_and_an_unfinished_one_has_no_outcome(path: Path) -> None:
    with Ledger.open(path) as ledger:
        assert ledger.last_run() is None
        first = ledger.begin_run(5, ["/n", "\udcff"])
        ledger.end_run(first, "done")
        assert ledger.last_run().what == ["/n", "\udcff"]  # type: ignore[union-attr]
        second = ledger.begin_run()
        last = ledger.last_run()
        assert last is not None
        assert (last.number, last.pid, last.frames, last.ended_s, last.outcome) == (
            second,
            os.getpid(),
            None,
            None,
            None,
        )
        ledger.end_run(second, "stopped")
        last = ledger.last_run()
        assert last is not None
        assert last.outcome == "stopped"
        assert last.ended_s is not None
        assert last.ended_s >= last.began_s


class TestReaders:
    def test_a_slow_reader_does_not_block_the_writer(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_PAGE_ROWS", 2)
        monkeypatch.setattr(module, "_BUSY_S", 0.0)
        with Ledger.open(path) as writer:
            for n in range(6):
                writer.put(entry(f"/{n}"))
            with Ledger.read(path) as reader:
                rows = reader.entries()
                assert next(rows).path == "/0"
                writer.put(entry("/3", "failed"))
                writer.put(entry("/6"))
                rest = list(rows)
        assert [e.path for e in rest] == [f"/{n}" for n in range(1, 7)]
        assert rest[2].record.fate == "failed"

    def test_a_reader_cannot_write(self, path: Path) -> None:
        Ledger.open(path).close()
        with Ledger.open(path) as writer:
            writer.put(entry())
        with Ledger.read(path) as reader, pytest.raises(DeniedError, match="may not write"):
            reader.put(entry("/b"))

    def test_a_user_who_may_only_read_can_read(self, path: Path) -> None:
        with Ledger.open(path) as writer:
            writer.put(entry())
        path.chmod(0o400)
        path.parent.chmod(0o500)
        try:
            with Ledger.read(path) as reader:
                assert list(reader.records()) == ["/n/a.fits"]
        finally:
            path.parent.chmod(0o700)

    def test_an_unfinished_transaction_of_a_killed_run_is_rolled_back(self, path: Path, tmp_path: Path) -> None:
        killed = tmp_path / "killed.sqlite"
        with Ledger.open(path) as writer:
            for n in range(200):
                writer.put(entry(f"/{n:03}", line="x" * 1000))
            writer._db.execute("PRAGMA cache_size = 1")  # so that it spills into the file before the end
            writer._db.execute("BEGIN IMMEDIATE")
            writer._db.execute("UPDATE frames SET fate = 'failed', line = replace(line, 'x', 'y')")
            shutil.copy(path, killed)
            shutil.copy(f"{path}-journal", f"{killed}-journal")
            writer._db.execute("ROLLBACK")
        assert b"yyy" in killed.read_bytes()
        with Ledger.read(killed) as reader:
            assert {(e.record.fate, e.line) for e in reader.entries()} == {("solved", "x" * 1000)}

    def test_a_missing_ledger_is_an_error(self, path: Path) -> None:
        for make in (lambda: None, path.touch):
            make()
            with pytest.raises(InputMissingError, match="there is no ledger"):
                Ledger.read(path)
        with Ledger.open(path) as ledger:  # an empty file, as a killed run may leave, is a new ledger
            assert ledger.records() == {}


class TestBadFiles:
    @pytest.mark.parametrize("how", [Ledger.open, Ledger.read])
    def test_a_file_that_is_not_a_database_is_an_error(self, how: object, path: Path) -> None:
        path.write_bytes(b"SIMPLE  =                    T" * 100)
        with pytest.raises(DataError, match=r"damaged.*move it away"):
            how(path)  # type: ignore[operator]

    @pytest.mark.parametrize("how", [Ledger.open, Ledger.read])
    def test_another_programs_database_is_not_changed(self, how: object, path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE t (x)")
        before = path.read_bytes()
        with pytest.raises(DataError, match="not a ledger of nova batch"):
            how(path)  # type: ignore[operator]
        assert path.read_bytes() == before

    @pytest.mark.parametrize("how", [Ledger.open, Ledger.read])
    def test_a_newer_format_says_what_to_do(self, how: object, path: Path) -> None:
        Ledger.open(path).close()
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute(f"PRAGMA user_version = {FORMAT + 1}")
        with pytest.raises(ConfigError, match=r"newer version of nova.*--ledger"):
            how(path)  # type: ignore[operator]

    def test_damaged_pages_give_one_line(self, path: Path) -> None:
        with Ledger.open(path) as ledger:
            for n in range(300):
                ledger.put(entry(f"/{n:04}", line="x" * 500))
        content = bytearray(path.read_bytes())
        for at in range(8192, len(content), 4096):
            content[at : at + 200] = b"\xa5" * 200
        path.write_bytes(content)
        with Ledger.open(path) as ledger, pytest.raises(DataError, match="damaged"):
            ledger.records()
        with Ledger.read(path) as ledger, pytest.raises(DataError, match="damaged"):
            list(ledger.entries())

    def test_a_folder_that_cannot_be_created_is_an_error(self, path: Path) -> None:
        path.write_bytes(b"")
        with pytest.raises(OutputError, match="--ledger"):
            Ledger.open(path / "l")

    def test_a_full_disk_is_reported_and_the_ledger_stays_whole(self, path: Path) -> None:
        with Ledger.open(path) as ledger:
            ledger.put(entry())
            ledger._db.execute("PRAGMA max_page_count = 8")
            with pytest.raises(OutputError, match=r"full.*free some space"):
                for n in range(500):
                    ledger.put(entry(f"/{n}", line="x" * 3000))
            count = len(ledger.records())
        with Ledger.open(path) as ledger:
            assert ledger.records()["/n/a.fits"] == entry().record
            assert len(list(ledger.entries())) == count

    def test_a_lock_that_is_never_released_is_an_error(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_BUSY_S", 0.0)
        with Ledger.open(path) as ledger, contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("BEGIN EXCLUSIVE")
            with pytest.raises(OutputError, match="another program has locked the ledger"):
                ledger.put(entry())


WRITER = """
import sys, time
from pathlib import Path
from novacli.batch.ledger.database import Ledger
from novacli.batch.records import FrameRecord, LedgerEntry
with Ledger.open(Path(sys.argv[1])) as ledger:
    first = len(ledger.records())
    for n in range(first, 100_000):
        known = FrameRecord(n, n, f"{n:064x}", "p", frozenset(), "solved", 0, 1)
        ledger.put(LedgerEntry(f"/{n:06}", known, str(n) * 700, 1.0))
        print(n, flush=True)
        time.sleep(float(sys.argv[2]))
"""


def test_kill_9_in_the_middle_of_puts_leaves_a_whole_ledger(path: Path) -> None:
    """All acknowledged rows are there, and at most one more; the next writer goes on from them."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)}
    expected = 0
    for round_number in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), "0"], env=env, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(5 + 7 * round_number):
                expected = int(writer.stdout.readline()) + 1
            writer.send_signal(signal.SIGKILL)
            expected += len(writer.stdout.read().split())
        with Ledger.read(path) as ledger:
            entries = list(ledger.entries())
        assert len(entries) in (expected, expected + 1)
        assert [e.path for e in entries] == [f"/{n:06}" for n in range(len(entries))]
        assert all(e.line == str(n) * 700 and e.record.size == n for n, e in enumerate(entries))
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_reader_beside_a_busy_writer_sees_whole_rows_and_never_fewer(path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), "0.01"], env=env, stdout=subprocess.PIPE, text=True
    ) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            seen = 0
            for _ in range(20):
                with Ledger.read(path) as ledger:
                    count = len(ledger.records())
                    assert all(e.line == str(e.record.size) * 700 for e in ledger.entries())
                assert count >= seen
                seen = count
                writer.stdout.readline()
        finally:
            writer.kill()
    assert seen > 1


class TestReported:
    def test_rows_are_unreported_until_they_are_marked(self, path: Path) -> None:
        with Ledger.open(path) as ledger:
            ledger.put(entry("/a", "unsolved"), is_reported=False)
            ledger.put(entry("/b", "failed"), is_reported=False)
            ledger.put(entry("/c", "failed"))
        with Ledger.open(path) as ledger:
            assert [e.path for e in ledger.unreported()] == ["/a", "/b"]
            ledger.put(entry("/a", "solved"))
            assert [e.path for e in ledger.unreported()] == ["/b"]
            ledger.mark_reported(["/loop cannot be looked at"])
            assert ledger.unreported() == []
            assert ledger.reported_remarks() == {"/loop cannot be looked at"}
            ledger.mark_reported([])
            assert ledger.reported_remarks() == frozenset()

    def test_a_ledger_of_an_older_version_stays_usable(self, path: Path) -> None:
        with Ledger.open(path) as ledger:
            ledger.put(entry("/a"))
            for table in ("contents", "unreported", "remarks", "output_files"):
                ledger._db.execute(f"DROP TABLE {table}")
        with Ledger.read(path) as ledger:
            assert list(ledger.records()) == ["/a"]
        with Ledger.open(path) as ledger:
            assert ledger.unreported() == []
            assert ledger.records()["/a"] == entry().record

    def test_what_an_older_version_had_not_reported_is_kept(self, path: Path) -> None:
        with Ledger.open(path) as ledger:
            ledger.put(entry("/a", "failed"))
            ledger._db.execute("CREATE TABLE untold (path PRIMARY KEY)")
            ledger._db.execute("INSERT INTO untold VALUES ('/a')")
        for _ in range(2):
            with Ledger.open(path) as ledger:
                assert [e.path for e in ledger.unreported()] == ["/a"]

    def test_a_digest_counts_only_with_its_content(self, path: Path) -> None:
        """An older version of nova stores a new content, and leaves the digest of the old one."""
        with Ledger.open(path) as ledger:
            ledger.put(LedgerEntry("/a", replace(entry().record, digest="d1g")))
            assert ledger.records()["/a"].digest == "d1g"
            ledger._db.execute("UPDATE frames SET sha256 = 'other'")
            assert ledger.records()["/a"].digest is None


class TestOutputs:
    """The files that the batch wrote, which later runs may replace."""

    def test_outputs_stay_when_the_frame_is_not_solved_later(self, path: Path) -> None:
        with Ledger.open(path) as ledger:
            ledger.put(entry("/a"), written=["/a.wcs", "/a.corr"])
            ledger.put(entry("/a", "unsolved"))
            assert ledger.written_outputs() == {"/a.wcs", "/a.corr"}

    def test_expected_outputs_count_until_their_frame_is_done(self, path: Path) -> None:
        """As after a run that was killed; a frame without a solution has written none of them."""
        expected = [("/a", "/a.wcs"), ("/b", "/b.wcs"), ("/c", "/c.wcs"), ("/d", "/d.wcs"), ("/\udcff", "/\udcff.wcs")]
        with Ledger.open(path) as ledger:
            ledger.add_waiting([], "p", expected)
            assert ledger.written_outputs() == {output for _, output in expected}
            ledger.put(entry("/a", "unsolved"))
            ledger.put(entry("/b", "failed"), written=None)
            ledger.refresh(FrameFile("/c", 1, 1))
            ledger.forget_expected(["/d", "/\udcff"])
            assert ledger.written_outputs() == {"/b.wcs"}

    def test_a_ledger_of_an_older_version_lists_none(self, path: Path) -> None:
        with Ledger.open(path) as ledger:
            ledger._db.execute("DROP TABLE output_files")
        with Ledger.read(path) as ledger:
            assert ledger.written_outputs() == frozenset()
