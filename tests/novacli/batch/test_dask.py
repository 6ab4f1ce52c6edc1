"""A batch on a real Dask cluster: the same answers as with the local pool, and what becomes of frames when all dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_sky import DrawnField

import made_cluster
import novacli
from made_cluster import KILLER, WRECKER, Cluster, wait_until
from solvehost.indexes import engine_config

pytestmark = pytest.mark.dask
_TIMEOUT_S = 120


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home that the workers and the command have in common."""
    return tmp_path_factory.mktemp("dask")


@pytest.fixture(scope="module")
def env(home: Path) -> dict[str, str]:
    """The environment of the workers and the command."""
    return made_cluster.environment(home)


@pytest.fixture(scope="module")
def cluster(home: Path, env: dict[str, str]) -> Iterator[Cluster]:
    """A scheduler with two workers."""
    pytest.importorskip("distributed")
    with made_cluster.start(home, env) as started:
        yield started


@pytest.fixture
def night(drawn: DrawnField, tmp_path: Path) -> Path:
    """A folder with four pictures of the sky."""
    folder = tmp_path / "night"
    folder.mkdir()
    first = drawn.write_jpeg(folder / "1.jpg")
    for number in (2, 3, 4):
        shutil.copy(first, folder / f"{number}.jpg")
    return folder


def _command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "novacli", "batch", "--settle", "0", *map(str, arguments)]


def _nova(env: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments), env=env, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
    )


def _slow(env: dict[str, str], folder: Path, seconds: int) -> dict[str, str]:
    """Return an environment whose engine, the real one, takes its time before it begins."""
    script = folder / "slow-engine"
    engine = shutil.which(env.get("NOVA_ENGINE", "astrometry-engine"))
    script.write_text(f'#!/bin/sh\nsleep {seconds}\nexec {engine} "$@"\n')
    script.chmod(0o755)
    return {**env, "NOVA_ENGINE": str(script), "NOVA_ENGINE_CONFIG": str(_engine_config())}


def _engine_config() -> Path:
    from solvehost.engine import program

    return next(path for path in engine_config.config_candidates(program.find_engine()) if path.is_file())


def _answers(lines: str) -> dict[str, tuple[Any, ...]]:
    """Return what is known of each frame: its fate, and the place on the sky to a hundredth of a degree."""
    found = {}
    for line in map(json.loads, lines.splitlines()):
        sky = line["calibration"] and tuple(round(line["calibration"][key], 2) for key in ("ra", "dec", "parity"))
        found[Path(line["input"]).name] = (line["status"], sky, (line["error"] or {}).get("exit_code"))
    return found


def _begun(home: Path) -> list[Path]:
    """Return the mark files of groups in progress."""
    return list((home / "jobs").glob(".batch-*/.nova-*"))


# --- With the real engine -----------------------------------------------------------------------------------------


@pytest.mark.engine
def test_a_cluster_gives_the_results_of_the_local_pool(
    cluster: Cluster, env: dict[str, str], night: Path, tmp_path: Path
) -> None:
    """Pictures, what is none, and one that processes die over: each has the same fate, and no Dask worker dies."""
    (night / "none.fits").write_text("no image")
    (night / KILLER).write_text("no image either")
    before = cluster.killed
    done = {
        name: _nova(env, "--json", "--blind", "--ledger", tmp_path / name, *options, night)
        for name, options in {"pool": (), "dask": ("--dask", cluster.address)}.items()
    }
    answers = {name: _answers(ran.stdout) for name, ran in done.items()}
    assert answers["dask"] == answers["pool"]
    assert {fate for fate, *_ in answers["dask"].values()} == {"solved", "failed"}
    assert [ran.returncode for ran in done.values()] == [70, 70]
    assert cluster.killed == before
    assert "a worker was killed by SIGKILL over it, twice" in done["dask"].stderr


@pytest.mark.engine
def test_a_killed_worker_costs_only_time(
    cluster: Cluster, env: dict[str, str], home: Path, night: Path, tmp_path: Path
) -> None:
    arguments = ("--blind", "--dask", cluster.address, night)
    slow = _slow(env, tmp_path, 1)
    before = cluster.killed
    with subprocess.Popen(_command(*arguments), env=slow, stdout=subprocess.PIPE, text=True) as nova:
        wait_until(lambda: len(_begun(home)) == 2)
        os.kill(cluster.workers[0], signal.SIGKILL)
        out, _ = nova.communicate(timeout=_TIMEOUT_S)
    assert nova.returncode == 0, out
    assert cluster.killed - before == 1
    assert "4 frames: 4 solved" in out
    assert _nova(slow, *arguments).stdout.startswith("nova: nothing to do")


