"""The checks of the installed index files."""

from __future__ import annotations

from pathlib import Path

from made_indexes import make_index

from novacli.config import Config
from novacli.doctor.index_files import check_indexes
from novacli.records.check import Check


def test_index_files_and_the_fields_that_they_serve_are_listed(settings: Config, tmp_path: Path) -> None:
    make_index(tmp_path / "index" / "index-a.fits", 22, 30)
    make_index(tmp_path / "index" / "index-b.fits", 30, 42)
    files, fields = check_indexes(settings)
    assert files == Check("index files", True, f"2 (5.76 kB) in {tmp_path / 'index'}")
    assert fields.detail.startswith("about 0.73° to 7° wide")


def test_a_damaged_index_file_is_named_and_the_others_still_serve(settings: Config, tmp_path: Path) -> None:
    make_index(tmp_path / "index" / "index-a.fits", 22, 30)
    cut = make_index(tmp_path / "index" / "index-b.fits", 30, 42)
    cut.write_bytes(cut.read_bytes()[:1000])
    *_, damaged = check_indexes(settings)
    assert (damaged.name, damaged.ok) == ("damaged index", None)
    assert str(cut) in damaged.detail


def test_missing_tiles_are_reported(settings: Config, tmp_path: Path) -> None:
    make_index(tmp_path / "index" / "index-a.fits", 2, 2.8, healpix=5, nside=2)
    *_, sky = check_indexes(settings)
    assert (sky.ok, sky.detail) == (None, "quads of 2′ to 2.8′ cover 2% of the sky")


def test_without_index_files_the_check_fails(settings: Config, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (check,) = check_indexes(settings)
    assert check.ok is False
    assert "astrometry-data-tycho2" in check.remedy


def test_a_missing_engine_configuration_fails_the_check(settings: Config, tmp_path: Path) -> None:
    wrong = settings.replaced("test", index=(), engine_config=tmp_path / "none.cfg")
    (check,) = check_indexes(wrong)
    assert (check.ok, "none.cfg" in check.detail) == (False, True)


def test_an_index_file_with_the_name_of_another_is_named(settings: Config, tmp_path: Path) -> None:
    wrong = make_index(tmp_path / "index" / "index-4107.fits", 22, 30)
    *_, renamed = check_indexes(settings)
    assert (renamed.name, renamed.ok) == ("renamed index", None)
    assert renamed.detail == f"{wrong}: its name is that of index 4107, but its header says 4119"


def test_a_web_page_in_place_of_an_index_file_is_named(settings: Config, tmp_path: Path) -> None:
    make_index(tmp_path / "index" / "index-a.fits", 22, 30)
    (tmp_path / "index" / "index-4108.fits").write_text("\n<!DOCTYPE html><html>Please log in</html>" * 200)
    *_, damaged = check_indexes(settings)
    assert "index-4108.fits: it is a web page in place of an index file" in damaged.detail
