"""What the tests of the pipeline share: a drawn field with a known answer, the real backend, a stand-in engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import made_servers
import pytest
from made_indexes import make_index
from made_sky import DrawnField, scattered, star_picture

from novacli import backends, config
from novacli.backends.base import Backend
from novacli.inputs import from_array
from novacli.pipeline.context import Context
from solvehost.indexes import index_set


@pytest.fixture(scope="session")
def drawn(real_indexes: index_set.IndexSet) -> DrawnField:
    """A field of 12 degrees with the stars of the deepest installed index."""
    from novacli.demo.catalogue import Catalogue, find_index
    from novacli.demo.drawing import draw
    from novacli.demo.scene import Scene

    scene = Scene(ra_deg=84.0, dec_deg=-3.0, width_deg=12.0, width_px=800, height_px=600, rotation_deg=25.0, seed=3)
    drawing = draw(scene, Catalogue.open(find_index([f.path for f in real_indexes.files])))
    truth = drawing.truth
    return DrawnField(drawing.pixels, truth.ra, truth.dec, truth.width_deg, truth.pixscale_arcsec)


@pytest.fixture
def slots_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Engine tokens of the test's own, so that nobody else's solve holds it up."""
    monkeypatch.setenv("NOVA_SLOTS_DIR", str(tmp_path / "slots"))
    return tmp_path / "slots"


@pytest.fixture
def real_backend(real_indexes: index_set.IndexSet, slots_dir: Path) -> Backend:
    """The local backend with the installed engine and its own index files."""
    return backends.connect("local", config.load())


@pytest.fixture
def real_context(real_backend: Backend, tmp_path: Path) -> Context:
    """Where to solve for real, jobs kept in the test's own directory."""
    return Context(tmp_path / "jobs", real_backend)


@pytest.fixture
def stand_in(tmp_path: Path, slots_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that installs a shell script as the engine, with an index file that serves every field."""
    shell = shutil.which("sh")
    assert shell is not None

    def install(script: str) -> Path:
        engine = tmp_path / "engine" / "astrometry-engine"
        engine.parent.mkdir(exist_ok=True)
        engine.write_text(f"#!{shell}\n{script}\n")
        engine.chmod(0o755)
        index = make_index(tmp_path / "indexes" / "index-4110.fits", 10, 2000)
        monkeypatch.setenv("NOVA_ENGINE", str(engine))
        monkeypatch.setenv("NOVA_INDEX", str(index))
        return engine

    return install


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> made_servers.Servers:
    """Solve servers behind a stand-in ssh on PATH; they are asked again at once where they are busy."""
    from novacli.backends.ssh import retrying

    monkeypatch.setattr(retrying, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(retrying, "_LONGEST_PAUSE_S", 0.01)
    found = made_servers.install(tmp_path)
    monkeypatch.setenv("PATH", f"{found.program.parent}{os.pathsep}{os.environ['PATH']}")
    return found


@pytest.fixture
def fits(drawn: DrawnField, tmp_path: Path) -> Path:
    """The drawn field as a file."""
    return drawn.write_fits(tmp_path / "field.fits")


@pytest.fixture
def context(stand_in: Callable[[str], Path], tmp_path: Path) -> Context:
    """A context whose engine ends at once without a solution."""
    stand_in("exit 0")
    return Context(tmp_path / "jobs", backends.connect("local", config.load()))


@pytest.fixture
def field_of_stars() -> Any:
    """A picture of stars that no sky has."""
    return from_array(star_picture(scattered(40, (300, 400)), (300, 400), flux=9000))
