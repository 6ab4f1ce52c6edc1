"""The ssh backend: several requests for one job, numbers of attempts, time limits, and the original script."""

from __future__ import annotations

import shlex
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_jobs import make_job
from made_results import corr_fits, solution_of, wcs_fits
from made_servers import Servers, make_info
from made_sky import DrawnField

from novacli import backends, config
from novacli.backends.base import Backend
from novacli.backends.ssh import packing, retrying
from novacli.errors import OutputError, RetryLaterError, TransferError, UnavailableError
from novacli.inputs import FileInput
from novacli.pipeline.context import Context
from novacli.pipeline.solve import solve_input
from novacli.records.budget import Budget
from novacli.records.params import SolveParams
from novacli.records.progress import Progress
from solvehost.formats import axy
from solvehost.formats.axy import Range, Schedule
from solvehost.formats.jobdir import JobDir
from solvehost.formats.star_table import Stars

#: The original script in short: a directory for each id, the engine on job.axy only, all files sent back.
ORIGINAL = """place={place}
IFS= read -r id || exit 1
mkdir -p "$place/$id"
cd "$place/$id" || exit 1
tar xf - || exit 1
{engine} job.axy >> backend.log 2>&1
exec tar cf - --ignore-failed-read -- *
"""


def run_original(servers: Servers, tmp_path: Path, engine: str, name: str = "old") -> Path:
    """Have a server run the original script for every command."""
    place = tmp_path / f"{name}-jobs"
    script = ORIGINAL.format(place=shlex.quote(str(place)), engine=engine)
    servers.add(name, info=script, solve=script)
    return place


@pytest.fixture
def job(tmp_path: Path) -> JobDir:
    """A job with three attempts; the third differs from the first only in its schedule."""
    made = make_job(tmp_path / "jobs", "interrupted")
    first = axy.read(made.axy(1))
    first = replace(first, width=719, height=507, schedule=Schedule(label="one"))
    axy.write(first, made.axy(1))
    axy.write(replace(first, code_tolerance=0.005, schedule=Schedule(label="two")), made.axy(2))
    axy.write(replace(first, schedule=Schedule(quads_arcmin=Range(1, 2), rank=2, label="three")), made.axy(3))
    return made


@pytest.fixture
def connected(servers: Servers) -> Callable[[str], Backend]:
    return lambda place: backends.connect(place, config.load())


