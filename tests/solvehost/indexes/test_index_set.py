"""Scanning places for index files: files that load, files that are damaged, and files that are ignored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from standin import make_index, write_index

from solvehost.formats.fitsfile import card, end_header
from solvehost.indexes.index_set import IndexSet, scan


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("index-cut.fits", lambda data: data[:-2880], "cut short"),
        ("index-half.fits", lambda data: data[: len(data) // 2], "cut short"),
        ("index-text.fits", lambda data: b"some text", "not a FITS file"),
        ("index-page.fits", lambda data: b"\n <html>" + data, "a web page in place of an index file"),
        ("index-empty.fits", lambda data: b"", "empty"),
    ],
)
def test_a_damaged_file_is_reported_and_left_out(
    tmp_path: Path, name: str, content: Callable[[bytes], bytes], reason: str
) -> None:
    good = write_index(tmp_path / "index-good.fits")
    bad = tmp_path / name
    bad.write_bytes(content(good.read_bytes()))
    found = scan([tmp_path])
    assert [f.path for f in found.files] == [good]
    ((path, why),) = found.damaged
    assert path == bad
    assert reason in why


@pytest.mark.parametrize(("card_name", "value"), [("SCALE_L", None), ("SCALE_U", "wide")])
def test_a_header_without_scales_is_reported(tmp_path: Path, card_name: str, value: str | None) -> None:
    write_index(tmp_path / "index-odd.fits", **{card_name: value})
    found = scan([tmp_path])
    assert not found.files
    assert "cannot be understood" in found.damaged[0][1]


def test_other_files_in_a_directory_are_ignored(tmp_path: Path) -> None:
    """Images, hidden files and texts are ignored in a directory; an image that is named is reported."""
    (tmp_path / "README").write_text("hello")
    image = tmp_path / "image.fits"
    image.write_bytes(end_header([card("SIMPLE", True), card("BITPIX", 8), card("NAXIS", 0)]))
    (tmp_path / ".index-hidden.fits").write_bytes(b"")
    assert scan([tmp_path]) == IndexSet((), (), (tmp_path,))
    assert scan([image]).damaged == ((image, "it is not an index file (its header has no INDEXID)"),)


def test_a_missing_file_and_a_directory_in_its_place_are_reported(tmp_path: Path) -> None:
    (tmp_path / "index-dir.fits").mkdir()
    found = scan([tmp_path, tmp_path / "index-none.fits"])
    assert not found.files
    assert {path.name for path, _ in found.damaged} == {"index-dir.fits", "index-none.fits"}


def test_a_directory_that_cannot_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert scan([tmp_path]).damaged == ((tmp_path, "Permission denied"),)


def test_a_file_found_twice_counts_once(tmp_path: Path) -> None:
    path = write_index(tmp_path / "index-a.fits")
    (tmp_path / "index-link.fits").symlink_to(path)
    assert len(scan([tmp_path, path, tmp_path]).files) == 1


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine runs in another directory."""
    path = write_index(tmp_path / "index-a.fits")
    monkeypatch.chdir(tmp_path)
    assert [f.path for f in scan([Path()]).files] == [path]
    assert [f.path for f in scan([Path("index-a.fits")]).files] == [path]


def test_the_range_of_a_set_spans_all_its_files() -> None:
    assert IndexSet(()).quads_arcmin is None
    files = (make_index("a", 10, 20), make_index("b", 5, 8), make_index("c", 30, 40))
    assert IndexSet(files).quads_arcmin == (5, 40)
