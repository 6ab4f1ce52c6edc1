"""Solving on this machine: the engine, the index files, and the messages if there are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from made_indexes import make_index

from novacli import backends, config
from novacli.backends import local
from novacli.errors import ConfigError, RetryLaterError, UnavailableError
from novacli.records.budget import Budget
from solvehost.engine import race, records
from solvehost.formats.jobdir import JobDir


def connected(**values: object) -> backends.Backend:
    return backends.connect("local", config.load().replaced("--flag", **values))


def test_the_error_of_a_missing_engine_tells_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnavailableError, match=r"astrometry-engine was not found: install it .*apt install"):
        connected().index_files()


def test_the_error_of_missing_index_files_tells_where_nova_looked_and_what_to_install(
    stand_in: Callable[[str], Path], tmp_path: Path
) -> None:
    stand_in("exit 0")
    with pytest.raises(UnavailableError, match=rf"\({tmp_path}\): install some .*astrometry-data-tycho2.*--index"):
        connected(index=(str(tmp_path),)).index_files()


def test_if_all_index_files_are_damaged_each_is_named(stand_in: Callable[[str], Path], tmp_path: Path) -> None:
    stand_in("exit 0")
    for name in ("index-1.fits", "index-2.fits"):
        (tmp_path / name).write_bytes(b"SIMPLE  = nonsense")
    with pytest.raises(UnavailableError, match=r"index-1\.fits: .*; .*index-2\.fits: .*install some"):
        connected(index=(str(tmp_path),)).index_files()


def test_a_damaged_index_file_is_left_out_and_noted(stand_in: Callable[[str], Path], tmp_path: Path) -> None:
    stand_in("exit 0")
    whole = make_index(tmp_path / "more" / "index-4112.fits", 60, 85)
    (tmp_path / "more" / "index-4113.fits").write_bytes(whole.read_bytes()[:1000])
    backend = connected(index=(str(tmp_path / "more"),))
    assert [f.path.name for f in backend.index_files()] == ["index-4112.fits"]
    (note,) = backend.notes()
    assert note.startswith(f"index file {tmp_path}/more/index-4113.fits is left out: ")


def test_a_missing_engine_configuration_is_a_configuration_error(
    stand_in: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in("exit 0")
    monkeypatch.delenv("NOVA_INDEX")
    with pytest.raises(ConfigError, match=r"none\.cfg: No such file"):
        connected(engine_config=tmp_path / "none.cfg").index_files()


@pytest.mark.parametrize(("timeout_s", "cpu_s"), [(5, 120), (300, 120), (301, 120.4), (1000, 400)])
def test_the_cpu_limit_of_a_race_follows_from_its_time_limit(timeout_s: float, cpu_s: float) -> None:
    """Frames that do not solve soon are cloudy; a user who allows more time than the default gets more CPU time."""
    assert local.engine_cpu_s(timeout_s) == pytest.approx(cpu_s)


def test_the_limits_of_a_solve_reach_the_race(
    stand_in: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CPU limit, the number of engines and the time limit."""
    seen: list[records.RaceTerms] = []

    def run(_job: object, _numbers: object, terms: records.RaceTerms) -> None:
        seen.append(terms)
        raise RetryLaterError("enough")

    monkeypatch.setattr(race, "run", run)
    stand_in("exit 0")
    backend = connected()
    with pytest.raises(RetryLaterError):
        backend.solve(JobDir(tmp_path), iter([1]), Budget.of_seconds(1000.0, engines=1, cpu_share=0.25))
    assert seen[0].engines == 1
    assert (seen[0].cpu_s, seen[0].wall_s) == pytest.approx((100.0, 1000.0), rel=0.1)