def in_pieces(numbers: list[int], monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Return numbers of attempts, each of which takes so long to prepare that it is sent alone."""
    monkeypatch.setattr(packing, "take_ready", lambda _job, rest, budget_s=0: [n for n in (next(rest, None),) if n])
    return iter(numbers)


def test_attempts_that_are_ready_are_sent_first_and_the_others_later(
    connected, servers: Servers, job: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.replies("solve1", {"backend.log": b"no\n"})
    heard: list[str] = []
    numbers = in_pieces([1, 2, 3], monkeypatch)
    solve = connected("solve1").solve(job, numbers, Budget.of_seconds(60), Progress(heard.append))
    assert (solve.race.reason, [a.number for a in solve.race.attempts]) == ("exhausted", [1, 2, 3])
    assert [a.label for a in solve.race.attempts] == ["one", "two", "three"]
    assert len(servers.calls("solve")) == 3
    assert job.log.read_bytes() == b"no\n" * 3
    assert solve.race.seconds == pytest.approx(3 * 0.75)


def test_the_winner_has_the_number_that_the_job_gave_it(
    connected, servers: Servers, job: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt of the second request is the third attempt of the job."""
    servers.replies("solve1", {"backend.log": b"no\n"})
    backend = connected("solve1")

    def numbers() -> Iterator[int]:
        yield from (1, 2)
        servers.replies("solve1")
        yield 3

    in_pieces([], monkeypatch)
    solve = backend.solve(job, numbers(), Budget.of_seconds(60))
    assert (solve.race.winner, solve.race.status) == (3, "solved")
    manifest = job.read_json("manifest.json")
    assert manifest is not None
    assert (manifest["winner"], [a["number"] for a in manifest["attempts"]]) == (3, [1, 2, 3])


def test_no_attempt_is_sent_after_a_solution(
    connected, servers: Servers, job: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.replies("solve1")
    numbers = in_pieces([1, 2, 3], monkeypatch)
    assert connected("solve1").solve(job, numbers, Budget.of_seconds(60)).race.winner == 1
    assert next(numbers) == 2


def test_without_an_index_file_for_the_other_attempts_the_job_is_exhausted(
    connected, servers: Servers, job: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.replies("solve1", {}, before="if [ -e been ]; then cat > /dev/null; exit 69; fi; touch been")
    solve = connected("solve1").solve(job, in_pieces([1, 2], monkeypatch), Budget.of_seconds(60))
    assert (solve.race.reason, [a.number for a in solve.race.attempts]) == ("exhausted", [1])


def test_a_cancelled_solve_has_the_reason_cancelled(connected, servers: Servers, job: JobDir) -> None:
    servers.add("solve1", solve="cat > /dev/null; exec sleep 1000")
    flag = threading.Event()
    threading.Timer(0.5, flag.set).start()
    solve = connected("solve1").solve(job, iter([1]), Budget.of_seconds(60), Progress(cancelled=flag.is_set))
    assert (solve.race.status, solve.race.reason) == ("unsolved", "cancelled")


def test_if_all_servers_are_busy_until_the_time_is_up_the_solve_fails(
    connected, servers: Servers, job: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 75: the job was never tried."""
    monkeypatch.setattr(retrying, "_FIRST_PAUSE_S", 1000.0)
    servers.add("solve1", solve="cat > /dev/null; exit 75")
    with pytest.raises(RetryLaterError, match="solve1: it gave no reason"):
        connected("solve1").solve(job, iter([1]), Budget.of_seconds(60))


def test_after_a_full_disk_on_this_machine_no_other_server_is_tried(
    connected, servers: Servers, job: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    from novacli.backends import received

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(received, "_move", full)
    servers.replies("solve1")
    servers.says("solve2", make_info(running=1))
    servers.replies("solve2")
    with pytest.raises(OutputError, match="No space left on device"):
        connected("solve1,solve2").solve(job, iter([1]), Budget.of_seconds(60))
    assert servers.calls("solve") == ["solve1 solve"]
    assert not job.wcs.exists()


def test_an_index_file_that_several_servers_have_is_listed_once(connected, servers: Servers) -> None:
    from made_servers import INDEX

    servers.says("a", make_info(indexes=(INDEX, INDEX._replace(name="index-1.fits", low_arcmin=1.0))))
    servers.says("b", make_info())
    assert [f.path.name for f in connected("a,b").index_files()] == ["index-1.fits", "index-4110.fits"]


# --- The original script -------------------------------------------------------------------------------------------


@pytest.fixture
def fake_engine(tmp_path: Path) -> Callable[[str], str]:
    """Return a function that installs a script as the engine and returns its command line."""

    def install(script: str) -> str:
        path = tmp_path / "engine.sh"
        path.write_text(f"{script}\n")
        return f"/bin/sh {shlex.quote(str(path))}"

    return install


def test_attempts_are_sent_one_by_one_under_new_ids(
    connected, servers: Servers, job: JobDir, tmp_path: Path, fake_engine
) -> None:
    place = run_original(servers, tmp_path, fake_engine("exit 0"))
    solve = connected("old").solve(job, iter([1, 2, 3]), Budget.of_seconds(60))
    assert (solve.race.reason, [a.label for a in solve.race.attempts]) == ("exhausted", ["one", "two"])
    sent = sorted(place.iterdir())
    assert len(sent) == 2, "the third is the same to an engine that knows no schedules"
    for folder in sent:
        assert [p.name for p in folder.iterdir() if p.name.endswith(".axy")] == ["job.axy"]
        limit = axy.read(folder / "job.axy").cpu_limit_s
        assert limit is not None
        assert 5 <= limit <= 15
    assert not job.log.exists(), "the log may be that of an earlier job"


def test_the_result_of_the_original_script_is_kept(
    connected, servers: Servers, job: JobDir, tmp_path: Path, fake_engine
) -> None:
    (tmp_path / "found").write_bytes(wcs_fits(719, 507))
    run_original(servers, tmp_path, fake_engine(f"cp {tmp_path}/found wcs.fits; echo x > job-2.axy"))
    before = job.axy(2).read_bytes()
    solve = connected("old").solve(job, iter([1, 2]), Budget.of_seconds(60))
    assert (solve.race.winner, solve.server) == (1, "old")
    assert solution_of(job.wcs.read_bytes()) == solution_of(wcs_fits(719, 507))
    assert job.axy(2).read_bytes() == before
    manifest = job.read_json("manifest.json")
    assert manifest is not None
    assert (manifest["status"], manifest["engine"]) == ("solved", "unknown")


@pytest.mark.parametrize("found", [b"nonsense", wcs_fits(719, 507, A_ORDER=999), wcs_fits(10, 10)])
def test_the_result_of_the_original_script_is_checked(
    connected, servers: Servers, job: JobDir, tmp_path: Path, fake_engine, found: bytes
) -> None:
    (tmp_path / "found").write_bytes(found)
    run_original(servers, tmp_path, fake_engine(f"cp {tmp_path}/found wcs.fits"))
    with pytest.raises(TransferError, match="old: what it sent back cannot be used"):
        connected("old").solve(job, iter([1]), Budget.of_seconds(60))
    assert not job.wcs.exists()


def test_a_match_on_clustered_stars_is_rejected_and_the_next_attempt_follows(
    connected, servers: Servers, job: JobDir, tmp_path: Path, fake_engine
) -> None:
    """The script does not test for clustering, so nova does; as in a race, only that attempt is rejected."""
    first = axy.read(job.axy(1))
    x, y = array("f", [100, 101, 102] * 3), array("f", [n // 3 + 200 for n in range(9)])
    clustered = Stars(x, y, array("f", range(9, 0, -1)))
    axy.write(replace(first, stars=clustered, odds_to_solve=1e13), job.axy(1))
    wcs = wcs_fits(comments=("log odds: 31.7",))
    found = {"wcs.fits": wcs, "corr.fits": corr_fits(wcs, list(zip(x, y, strict=True))[:8])}
    for name, content in found.items():
        (tmp_path / name).write_bytes(content)
    script = f"cd {tmp_path} && [ ! -e again ] && cp wcs.fits corr.fits $OLDPWD; touch again"
    run_original(servers, tmp_path, fake_engine(script))
    solve = connected("old").solve(job, iter([1, 2]), Budget.of_seconds(60))
    assert [a.outcome for a in solve.race.attempts] == ["doubtful", "exhausted"]
    assert (solve.race.status, solve.race.reason) == ("unsolved", "exhausted")
    assert not job.wcs.exists()
    assert not (job.path / "corr.fits").exists()


def test_an_attempt_that_hangs_is_stopped_at_the_time_limit(
    connected, servers: Servers, job: JobDir, tmp_path: Path, fake_engine
) -> None:
    run_original(servers, tmp_path, fake_engine("exec sleep 1000"))
    began = time.monotonic()
    solve = connected("old").solve(job, iter([1, 2]), Budget.of_seconds(1.0))
    assert (solve.race.reason, [a.outcome for a in solve.race.attempts]) == ("time-limit", ["stopped"])
    assert time.monotonic() - began < 30


def test_after_a_failure_of_the_original_script_the_next_server_is_tried(
    connected, servers: Servers, job: JobDir, tmp_path: Path
) -> None:
    servers.add("old", info="exit 1", solve="cat > /dev/null; exit 1")
    servers.says("new", make_info(running=4))
    servers.replies("new")
    solve = connected("old,new").solve(job, iter([1, 2]), Budget.of_seconds(60))
    assert solve.server == "new"
    assert solve.notes == ("old: the server ended with exit code 1: it gave no reason; asked new instead",)


def test_a_server_that_was_replaced_by_the_original_script_is_noticed(
    connected, servers: Servers, job: JobDir, tmp_path: Path, fake_engine
) -> None:
    """What it told before is forgotten after the failure, so the next job asks again."""
    backend = connected("solve1")
    servers.says("solve1", make_info())
    backend.index_files()
    run_original(servers, tmp_path, fake_engine("exit 0"), name="solve1")
    with pytest.raises(TransferError, match="it sent no manifest"):
        backend.solve(job, iter([1]), Budget.of_seconds(60))
    assert connected("solve1").solve(job, iter([1]), Budget.of_seconds(60)).race.reason == "exhausted"


def test_without_an_engine_on_the_server_the_job_is_exhausted(
    connected, servers: Servers, job: JobDir, tmp_path: Path
) -> None:
    """The script ignores the exit code of its engine, so the reason cannot be known."""
    run_original(servers, tmp_path, "/no/such/engine")
    assert connected("old").solve(job, iter([1]), Budget.of_seconds(60)).race.reason == "exhausted"


@pytest.mark.engine
def test_a_picture_is_solved_by_the_original_script_and_the_real_engine(
    connected, servers: Servers, drawn: DrawnField, real_engine: Path, real_indexes: Any, tmp_path: Path
) -> None:
    run_original(servers, tmp_path, str(real_engine))
    context = Context(tmp_path / "jobs", connected("old"))
    solved = solve_input(FileInput(str(drawn.write_fits(tmp_path / "field.fits"))), SolveParams(timeout_s=120), context)
    assert solved.result.status == "solved", solved.result
    assert solved.result.server == "old"
    assert solved.result.calibration is not None
    drawn.assert_found(solved.result.to_json()["calibration"], parity=-1)
    assert solved.result.files.keys() >= {"wcs", "corr", "rdls", "axy"}


def test_a_missing_ssh_is_reported_when_it_is_needed(connected, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = connected("solve1")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnavailableError, match="ssh was not found"):
        backend.index_files()
