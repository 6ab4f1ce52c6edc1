"""A solved picture, as pictures need one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import made_results as made
import numpy as np
import pytest
from made_jobs import make_job
from PIL import Image

from novacli.exports.kept_job import solved_field
from novacli.exports.registry import SolvedField
from novacli.jobs.request import sha256_of
from novacli.pictures.canvas import Canvas
from novacli.pictures.registry import Picture, Subject
from novacli.pictures.viewport import make_viewport
from solvehost.formats.jobdir import CORR, REQUEST, RESULT

WIDTH, HEIGHT = 719, 507


@pytest.fixture
def field(tmp_path: Path) -> SolvedField:
    """A solved JPEG of Ursa Major, 34 degrees wide, with ten matched stars."""
    rng = np.random.default_rng(1)
    picture = tmp_path / "bear.jpg"
    Image.fromarray(rng.integers(60, 90, (HEIGHT, WIDTH, 3), np.uint8)).save(picture)
    source = {"path": str(picture), "format": "JPEG", "hdu": None, "kind": "image", "width": WIDTH, "height": HEIGHT}
    job = make_job(tmp_path / "jobs", input="bear.jpg", source=source)
    job.wcs.write_bytes(made.wcs_fits())
    stars = [(70.0 * n + 20, 45.0 * n + 30) for n in range(10)]
    (job.path / CORR).write_bytes(made.corr_fits(made.wcs_fits(), stars))
    request = {**(job.read_json(REQUEST) or {}), "source": {**source, "sha256": sha256_of(str(picture))}}
    job.write_json(REQUEST, {**request, "is_fits_like": False})
    assert job.read_json(RESULT)
    return solved_field(job)


@pytest.fixture
def draw(field: SolvedField) -> Callable[..., Canvas]:
    """Return a function that draws a picture of the field and returns its canvas."""

    def drawn(picture: Picture, *, is_fits_like: bool = False, longer_side: int = 1600) -> Canvas:
        solution = field.solution.tan_sip
        viewport = make_viewport(solution, width=None, longer_side=longer_side, is_fits_like=is_fits_like)
        height = viewport.height if picture.aspect is None else round(longer_side * picture.aspect)
        canvas = Canvas(viewport.width, height)
        picture.draw(Subject(field, viewport, 2024.0), canvas)
        canvas.place_labels()
        return canvas

    return drawn