def test_quick_frames_travel_in_groups(cluster: Cluster, env: dict[str, str], tmp_path: Path) -> None:
    """One that brings its process down does so twice, by itself."""
    for number in range(80):
        (tmp_path / f"{number}.fits").write_text(f"no image {number}")
    (tmp_path / KILLER).write_text("no image either")
    before = _groups_so_far(cluster)
    done = _nova(env, "--json", "--blind", "--dask", cluster.address, tmp_path)
    groups = _groups_so_far(cluster) - before
    codes = Counter(json.loads(line)["error"]["exit_code"] for line in done.stdout.splitlines())
    assert codes == {65: 80, 70: 1}
    assert 10 <= groups < 60


def _groups_so_far(cluster: Cluster) -> int:
    """Return the number of groups that workers reported to the scheduler; a process of its own asks for it."""
    code = "import distributed, sys; print(len(distributed.Client(sys.argv[1]).get_events('nova-batch')))"
    command = [sys.executable, "-c", code, cluster.address]
    return int(subprocess.run(command, capture_output=True, check=True, timeout=_TIMEOUT_S).stdout)


@pytest.mark.engine
def test_an_interrupt_leaves_no_engine_behind(
    cluster: Cluster, env: dict[str, str], home: Path, night: Path, tmp_path: Path
) -> None:
    """What is queued is not begun, and what was begun is given up."""
    command = _command("--blind", "--dask", cluster.address, night)
    with subprocess.Popen(command, env=_slow(env, tmp_path, 300), stdout=subprocess.PIPE, text=True) as nova:
        wait_until(lambda: _engines_in(tmp_path))
        nova.send_signal(signal.SIGINT)
        out, _ = nova.communicate(timeout=_TIMEOUT_S)
    assert nova.returncode == 128 + signal.SIGINT
    assert "4 left for the next run" in out
    wait_until(lambda: not _engines_in(tmp_path))
    wait_until(lambda: not _begun(home))


def _engines_in(folder: Path) -> list[str]:
    """Return the processes that were started by the engine's name in a folder."""
    command_lines = Path("/proc").glob("[0-9]*/cmdline")
    return [text for text in map(_read, command_lines) if str(folder / "slow-engine") in text]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


@pytest.mark.engine
def test_a_frame_that_hangs_is_stopped(cluster: Cluster, env: dict[str, str], night: Path, tmp_path: Path) -> None:
    """It is to be tried again, and its worker lives on and takes the next frame."""
    workers = cluster.workers
    code = "from novacli.batch.executors import dask; dask.GRACE_S = -299"  # of the 300 s that a frame may take
    done = _patched(_slow(env, tmp_path, 300), code, "--blind", "--dask", cluster.address, night / "1.jpg")
    assert done.returncode == 75
    assert "it did not end within 1 s, and was stopped" in done.stdout
    assert not _engines_in(tmp_path)
    assert _nova(env, "--blind", "--dask", cluster.address, night / "2.jpg").returncode == 0
    assert cluster.workers == workers


def test_workers_that_can_start_no_process_stop_the_run(tmp_path: Path) -> None:
    """No frame is failed for good, and the message names the machine and the fault."""
    environment = made_cluster.environment(tmp_path)
    with (tmp_path / "hook" / "sitecustomize.py").open("a") as hook:
        hook.write('if any("daskchild" in word for word in sys.orig_argv): os._exit(3)\n')
    night = tmp_path / "night"
    night.mkdir()
    for number in range(20):
        (night / f"{number}.fits").write_text("no image")
    with made_cluster.start(tmp_path, environment, workers=1) as cluster:
        done = _nova(environment, "--dask", cluster.address, night)
    assert done.returncode == 75
    shown = f"0.fits: {socket.gethostname()}: the process to solve it in ended with exit code 3 before it was ready"
    assert shown in done.stdout
    assert "It stopped before the end: 3 frames in a row failed" in done.stdout


