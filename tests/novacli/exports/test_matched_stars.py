"""The tables of matched stars, read back by astropy."""

from __future__ import annotations

from pathlib import Path

import made_results as made
import numpy as np
import pytest
from astropy.table import Table

from .conftest import STARS, export, solved_field

COLUMNS = ["field_x", "field_y", "ra", "dec", "x", "y", "separation_arcsec", "MAG_VT"]


@pytest.mark.parametrize(("name", "kind"), [("ecsv", "ascii.ecsv"), ("csv", "ascii.csv")])
def test_astropy_reads_the_matched_stars(name: str, kind: str, tmp_path: Path) -> None:
    """The matched ones alone, in full precision."""
    field = solved_field(tmp_path, made.wcs_fits())
    assert export(field, name, tmp_path / "stars") == ()
    table = Table.read(tmp_path / "stars", format=kind)
    assert table.colnames == COLUMNS
    assert list(zip(table["field_x"], table["field_y"], strict=True)) == STARS
    assert np.allclose(table["x"], table["field_x"], atol=1e-6)
    assert (table["MAG_VT"] == 7.5).all()
    assert [(row["ra"], row["dec"]) for row in table] == [field.solution.tan_sip.pixel_to_sky(*s) for s in STARS]


def test_ecsv_has_units_and_types(tmp_path: Path) -> None:
    export(solved_field(tmp_path, made.wcs_fits()), "ecsv", tmp_path / "stars.ecsv")
    table = Table.read(tmp_path / "stars.ecsv", format="ascii.ecsv")
    assert [str(table[name].unit) for name in COLUMNS] == ["pix", "pix", "deg", "deg", "pix", "pix", "arcsec", "None"]
    assert table["MAG_VT"].dtype == np.float32
    assert all(table[name].description for name in COLUMNS)


@pytest.mark.parametrize("name", ["ecsv", "csv"])
def test_a_solution_without_a_list_of_matches_gives_an_empty_table(name: str, tmp_path: Path) -> None:
    field = solved_field(tmp_path, made.wcs_fits())
    object.__setattr__(field.solution.files, "corr", None)
    export(field, name, tmp_path / "stars")
    kind = "ascii.ecsv" if name == "ecsv" else "ascii.csv"
    assert len(Table.read(tmp_path / "stars", format=kind)) == 0
