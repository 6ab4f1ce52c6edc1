"""``nova objects``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import made_results as made
import pytest
from astropy.table import Table
from made_jobs import make_job

from novacli.catalog.listing import COLUMNS
from novacli.catalog.sources import SOURCES
from solvehost.formats.jobdir import JobDir

Nova = Callable[..., Any]


@pytest.fixture
def job(jobs: Path) -> JobDir:
    """A solved image of Ursa Major, which is not there any more."""
    found = make_job(jobs, input="bear.jpg")
    found.wcs.write_bytes(made.wcs_fits())
    return found


def test_the_table_names_objects_and_stars(nova: Nova, job: JobDir) -> None:
    ran = nova("objects", "last")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].split() == ["NAME", "TYPE", "RA", "DEC", "X", "Y", "SIZE", "MAG"]
    assert any(line.startswith("Mizar, ζ UMa ") and " star " in line for line in lines)
    assert any(line.startswith("M 51, Whirlpool Galaxy ") for line in lines)


def test_json_has_sources_and_licences(nova: Nova, job: JobDir) -> None:
    listed = json.loads(nova("objects", "last", "--json", "--date", "2020-06-01").out)
    assert (listed["job"], listed["epoch_source"]) == (job.job_id, "--date")
    assert [source["licence"] for source in listed["sources"]] == [source.licence for source in SOURCES]
    assert all(list(found) == list(COLUMNS) for found in listed["objects"])
    m51 = next(found for found in listed["objects"] if found["name"] == "M 51")
    assert (m51["type"], m51["inside"], m51["source"]) == ("galaxy", True, "OpenNGC")
    assert "NGC 5194" in m51["designations"]


def test_csv_and_ecsv_hold_the_same_rows(nova: Nova, job: JobDir) -> None:
    """Astropy reads the units; an unknown size is masked."""
    rows = list(csv.DictReader(io.StringIO(nova("objects", "last", "--csv").out)))
    table = Table.read(nova("objects", "last", "--ecsv").out, format="ascii.ecsv")
    assert table.colnames == list(rows[0]) == list(COLUMNS)
    assert list(table["name"]) == [row["name"] for row in rows]
    assert str(table["major_arcmin"].unit) == "arcmin"
    assert table["major_arcmin"].mask[-1]
    assert table["inside"].dtype == bool
    assert table.meta["sources"][0]["licence"] == "CC-BY-SA-4.0"


def test_only_one_form_can_be_asked_for(nova: Nova, job: JobDir) -> None:
    ran = nova("objects", "last", "--json", "--csv")
    assert (ran.code, ran.err) == (2, "nova: --json and --csv cannot be combined: give one of them\n")


def test_an_unsolved_job_has_no_objects(nova: Nova, jobs: Path) -> None:
    make_job(jobs, "unsolved")
    ran = nova("objects", "last")
    assert (ran.code, "has no solution" in ran.err) == (1, True)


@pytest.mark.parametrize(("name", "start"), [("a.csv", "name,"), ("a.ecsv", "# %ECSV"), ("a.json", "{")])
def test_the_export_writes_the_same_list(name: str, start: str, nova: Nova, job: JobDir, home: Path) -> None:
    target = home / name
    assert nova("export", "last", "--as", "objects", "-o", str(target)).code == 0
    text = target.read_text("utf-8")
    assert text.startswith(start)
    form = target.suffix.removeprefix(".")
    assert text == nova("objects", "last", f"--{form}").out
