"""Index files from a catalogue: its columns, the names of the files, the builder's failures, and a real build."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from novacli.errors import DataError, InputMissingError, UnavailableError, UsageError
from novacli.indexes import building
from novacli.indexes.building import CatalogueTable, build, find_builder, read_catalogue, target_of
from novacli.indexes.checksums import read_list
from novacli.indexes.inspection import inspect
from solvehost.indexes.index_file import read_index


def _catalogue(path: Path, *names: str, stars: int = 2000) -> Path:
    """Write a table of stars over a part of the sky."""
    rng = np.random.default_rng(4)
    columns = [rng.uniform(100, 160, stars), rng.uniform(-30, 30, stars), rng.uniform(2, 9, stars)]
    Table(dict(zip(names, columns, strict=True))).write(path)
    return path


@pytest.mark.parametrize(
    "names", [("RA", "Dec", "mag"), ("RAJ2000", "DEJ2000", "Vmag"), ("ra", "dec", "phot_g_mean_mag")]
)
def test_usual_names_are_found(names: tuple[str, str, str], tmp_path: Path) -> None:
    path = _catalogue(tmp_path / "cat.fits", *names)
    assert read_catalogue(path, None, None, None) == CatalogueTable(path, 1, *names)


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = _catalogue(tmp_path / "cat.fits", "a", "b", "c")
    assert read_catalogue(path, "a", "b", "c") == CatalogueTable(path, 1, "a", "b", "c")


@pytest.mark.parametrize(("given", "words"), [
    ((None, None, None), "it has no column with a usual name for --ra: name the column by --ra"),
    (("a", None, None), "no column with a usual name for --dec"),
    (("a", "b", "d"), "it has no column 'd': name the column by --mag"),
])  # fmt: skip
def test_a_missing_column_is_named(given: tuple[str | None, ...], words: str, tmp_path: Path) -> None:
    path = _catalogue(tmp_path / "cat.fits", "a", "b", "c")
    with pytest.raises(DataError, match=words):
        read_catalogue(path, *given)


def test_what_is_no_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=r"none.fits is not there"):
        read_catalogue(tmp_path / "none.fits", None, None, None)
    (tmp_path / "cat.csv").write_text("ra,dec\n1,2\n")
    with pytest.raises(DataError, match=r"cat.csv: it cannot be read as FITS"):
        read_catalogue(tmp_path / "cat.csv", None, None, None)


@pytest.mark.parametrize(("name", "made"), [
    ("Gaia DR3.fits", "index-gaiadr3-06.fits"), ("4107.fits", "index-own4107-06.fits"), ("ä.fits", "index-own-06.fits"),
])  # fmt: skip
def test_files_are_named_after_the_catalogue(name: str, made: str, tmp_path: Path) -> None:
    """A name is never that of a published file."""
    table = CatalogueTable(tmp_path / name, 1, "ra", "dec", "mag")
    assert target_of(table, tmp_path, 6) == tmp_path / made
    with pytest.raises(UsageError, match="there is no scale 20: the scales are 0 to 19"):
        target_of(table, tmp_path, 20)


def test_without_the_builder_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"build-astrometry-index was not found: install it .*apt install"):
        find_builder(None)
    (tmp_path / building.BUILDER).write_text("#!/bin/sh\n")
    assert find_builder(tmp_path / "astrometry-engine") == tmp_path / building.BUILDER


def _stand_in(tmp_path: Path, script: str) -> Path:
    path = tmp_path / "builder"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("script", "words"), [
    ("echo 'codetree.c:91:codetree_files: too few stars'; exit 255", "scale 17: .* failed: too few stars: check that"),
    ("kill -9 $$", "failed: exit status -9"),
    ("exit 0", "failed: exit status 0"),
    ("printf 'no index' > made.fits", "it is not a FITS file"),
])  # fmt: skip
def test_a_builder_that_fails_leaves_nothing(script: str, words: str, tmp_path: Path) -> None:
    table = CatalogueTable(tmp_path / "cat.fits", 1, "ra", "dec", "mag")
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match=words):
        build(_stand_in(tmp_path, script), table, 17, tmp_path / "out" / "index-cat-17.fits")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.engine
def test_the_engines_builder_makes_a_whole_file(real_engine: Path, tmp_path: Path) -> None:
    """Of a catalogue that covers a part of the sky, with usual names of columns."""
    table = read_catalogue(_catalogue(tmp_path / "cat.fits", "RAJ2000", "DEJ2000", "Vmag"), None, None, None)
    target = target_of(table, tmp_path, 17)
    quads = build(find_builder(real_engine), table, 17, target)
    found = read_index(target)
    assert (found.index_id, found.quads) == (9917, quads)
    assert found.quads_arcmin == pytest.approx((680, 1000), rel=1e-3)
    assert quads > 50
    assert [outcome.problem for outcome in inspect([target])] == [None]
    assert set(read_list(tmp_path)) == {target.name}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["SHA256SUMS", "cat.fits", "index-cat-17.fits"]
