"""``nova export``: exports of kept jobs, written without solving again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import made_results as made
import pytest
from made_jobs import make_job
from PIL import Image

from novacli.exports.registry import all_exports
from novacli.jobs.request import sha256_of
from solvehost.formats.jobdir import REQUEST, JobDir

WIDTH, HEIGHT = 60, 40
WCS = made.wcs_fits(WIDTH, HEIGHT, sip=False)
Nova = Callable[..., Any]


@pytest.fixture
def picture(home: Path) -> Path:
    path = home / "night" / "m31.png"
    path.parent.mkdir()
    Image.new("RGB", (WIDTH, HEIGHT), (9, 8, 7)).save(path)
    return path


@pytest.fixture
def job(jobs: Path, picture: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> JobDir:
    """A solved job of a picture; the current folder is an empty one."""
    (home / "here").mkdir()
    monkeypatch.chdir(home / "here")
    source = {"path": str(picture), "format": "PNG", "hdu": None, "kind": "image", "width": WIDTH, "height": HEIGHT}
    found = make_job(jobs, input="m31.png", source=source)
    found.wcs.write_bytes(WCS)
    request = {**(found.read_json(REQUEST) or {}), "source": {**source, "sha256": sha256_of(str(picture))}}
    found.write_json(REQUEST, {**request, "is_fits_like": False})
    return found


def test_files_are_named_after_the_image_in_the_current_folder(nova: Nova, job: JobDir, home: Path) -> None:
    ran = nova("export", "last", "--as", "ds9", "--as", "avm")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "ds9         m31.png.reg\navm         m31.png.xmp\n"
    assert sorted(p.name for p in (home / "here").iterdir()) == ["m31.png.reg", "m31.png.xmp"]


def test_every_export_can_be_asked_for_at_once(nova: Nova, job: JobDir, home: Path) -> None:
    """Into a folder; the job's tables, which this one has not, are left out."""
    words = [e.option.removeprefix("--") for e in all_exports() if e.name not in ("corr", "rdls")]
    (home / "out").mkdir()
    ran = nova("export", job.job_id[:8], "--dir", str(home / "out"), *[x for w in words for x in ("--as", w)])
    assert ran.code == 0
    assert len(list((home / "out").iterdir())) == len(words)


def test_json_lists_the_files(nova: Nova, job: JobDir, home: Path) -> None:
    printed = json.loads(nova("export", "last", "--as", "tpv", "-o", "a.tpv", "--json").out)
    assert printed == {"job": job.job_id, "files": {"tpv": str(home / "here" / "a.tpv")}, "notes": []}


def test_a_copy_of_the_picture_has_its_place(nova: Nova, job: JobDir, home: Path) -> None:
    assert nova("export", "last", "--as", "avm", "-o", "copy.png").code == 0
    with Image.open("copy.png") as copy:
        assert copy.getpixel((0, 0)) == (9, 8, 7)
        assert "Spatial.CDMatrix" in copy.info["XML:com.adobe.xmp"]


def test_a_changed_picture_is_refused_where_it_is_needed(nova: Nova, job: JobDir, picture: Path) -> None:
    """A sidecar does not need it."""
    Image.new("RGB", (WIDTH, HEIGHT)).save(picture)
    ran = nova("export", "last", "--as", "avm", "-o", "copy.png")
    assert ran.code == 65
    assert "m31.png is not the image that was solved, or has changed since: name the image by --image" in ran.err
    assert not Path("copy.png").exists()
    assert nova("export", "last", "--as", "avm", "-o", "a.xmp").code == 0


def test_a_moved_picture_is_named(nova: Nova, job: JobDir, picture: Path, home: Path) -> None:
    moved = picture.rename(home / "moved.png")
    ran = nova("export", "last", "--as", "new-fits", "-o", "a.fits")
    assert (ran.code, "name the image by --image" in ran.err) == (65, True)
    assert nova("export", "last", "--as", "new-fits", "-o", "a.fits", "--image", str(moved)).code == 0


@pytest.mark.parametrize("flags", [(), ("--overwrite",)])
def test_the_picture_itself_is_never_replaced(flags: tuple[str, ...], nova: Nova, job: JobDir, picture: Path) -> None:
    before = picture.read_bytes()
    ran = nova("export", "last", "--as", "avm", "-o", str(picture), *flags)
    assert ran.code == 2
    assert picture.read_bytes() == before


def test_a_file_is_replaced_only_with_overwrite(nova: Nova, job: JobDir) -> None:
    """Also a copy of the picture, which is an image by its content."""
    for name, word in (("a.reg", "ds9"), ("copy.png", "avm")):
        assert nova("export", "last", "--as", word, "-o", name).code == 0
        before = Path(name).stat().st_ino
        ran = nova("export", "last", "--as", word, "-o", name)
        assert (ran.code, "the file exists already" in ran.err) == (73, True)
        assert Path(name).stat().st_ino == before
        assert nova("export", "last", "--as", word, "-o", name, "-O").code == 0


def test_a_table_never_replaces_an_image(nova: Nova, job: JobDir) -> None:
    Image.new("L", (5, 5)).save("other.png")
    ran = nova("export", "last", "--as", "csv", "-o", "other.png", "--overwrite")
    assert (ran.code, "this is an image" in ran.err) == (2, True)


@pytest.mark.parametrize(("arguments", "words"), [
    (("--as", "ds9", "--as", "tpv", "-o", "a"), "give -o once for each --as"),
    (("--as", "ds9", "-o", "a", "--dir", "."), "give one or the other"),
    (("--as", "ds9", "--as", "ds9"), "--as ds9 is given twice"),
    (("--as", "ds9", "--as", "tpv", "-o", "a", "-o", "a"), "to the same file"),
    (("--as", "avm", "-o", "copy.jpg"), "is a PNG file: name its copy .png"),
    ((), "Missing option '--as'"),
])  # fmt: skip
def test_contradictions_are_usage_errors(arguments: tuple[str, ...], words: str, nova: Nova, job: JobDir) -> None:
    ran = nova("export", "last", *arguments)
    assert (ran.code, words in ran.err) == (2, True), ran.err


def test_a_job_without_a_solution_says_so(nova: Nova, jobs: Path) -> None:
    make_job(jobs, "unsolved")
    ran = nova("export", "last", "--as", "ds9")
    assert (ran.code, "is unsolved and has no solution to export" in ran.err) == (1, True)


def test_a_missing_format_is_named_in_one_line(nova: Nova) -> None:
    ran = nova("export", "last")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "Missing option '--as'" in ran.err
    assert "\\x" not in ran.err
