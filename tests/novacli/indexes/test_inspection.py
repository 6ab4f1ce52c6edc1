"""Damaged index files are found: by header, length, content, name and checksums."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from made_indexes import make_whole_index

from novacli.indexes import checksums
from novacli.indexes.checksums import LIST_NAME, add_to_list, read_list
from novacli.indexes.inspection import inspect
from solvehost.formats import fitsfile
from solvehost.indexes import index_set

NAME = "index-4119.fits"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole index file, on a machine without Debian's packages."""
    monkeypatch.setattr(checksums, "DPKG_INFO", tmp_path / "dpkg")
    return make_whole_index(tmp_path / "indexes" / NAME)


def _problem(path: Path) -> str | None:
    (found,) = inspect([path.parent])
    assert found.path == path
    return found.problem


def _offset(path: Path, table: str) -> int:
    with path.open("rb") as stream:
        return next(offset for header, offset in fitsfile.iter_hdus(stream) if header.get("TTYPE1") == table)


def _overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)


def test_a_whole_file_is_whole(file: Path) -> None:
    assert _problem(file) is None


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _page(path: Path) -> None:
    path.write_text("<html>" + "404 " * 3000)


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2880])


def _text(path: Path) -> None:
    path.write_text("no FITS " * 1000)


def _quad_too_large(path: Path) -> None:
    _overwrite(path, _offset(path, "quads") + 4 * 17, struct.pack("=I", 50))


def _tree_too_large(path: Path) -> None:
    _overwrite(path, _offset(path, "kdtree_perm_codes") + 4, struct.pack("=I", 80))


@pytest.mark.parametrize(("damage", "words"), [
    (_empty, "the file is empty"),
    (_page, "it is a web page in place of an index file"),
    (_truncated, "cut short"),
    (_text, "it is not a FITS file"),
    (_quad_too_large, "its quads name number 50 of 50 stars: its content was changed"),
    (_tree_too_large, "its tree of codes names number 80 of 80 codes"),
])  # fmt: skip
def test_damage_is_described(damage: Callable[[Path], None], words: str, file: Path) -> None:
    damage(file)
    assert words in (_problem(file) or "")


@pytest.mark.parametrize(("changes", "words"), [
    ({"NQUADS": 81}, "it holds 80 quads, but its header states 81"),
    ({"NSTARS": 60}, "it holds 50 stars, but its header states 60"),
    ({"DIMQUADS": 3}, "a quad takes 16 bytes in it, but 3 stars take 12"),
    ({"INDEXID": 4118}, "its name is that of index 4119, but its header says 4118"),
    ({"SCALE_L": -1.0}, "its range of scales is invalid"),
    ({"NQUADS": "many"}, "FITS card NQUADS is 'many'"),
])  # fmt: skip
def test_headers_that_contradict_the_content_are_found(
    changes: dict[str, fitsfile.CardValue], words: str, file: Path
) -> None:
    assert words in (_problem(make_whole_index(file, **changes)) or "")


def test_a_file_of_another_byte_order_is_found(file: Path) -> None:
    swapped = {b"04:03:02:01": b"01:02:03:04", b"01:02:03:04": b"04:03:02:01"}
    data = file.read_bytes()
    native = next(word for word in swapped if word in data)
    file.write_bytes(data.replace(native, swapped[native]))
    assert "byte order of other machines" in (_problem(file) or "")


def test_a_flipped_bit_is_found_by_the_kept_list(file: Path) -> None:
    """In positions of stars, which may have any value."""
    add_to_list(file)
    (whole,) = inspect([file])
    assert whole.proofs == (f"the list {file.parent / LIST_NAME}",)
    _overwrite(file, _offset(file, "kdtree_data_stars") + 100, b"\1")
    assert f"its checksum is not that of the list {file.parent / LIST_NAME}" in (_problem(file) or "")


def test_a_flipped_bit_is_found_by_debians_sums(file: Path, tmp_path: Path) -> None:
    """For the file of the package, and for a copy of it elsewhere."""
    (tmp_path / "dpkg").mkdir()
    copy = make_whole_index(file.parent / "index-tycho2-19.littleendian.fits")
    file.unlink()
    digest = hashlib.md5(copy.read_bytes()).hexdigest()
    sums = tmp_path / "dpkg" / "astrometry-data-tycho2-10-19-littleendian.md5sums"
    sums.write_text(f"{digest}  usr/share/astrometry/{copy.name}\n{digest}  usr/share/doc/x\n")
    (whole,) = inspect([copy])
    assert whole.proofs == ("the Debian package astrometry-data-tycho2-10-19-littleendian",)
    _overwrite(copy, _offset(copy, "kdtree_data_stars") + 100, b"\1")
    assert "the Debian package astrometry-data-tycho2-10-19-littleendian" in (_problem(copy) or "")


def test_random_damage_never_ends_the_inspection(file: Path) -> None:
    """Whatever the bytes are, each file gets an outcome; most of the damage to headers is found."""
    whole, chance = file.read_bytes(), random.Random(5)
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 40)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        file.write_bytes(damaged)
        assert len(list(inspect([file]))) == 1


def test_the_list_is_that_of_sha256sum(file: Path) -> None:
    """Sorted, a line each; an entry is replaced, and others are kept."""
    (file.parent / LIST_NAME).write_text(f"{'0' * 64}  {NAME}\n{'a' * 64} *zeta.fits\nrubbish\n")
    add_to_list(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert (file.parent / LIST_NAME).read_text() == f"{digest}  {NAME}\n{'a' * 64}  zeta.fits\n"
    assert read_list(file.parent)[NAME] == digest


@pytest.mark.engine
def test_installed_files_are_whole(real_indexes: index_set.IndexSet) -> None:
    """The smallest of them, of some thousand stars."""
    smallest = min(real_indexes.files, key=lambda f: f.size_bytes)
    assert [found.problem for found in inspect([smallest.path])] == [None]
