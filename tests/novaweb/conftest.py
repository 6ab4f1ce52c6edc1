"""Fixtures of the web service: its folders, and people with keys."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from made_client import ApiClient

from novacli import config as nova_configuration
from novacli.batch.executors import HERE
from novacli.demo import writer
from novacli.demo.catalogue import Catalogue, find_index
from novacli.demo.drawing import draw
from novacli.demo.scene import Scene
from novaweb import folders
from novaweb.accounts.keys import make_key
from novaweb.accounts.people import make_person
from novaweb.dispatcher import Dispatcher
from novaweb.submissions.models import Job
from solvehost.indexes.index_set import IndexSet

#: Orion's belt.
SCENE = Scene(84.0, -3.0, width_deg=10.0, trail=False)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, db: None, settings: Any) -> folders.Folders:
    """Folders of its own for each test."""
    settings.NOVAWEB = settings.NOVAWEB.replaced("test", data_dir=tmp_path / "web")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the others are slow on purpose
    made = folders.of(settings.NOVAWEB)
    made.make()
    _number_from_one()
    return made


def _number_from_one() -> None:
    """Have PostgreSQL number rows from 1 in each test; SQLite does so by itself after a rollback."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for table in ("submissions_submission", "submissions_userimage", "submissions_job"):
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), 1, false)", [table])


@pytest.fixture
def client_at() -> Callable[[str], ApiClient]:
    """A function that returns a client at a network address."""
    return lambda address: ApiClient(Client(REMOTE_ADDR=address))


@pytest.fixture
def person(client_at: Callable[[str], ApiClient]) -> Callable[..., ApiClient]:
    """A function that makes a person and returns their client, logged in."""

    def make(name: str, address: str = "192.0.2.1") -> ApiClient:
        return client_at(address).login(make_key(make_person(name), "test"))

    return make


@pytest.fixture
def alice(person: Callable[..., ApiClient]) -> ApiClient:
    return person("alice")


@pytest.fixture
def signed_in() -> Callable[..., Client]:
    """A function that makes a person and returns their browser, signed in by a key."""

    def make(name: str, address: str = "192.0.2.1") -> Client:
        browser = Client(REMOTE_ADDR=address)
        answer = browser.post("/sign-in", {"key": make_key(make_person(name), "browser")})
        assert answer.status_code == 302
        return browser

    return make


@pytest.fixture(scope="session")
def sky(real_indexes: IndexSet, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a drawn picture."""
    path = tmp_path_factory.mktemp("sky") / "sky.fits"
    stars = Catalogue.open(find_index([file.path for file in real_indexes.files]))
    writer.write(draw(SCENE, stars), SCENE, path, overwrite=False)
    return path.read_bytes()


@pytest.fixture
def work() -> Callable[..., None]:
    """A function that runs a dispatcher until no job waits or runs."""

    def run(before_stop: Callable[[Dispatcher], None] = lambda _: None, **nova: Any) -> None:
        made = Dispatcher(django_settings.NOVAWEB, nova_configuration.load().replaced("test", **nova), HERE, 1)

        def stops() -> int:
            before_stop(made)
            return int(not Job.objects.exclude(state__in=[*"sfc"]).exists())

        made.run(stops)

    return run


@pytest.fixture(scope="session")
def stars(sky: bytes) -> dict[str, Any]:
    """The stars of the drawn picture, as the fields of an upload."""
    from novacli.extraction.detect import DetectionSettings
    from novacli.extraction.extractor import StarExtractor
    from novacli.extraction.order import StarOrder
    from novacli.inputs import from_array

    pixels = fits.getdata(io.BytesIO(sky)).astype("f4")
    found = StarExtractor(from_array(pixels)).stars(DetectionSettings(1), StarOrder.FLUX)
    return {"x": list(found.x), "y": list(found.y), "image_width": 1024, "image_height": 768}
