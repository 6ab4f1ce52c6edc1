"""Solving on this machine: which engine, which index files, and what is said where there are none."""

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
from solvehost.errors import BusyError
from solvehost.formats.jobdir import JobDir


def connected(**values: object) -> backends.Backend:
    return backends.connect("local", config.load().replaced("--flag", **values))


def test_a_missing_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnavailableError, match=r"astrometry-engine was not found: install it .*apt install"):
        connected().index_files()


def test_no_index_file_says_where_it_looked_and_what_to_install(
    stand_in: Callable[[str], Path], tmp_path: Path
) -> None:
    stand_in("exit 0")
    with pytest.raises(UnavailableError, match=rf"\({tmp_path}\): install some .*astrometry-data-tycho2.*--index"):
        connected(index=(str(tmp_path),)).index_files()


def test_where_all_are_damaged_each_is_named(stand_in: Callable[[str], Path], tmp_path: Path) -> None:
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


def test_an_engine_configuration_that_is_not_there_is_an_error_of_the_configuration(
    stand_in: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in("exit 0")
    monkeypatch.delenv("NOVA_INDEX")
    with pytest.raises(ConfigError, match=r"none\.cfg: No such file"):
        connected(engine_config=tmp_path / "none.cfg").index_files()


@pytest.mark.parametrize(("timeout_s", "cpu_s"), [(5, 120), (300, 120), (301, 120.4), (1000, 400)])
def test_engines_of_a_race_have_cpu_time_by_its_time_limit(timeout_s: float, cpu_s: float) -> None:
    """What does not solve soon is a cloud; who asks for more time than by default gets more."""
    assert local.engine_cpu_s(timeout_s) == pytest.approx(cpu_s)


def test_a_race_is_given_up_after_its_cpu_time(
    stand_in: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backend hands the limit and the number of engines on."""
    seen: list[records.RaceTerms] = []

    def run(_job: object, _numbers: object, terms: records.RaceTerms) -> None:
        seen.append(terms)
        raise BusyError("enough")

    monkeypatch.setattr(race, "run", run)
    stand_in("exit 0")
    backend = connected()
    with pytest.raises(RetryLaterError):
        backend.solve(JobDir(tmp_path), iter([1]), Budget.of_seconds(1000.0, engines=1, cpu_share=0.25))
    assert seen[0].engines == 1
    assert (seen[0].cpu_s, seen[0].wall_s) == pytest.approx((100.0, 1000.0), rel=0.1)
