from __future__ import annotations

import os
from pathlib import Path

import pytest
from made_indexes import make_index
from made_jobs import make_job

from novacli import config
from novacli.config import Config
from novacli.doctor import checks
from novacli.doctor.checks import Check
from solvehost.engine.slots import Token, Tokens


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    return config.load({"HOME": str(tmp_path), "NOVA_SLOTS_DIR": str(tmp_path / "slots"), "NOVA_SLOTS": "3",
                        "NOVA_INDEX": str(tmp_path / "index")})  # fmt: skip


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_an_engine_that_does_not_start_is_found_out(settings: Config, tmp_path: Path) -> None:
    path = script(tmp_path / "engine", "echo libcfitsio.so.10: cannot open; exit 127")
    (check,) = checks.check_engine(settings.replaced("test", engine=str(path)))
    assert (check.ok, check.detail) == (False, f"{path} does not start: libcfitsio.so.10: cannot open")
    assert check.remedy


def test_an_engine_that_hangs_is_given_up(settings: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_ENGINE_PATIENCE_S", 0.2)
    path = script(tmp_path / "engine", "sleep 60")
    (check,) = checks.check_engine(settings.replaced("test", engine=str(path)))
    assert (check.ok, "did not end" in check.detail) == (False, True)


def test_index_files_are_counted_and_the_fields_they_serve_told(settings: Config, tmp_path: Path) -> None:
    make_index(tmp_path / "index" / "index-a.fits", 22, 30)
    make_index(tmp_path / "index" / "index-b.fits", 30, 42)
    files, fields = checks.check_indexes(settings)
    assert files == Check("index files", True, f"2 (5.76 kB) in {tmp_path / 'index'}")
    assert fields.detail.startswith("about 0.73° to 7° wide")


def test_a_damaged_index_file_is_named_and_the_rest_still_serves(settings: Config, tmp_path: Path) -> None:
    make_index(tmp_path / "index" / "index-a.fits", 22, 30)
    cut = make_index(tmp_path / "index" / "index-b.fits", 30, 42)
    cut.write_bytes(cut.read_bytes()[:1000])
    *_, damaged = checks.check_indexes(settings)
    assert (damaged.name, damaged.ok) == ("damaged index", None)
    assert str(cut) in damaged.detail


def test_missing_tiles_are_told(settings: Config, tmp_path: Path) -> None:
    make_index(tmp_path / "index" / "index-a.fits", 2, 2.8, healpix=5, nside=2)
    *_, sky = checks.check_indexes(settings)
    assert (sky.ok, sky.detail) == (None, "quads of 2′ to 2.8′ cover 2% of the sky")


def test_without_index_files_solving_cannot_work(settings: Config, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (check,) = checks.check_indexes(settings)
    assert check.ok is False
    assert "astrometry-data-tycho2" in check.remedy


def test_an_engine_configuration_that_is_not_there_is_a_failing_check(settings: Config, tmp_path: Path) -> None:
    wrong = settings.replaced("test", index=(), engine_config=tmp_path / "none.cfg")
    (check,) = checks.check_indexes(wrong)
    assert (check.ok, "none.cfg" in check.detail) == (False, True)


def test_slots_say_how_many_engines_run(settings: Config, tmp_path: Path) -> None:
    token = Tokens(tmp_path / "slots", 3).try_acquire()
    assert token is not None
    assert checks.check_slots(settings).detail == "3 engines may run at once, 1 running"
    token.release()
    assert checks.check_slots(settings).detail == "3 engines may run at once, none running"


def test_a_look_at_the_slots_leaves_the_others_to_races(
    settings: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that wants to borrow meanwhile finds some."""
    held: list[int] = []
    real_release = Token.release
    monkeypatch.setattr(
        Token, "release", lambda t: (held.append(Tokens(tmp_path / "slots", 3).count_held()), real_release(t))[1]
    )
    assert checks.check_slots(settings).ok
    assert held == [1]


def test_slots_that_cannot_be_kept_are_in_the_way(settings: Config, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert checks.check_slots(settings.replaced("test", slots_dir=tmp_path / "file")).ok is False


@pytest.mark.parametrize(("free_bytes", "ok"), [(20_000_000_000, True), (500_000_000, None), (None, True)])
def test_little_free_memory_is_worth_a_word(
    monkeypatch: pytest.MonkeyPatch, free_bytes: int | None, ok: bool | None
) -> None:
    monkeypatch.setattr(checks, "_memory_bytes", lambda: (free_bytes, 24_000_000_000))
    assert checks.check_memory().ok is ok


def test_a_jobs_directory_that_is_not_there_yet_is_well(settings: Config) -> None:
    assert checks.check_jobs_dir(settings).ok is True


def test_a_file_in_place_of_the_jobs_directory_is_in_the_way(settings: Config, tmp_path: Path) -> None:
    (tmp_path / "jobs").touch()
    assert checks.check_jobs_dir(settings.replaced("test", jobs_dir=tmp_path / "jobs")).ok is False


@pytest.mark.parametrize(("free_bytes", "ok"), [(10**10, True), (10**8, None), (10**6, False)])
def test_a_full_disk_is_told_in_time(
    settings: Config, monkeypatch: pytest.MonkeyPatch, free_bytes: int, ok: bool | None
) -> None:
    usage = checks.shutil.disk_usage(os.sep)._replace(free=free_bytes)
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _path: usage)
    check = checks.check_jobs_dir(settings)
    assert (check.ok, bool(check.remedy)) == (ok, ok is not True)


def test_retention_counts_jobs_and_states_the_limits(settings: Config) -> None:
    make_job(settings["jobs_dir"])
    make_job(settings["jobs_dir"], "interrupted")
    (check,) = checks.check_retention(settings)
    assert check.detail.startswith("2 jobs (1 finished, ")
    assert check.detail.endswith("); those untouched go after 90 days, finished ones beyond 50,000")


def test_every_check_that_can_fail_has_an_exit_code(settings: Config) -> None:
    failed = [Check(name, False, "") for name in checks.EXIT_CODES]
    assert sorted(set(checks.Health(tuple(failed), settings).exit_codes)) == [69, 73, 78]
