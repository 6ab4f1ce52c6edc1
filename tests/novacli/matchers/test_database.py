"""The database of star patterns: made once, whole or not at all, checked when it is read."""

from __future__ import annotations

import sys
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
    database.load.cache_clear()
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
