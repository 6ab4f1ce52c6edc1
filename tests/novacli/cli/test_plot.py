"""``nova plot``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import made_results as made
import pytest
from made_jobs import make_job
from PIL import Image

from novacli.jobs.request import sha256_of
from solvehost.formats.jobdir import REQUEST, JobDir

WIDTH, HEIGHT = 60, 40
Nova = Callable[..., Any]


@pytest.fixture
def picture(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small picture in a folder that is the current one."""
    folder = home / "night"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Image.new("RGB", (WIDTH, HEIGHT), (90, 80, 70)).save("m31.png")
    return folder / "m31.png"


@pytest.fixture
def job(jobs: Path, picture: Path) -> JobDir:
    """A solved job of the picture."""
    source = {"path": str(picture), "format": "PNG", "hdu": None, "kind": "image", "width": WIDTH, "height": HEIGHT}
    found = make_job(jobs, input="m31.png", source=source)
    found.wcs.write_bytes(made.wcs_fits(WIDTH, HEIGHT, sip=False))
    request = {**(found.read_json(REQUEST) or {}), "source": {**source, "sha256": sha256_of(str(picture))}}
    found.write_json(REQUEST, {**request, "is_fits_like": False})
    return found


def test_a_picture_is_written(nova: Nova, job: JobDir) -> None:
    ran = nova("plot", "last", "-o", "a.png", "--width", "300")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    with Image.open("a.png") as written:
        assert written.size == (300, 200)


def test_the_width_can_be_that_of_the_image(nova: Nova, job: JobDir) -> None:
    assert nova("plot", job.job_id[:8], "--what", "grid", "-o", "a.jpg", "--width", "full").code == 0
    with Image.open("a.jpg") as written:
        assert written.size == (WIDTH, HEIGHT)


@pytest.mark.parametrize(("arguments", "words"), [
    (("-o", "a.gif"), "name a file that ends in .png, .jpg"),
    (("-o", "a.png", "--width", "0"), "from 1 to 30000, or full"),
    (("-o", "a.png", "--width", "wide"), "from 1 to 30000, or full"),
    (("-o", "a.png", "--date", "soon"), "--date soon is not a date"),
    (("-o", "m31.png", "-O"), "outputs never replace one"),
    ((), "Missing option"),
])  # fmt: skip
def test_mistakes_are_usage_errors(arguments: tuple[str, ...], words: str, nova: Nova, job: JobDir) -> None:
    before = Path("m31.png").read_bytes()
    ran = nova("plot", "last", *arguments)
    assert (ran.code, words in ran.err) == (2, True), ran.err
    assert Path("m31.png").read_bytes() == before


def test_a_file_is_replaced_only_with_overwrite(nova: Nova, job: JobDir) -> None:
    Path("a.svg").write_text("kept")
    ran = nova("plot", "last", "--what", "grid", "-o", "a.svg")
    assert (ran.code, Path("a.svg").read_text()) == (73, "kept")
    assert nova("plot", "last", "--what", "grid", "-o", "a.svg", "-O").code == 0
    assert "<svg" in Path("a.svg").read_text()


def test_a_changed_or_moved_image_is_named(nova: Nova, job: JobDir, picture: Path) -> None:
    """A picture that does not show the image does not need it."""
    moved = picture.rename(picture.with_name("moved.png"))
    ran = nova("plot", "last", "-o", "a.svg")
    assert (ran.code, "name the image by --image" in ran.err) == (65, True)
    assert nova("plot", "last", "-o", "a.svg", "--image", str(moved)).code == 0
    assert nova("plot", "last", "--what", "sky", "-o", "sky.svg").code == 0
    Image.new("RGB", (WIDTH, HEIGHT)).save(moved)
    ran = nova("plot", "last", "-o", "b.svg", "--image", str(moved))
    assert (ran.code, "is not the image that was solved" in ran.err) == (65, True)


def test_a_job_without_a_solution_has_no_picture(nova: Nova, jobs: Path, picture: Path) -> None:
    make_job(jobs, "unsolved")
    ran = nova("plot", "last", "-o", "a.png")
    assert (ran.code, "is unsolved and has no solution" in ran.err) == (1, True)