@pytest.mark.engine
def test_a_frame_kills_at_most_two_workers(env: dict[str, str], one: Path, tmp_path: Path) -> None:
    """One that gives up at once costs no frame its second try."""
    wrecker = one.rename(one.with_name(WRECKER))
    strict = {**env, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    with made_cluster.start(tmp_path, strict, workers=1) as cluster:
        done = _nova(env, "--blind", "--dask", cluster.address, wrecker)
        wait_until(lambda: cluster.killed == 2)
    assert done.returncode == 70
    assert "a worker was lost over it, twice" in done.stdout


@pytest.mark.engine
def test_a_run_ends_with_its_scheduler_and_the_next_one_goes_on(
    env: dict[str, str], night: Path, tmp_path: Path
) -> None:
    """One line, exit code 75, and all frames are to be tried again."""
    with made_cluster.start(tmp_path, env, workers=1) as cluster:
        command = _command("--blind", "--dask", cluster.address, night)
        slow = _slow(env, tmp_path, 300)
        with subprocess.Popen(command, env=slow, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as nova:
            wait_until(lambda: _engines_in(tmp_path))
            cluster.scheduler.kill()
            out, err = nova.communicate(timeout=_TIMEOUT_S)
    assert nova.returncode == 75
    assert err == ""
    assert out.startswith("nova: 4 frames: 4 left for the next run")
    assert out.endswith(f"It stopped before the end: {cluster.address}: the scheduler is gone.\n")
    assert _nova(env, "--blind", night).returncode == 0


# --- What is wrong is said ----------------------------------------------------------------------------------------


def _patched(env: dict[str, str], code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``nova batch`` after a line of Python."""
    program = f"{code}\nfrom novacli.cli.main import main\nmain()"
    command = [sys.executable, "-c", program, "batch", "--settle", "0", *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """A file that is to be solved."""
    path = tmp_path / "one.fits"
    path.write_text("no image")
    return path


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "import novacli; novacli.__version__ = '9.9'",
            f"its workers have nova {novacli.__version__}, and this is 9.9: install the same version",
        ),
        (
            "from novacli.batch.executors import dask; dask._ANSWER = '''__import__('no_nova_here')'''",
            f"its workers have no nova {novacli.__version__}: install that version there",
        ),
        (
            "from novacli.batch.executors import dask; dask._ANSWER = '''('unseen', '/usr/bin')'''",
            "its workers do not see /usr/bin: they must see the same files by the same paths",
        ),
        (  # as if the worker with the answer is lost, and no other one can do the work again
            "import distributed\nasync def no(*_, **__): raise ImportError\ndistributed.Client._gather = no",
            f"its workers have no nova {novacli.__version__}: install that version there",
        ),
    ],
)
def test_unfit_workers_are_reported_in_one_line(
    cluster: Cluster, env: dict[str, str], one: Path, code: str, said: str
) -> None:
    """Another version, no nova, and files that workers do not see, end the run at its first frame."""
    done = _patched(env, code, "--dask", cluster.address, one)
    assert (done.returncode, done.stderr, done.stdout) == (69, f"nova: {cluster.address}: {said}\n", "")
    assert cluster.nanny.poll() is None


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        ("nonsense", 2, "nova: --dask nonsense: this is not the address of a scheduler, such as tcp://host:8786\n"),
        ("tcp://127.0.0.1:1", 75, "no Dask scheduler answers there: start one, or call again later\n"),
    ],
)
def test_a_wrong_scheduler_is_reported_in_one_line(
    env: dict[str, str], one: Path, address: str, code: int, said: str
) -> None:
    short = "from novacli.batch.executors import dask; dask._CONNECT_S = 0.5"
    done = _patched(env, short, "--dask", address, one)
    assert done.returncode == code
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(said)
    status = subprocess.run(
        [sys.executable, "-m", "novacli", "batch", "status", str(one)],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.strip().removeprefix("nova: ") in status.stdout


def test_a_missing_extra_is_reported_with_its_remedy(env: dict[str, str], one: Path) -> None:
    done = _patched(env, "import sys; sys.modules['distributed'] = None", "--dask", "tcp://127.0.0.1:1", one)
    assert (done.returncode, done.stderr) == (69, "nova: --dask needs: pip install 'novacli[dask]'\n")


def test_a_cluster_without_workers_is_given_up(env: dict[str, str], one: Path, tmp_path: Path) -> None:
    """The run ends, and the frame waits for the next one."""
    with made_cluster.start(tmp_path, env, workers=1) as cluster:
        made_cluster.end(cluster.nanny)
        code = "from novacli.batch.executors import dask; dask._NO_WORKER_S = 0.5"
        done = _patched(env, code, "--dask", cluster.address, one)
    assert done.returncode == 75
    assert f"{cluster.address}: it had no worker for" in done.stdout + done.stderr


def test_a_hanging_scheduler_does_not_block_the_end_of_a_run(env: dict[str, str], one: Path, tmp_path: Path) -> None:
    """It hangs from the moment at which it is to have its first task."""
    with made_cluster.start(tmp_path, env, workers=1) as cluster:
        stop = f"os.kill({cluster.scheduler.pid}, {int(signal.SIGSTOP)})"
        patch = f"dask._DaskExecutor.room = property(lambda _: {stop} or 1)"
        code = f"import os; from novacli.batch.executors import dask; {patch}"
        try:
            done = _patched(env, code, "--max-time", "2", "--dask", cluster.address, one)
        finally:
            cluster.scheduler.send_signal(signal.SIGCONT)
    assert done.returncode == 75
    assert "1 left for the next run" in done.stdout
    assert "the time limit passed" in done.stdout


def test_to_and_dask_exclude_each_other(env: dict[str, str], one: Path) -> None:
    done = _nova(env, "--dask", "tcp://127.0.0.1:1", "--to", "host", one)
    assert done.returncode == 2
    assert done.stderr.startswith("nova: --dask and --to exclude each other")
