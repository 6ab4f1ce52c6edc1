"""The cache of index files spares looks, and never says anything else than a look would."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from test_index_set import write_index

from solvehost.indexes import index_set
from solvehost.indexes.cache import IndexCache


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were opened."""
    names: list[str] = []
    read_index = index_set.read_index

    def note(path: Path) -> index_set.IndexFile:
        names.append(path.name)
        return read_index(path)

    monkeypatch.setattr(index_set, "read_index", note)
    return names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two index files and one that is damaged."""
    folder = tmp_path / "indexes"
    folder.mkdir()
    write_index(folder / "index-1.fits")
    write_index(folder / "index-2.fits", low=100.0, high=140.0, HEALPIX=3, HPNSIDE=2)
    (folder / "index-3.fits").write_bytes(b"SIMPLE  = nonsense")
    return folder


def scan(folder: Path) -> index_set.IndexSet:
    return index_set.scan([folder], IndexCache(folder.parent / "cache" / "indexes.json"))


def test_what_is_recalled_is_what_was_read(folder: Path, looked_at: list[str]) -> None:
    """Damaged files are looked at each time: they may have been mended."""
    first = scan(folder)
    assert looked_at == ["index-1.fits", "index-2.fits", "index-3.fits"]
    looked_at.clear()
    assert scan(folder) == first == index_set.scan([folder])
    assert looked_at[:1] == ["index-3.fits"]


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_file_that_changed_is_read_again(folder: Path, looked_at: list[str], change: str) -> None:
    scan(folder)
    looked_at.clear()
    path = folder / "index-1.fits"
    if change == "size":
        status = path.stat()
        write_index(path, low=10.0, high=20.0)
        with path.open("ab") as stream:
            stream.write(bytes(2880))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    else:
        write_index(path, low=10.0, high=20.0)
        os.utime(path, ns=(1, 1))
    found = scan(folder)
    assert looked_at == ["index-1.fits", "index-3.fits"]
    assert found == index_set.scan([folder])


def test_a_file_that_is_gone_is_gone(folder: Path) -> None:
    scan(folder)
    (folder / "index-1.fits").unlink()
    assert [file.path.name for file in scan(folder).files] == ["index-2.fits"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"format": 99, "files": {}}', '{"format": 1, "files": []}', "[" * 100_000]
)
def test_a_damaged_cache_is_passed_over_and_made_anew(folder: Path, text: str) -> None:
    first = scan(folder)
    cache = folder.parent / "cache" / "indexes.json"
    cache.write_text(text)
    assert scan(folder) == first
    assert len(json.loads(cache.read_text())["files"]) == 2


@pytest.mark.parametrize("entry", [None, [], [1, 2, 3], "x", {"a": 1}])
def test_a_damaged_entry_is_passed_over(folder: Path, entry: object) -> None:
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


def test_other_places_are_not_forgotten(folder: Path, tmp_path: Path, looked_at: list[str]) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write_index(other / "index-9.fits")
    cache = IndexCache(tmp_path / "cache" / "indexes.json")
    index_set.scan([other], cache)
    scan(folder)
    looked_at.clear()
    index_set.scan([other], IndexCache(tmp_path / "cache" / "indexes.json"))
    assert looked_at == []
