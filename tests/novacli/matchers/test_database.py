"""The database of star patterns: made once, whole or not at all, checked when it is read."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from made_patterns import make_database

from novacli.errors import OutputError, UnavailableError
from novacli.matchers import database


def test_a_database_is_made_in_place_of_a_damaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tetra3rs", reason="the extra patterns is not installed")
    monkeypatch.setattr(database, "NARROWEST_DEG", 60.0)  # one width, so that it takes a tenth of a second
    file = tmp_path / "cache" / "patterns-1.bin"
    file.parent.mkdir()
    file.write_bytes(b"damaged")
    (file.parent / "patterns-0.bin").touch()
    with pytest.raises(UnavailableError, match=r"patterns-1\.bin: .*nova doctor --fix"):
        database.load(file)
    database.make(file)
    assert database.load(file).num_patterns > 1000
    assert [path.name for path in file.parent.iterdir()] == ["patterns-1.bin"]


def test_a_database_for_other_widths_is_refused(tmp_path: Path) -> None:
    make_database(tmp_path / "patterns.bin")
    with pytest.raises(UnavailableError, match="for fields of other widths"):
        database.load(tmp_path / "patterns.bin")


def test_without_the_package_no_database_is_made_or_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tetra3rs", None)
    with pytest.raises(UnavailableError, match="pip install"):
        database.make(tmp_path / "patterns.bin")
    with pytest.raises(UnavailableError, match="nova doctor --fix"):
        database.load(tmp_path / "patterns.bin")


def test_a_place_that_cannot_be_written_is_an_error_of_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tetra3rs", reason="the extra patterns is not installed")
    monkeypatch.setattr(database, "NARROWEST_DEG", 60.0)
    (tmp_path / "cache").touch()
    with pytest.raises(OutputError, match="cache"):
        database.make(tmp_path / "cache" / "patterns.bin")


def test_a_file_is_read_once_until_it_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged one, too; threads that need it at once wait for the first to read it."""
    file, read = tmp_path / "patterns.bin", []

    def look(path: Path) -> str:
        read.append(path)
        time.sleep(0.01)
        return f"{path}: damaged"

    def load(_n: int) -> None:
        with pytest.raises(UnavailableError, match="damaged"):
            database.load(file)

    monkeypatch.setattr(database, "_database_or_error", look)
    file.write_bytes(b"damaged")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(load, range(8)))
    assert read == [file]
    (tmp_path / "new").write_bytes(b"another")
    (tmp_path / "new").replace(file)
    load(0)
    assert read == [file, file]
