"""The cache of index files spares reading headers, and never changes what a scan returns."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from standin import write_index

from solvehost.indexes import index_file, index_set
from solvehost.indexes.cache import IndexCache


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose headers were read."""
    names: list[str] = []
    read_index = index_file.read_index

    def note(path: Path) -> index_file.IndexFile:
        names.append(path.name)
        return read_index(path)

    monkeypatch.setattr(index_set, "read_index", note)
    return names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two index files and a damaged one."""
    folder = tmp_path / "indexes"
    folder.mkdir()
    write_index(folder / "index-1.fits")
    write_index(folder / "index-2.fits", 100.0, 140.0, HEALPIX=3, HPNSIDE=2)
    (folder / "index-3.fits").write_bytes(b"SIMPLE  = nonsense")
    return folder


def scan(folder: Path) -> index_set.IndexSet:
    return index_set.scan([folder], IndexCache(folder.parent / "cache" / "indexes.json"))


def test_a_second_scan_returns_the_same_without_reading(folder: Path, opened: list[str]) -> None:
    """Damaged files are read each time, because they may have been replaced."""
    first = scan(folder)
    assert opened == ["index-1.fits", "index-2.fits", "index-3.fits"]
    opened.clear()
    assert scan(folder) == first == index_set.scan([folder])
    assert opened[:1] == ["index-3.fits"]


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_file_that_changed_is_read_again(folder: Path, opened: list[str], change: str) -> None:
    scan(folder)
    opened.clear()
    path = folder / "index-1.fits"
    if change == "size":
        status = path.stat()
        write_index(path, 10.0, 20.0)
        with path.open("ab") as stream:
            stream.write(bytes(2880))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    else:
        write_index(path, 10.0, 20.0)
        os.utime(path, ns=(1, 1))
    found = scan(folder)
    assert opened == ["index-1.fits", "index-3.fits"]
    assert found == index_set.scan([folder])


def test_a_deleted_file_is_no_longer_found(folder: Path) -> None:
    scan(folder)
    (folder / "index-1.fits").unlink()
    assert [file.path.name for file in scan(folder).files] == ["index-2.fits"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"format": 99, "files": {}}', '{"format": 1, "files": []}', "[" * 100_000]
)
def test_a_damaged_cache_is_ignored_and_replaced(folder: Path, text: str) -> None:
    first = scan(folder)
    cache = folder.parent / "cache" / "indexes.json"
    cache.write_text(text)
    assert scan(folder) == first
    assert len(json.loads(cache.read_text())["files"]) == 2


@pytest.mark.parametrize("entry", [None, [], [1, 2, 3], "x", {"a": 1}])
def test_a_damaged_entry_is_ignored(folder: Path, entry: object) -> None:
    first = scan(folder)
    cache = folder.parent / "cache" / "indexes.json"
    value = json.loads(cache.read_text())
    stated = value["files"][str(folder / "index-1.fits")]
    value["files"][str(folder / "index-1.fits")] = [*stated[:2], *entry] if isinstance(entry, list) else entry
    cache.write_text(json.dumps(value))
    assert scan(folder) == first


def test_a_cache_that_cannot_be_written_is_no_error(folder: Path) -> None:
    (folder.parent / "cache").write_text("a file")
    assert len(scan(folder).files) == 2


def test_entries_of_other_directories_are_kept(folder: Path, tmp_path: Path, opened: list[str]) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write_index(other / "index-9.fits")
    cache = IndexCache(tmp_path / "cache" / "indexes.json")
    index_set.scan([other], cache)
    scan(folder)
    opened.clear()
    index_set.scan([other], IndexCache(tmp_path / "cache" / "indexes.json"))
    assert opened == []
