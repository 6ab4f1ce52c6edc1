"""Pictures, tables and exports of a solved job, made by a child process when they are first asked for."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from made_client import ApiClient
from PIL import Image

from novaweb.folders import Folders
from novaweb.products.registry import PRODUCTS

pytestmark = pytest.mark.engine
JPEGS = [name for name, product in PRODUCTS.items() if product.content_type == "image/jpeg"]


def content(client: ApiClient, path: str) -> bytes:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_every_product_of_a_picture_is_made(alice: ApiClient, sky: bytes, work: Any) -> None:
    alice.upload(sky, "sky.fits")
    work()
    made = {name: content(alice, f"{name}/1") for name in PRODUCTS}
    for name in JPEGS:
        with Image.open(io.BytesIO(made[name])) as picture:
            assert max(picture.size) == {"thumbnail": 360, "display": 1200, "sky_plot": picture.width}.get(name, 1024)
    assert len(made["display"]) <= 300_000
    assert all(made[name].startswith(b"<svg") for name in PRODUCTS if name.startswith("layer_"))
    assert fits.getheader(io.BytesIO(made["new_fits_file"]))["CTYPE1"].startswith("RA---TAN")
    assert b"Alnitak" in made["objects_file"]
    view = json.loads(made["view"])
    assert (view["width"], view["height"], view["y_up"]) == (1024, 768, True)


def test_the_api_names_the_objects_in_the_field(alice: ApiClient, sky: bytes, work: Any) -> None:
    alice.upload(sky, "sky.fits")
    assert alice.post("jobs/1/annotations") == {"annotations": []}
    work()
    assert "Alnitak" in alice.post("jobs/1/info")["objects_in_field"]
    found = {row["names"][0]: row for row in alice.post("jobs/1/annotations")["annotations"]}
    nebula = next(row for row in found.values() if "M 42" in row["names"])
    assert nebula["type"] == "ngc"
    assert nebula["radius"] > 10
    assert list(nebula)[:5] == ["type", "names", "pixelx", "pixely", "radius"]
    assert {row["type"] for row in found.values()} == {"bright", "ngc"}


def test_the_picture_of_a_star_list_is_dark_ground_with_its_stars(
    alice: ApiClient, stars: dict[str, Any], work: Any
) -> None:
    alice.post("upload", **stars)
    work()
    with Image.open(io.BytesIO(content(alice, "display/1"))) as picture:
        assert max(channel[1] for channel in picture.getextrema()) < 60
    assert content(alice, "layer_matches/1").count(b"<path") > 20
    assert "Alnitak" in alice.post("jobs/1/machine_tags")["tags"]


def test_a_job_that_is_not_solved_has_no_products(alice: ApiClient) -> None:
    alice.upload()
    assert {alice.get(f"{name}/1").status_code for name in PRODUCTS} == {404}


def test_an_upload_that_is_gone_is_told_without_a_path(alice: ApiClient, sky: bytes, work: Any, data: Folders) -> None:
    alice.upload(sky, "sky.fits")
    work()
    for path in Path(data.blobs).rglob("*"):
        if path.is_file():
            path.unlink()
    answer = alice.get("display/1")
    assert answer.status_code == 404
    assert str(data.root) not in answer.content.decode()
