from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_indexes import make_index

from novacli.config import KEYS


@pytest.fixture
def working(home: Path, jobs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with an engine that starts and one index file, which is all that solving needs."""
    engine = home / "engine"
    engine.write_text("#!/bin/sh\nexit 0\n")
    engine.chmod(0o755)
    make_index(home / "index" / "index-4119.fits", 1400, 2000)
    monkeypatch.setenv("NOVA_ENGINE", str(engine))
    monkeypatch.setenv("NOVA_INDEX", str(home / "index"))
    return home


def test_if_all_checks_pass_the_exit_code_is_0(nova, working: Path) -> None:
    ran = nova("doctor")
    assert ran.code == 0
    assert f"✓ engine          {working / 'engine'}, which starts\n" in ran.out
    assert "✗" not in ran.out
    assert "\x1b" not in ran.out
    assert ran.out.splitlines()[-1].startswith(KEYS[-1].name)


def test_json_output_has_checks_and_settings(nova, working: Path) -> None:
    shown = json.loads(nova("doctor", "--json").out)
    assert shown["ok"] is True
    assert set(shown["checks"][0]) == {"name", "ok", "detail", "remedy"}
    assert shown["settings"]["jobs_dir"]["source"] == "$NOVA_JOBS"


def test_without_an_engine_doctor_tells_what_to_install(nova, working: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_ENGINE", "/nonexistent/engine")
    ran = nova("doctor")
    assert ran.code == 69
    assert "✗ engine          /nonexistent/engine was not found\n" in ran.out
    assert "apt install astrometry.net" in ran.out


def test_without_index_files_doctor_tells_what_to_install(nova, working: Path) -> None:
    (working / "index" / "index-4119.fits").unlink()
    ran = nova("doctor")
    assert ran.code == 69
    assert "apt install astrometry-data-tycho2" in ran.out


def test_a_wrong_configuration_fails_its_check(nova, working: Path) -> None:
    file = working / ".config" / "nova" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("keep_dais = 7\n")
    ran = nova("doctor")
    assert ran.code == 78
    assert f"✗ configuration   {file}: unknown key 'keep_dais'" in ran.out
    assert "✓ memory" in ran.out or "! memory" in ran.out
