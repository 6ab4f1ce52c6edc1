"""A batch on a real Slurm of one node: what docs/howto/cluster.md shows, run as it stands there."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from made_sky import DrawnField

import made_cluster

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "howto" / "cluster.md").read_text(encoding="utf-8")
_TIMEOUT_S = 240


def _section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def _block(text: str, language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, language
    return found[1]


@pytest.mark.slurm
@pytest.mark.dask
@pytest.mark.engine
def test_the_script_of_the_page_solves_on_slurm(drawn: DrawnField, tmp_path: Path) -> None:
    """Two jobs, each a worker, solve the frames; the Slurm that was started for it is gone with it."""
    if os.geteuid() != 0:
        pytest.skip("to start a Slurm takes root")
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    lacking = [name for name in ("slurmctld", "slurmd", "munged", "sbatch") if shutil.which(name, path=path) is None]
    if lacking:
        pytest.skip(f"Slurm is not installed: there is no {', no '.join(lacking)}")
    section = _section("Slurm")
    (tmp_path / "solve_on_slurm.py").write_text(_block(section, "python"))
    night = tmp_path / "night"
    night.mkdir()
    for number in range(3):
        drawn.write_jpeg(night / f"{number}.jpg")
    env = {**made_cluster.environment(tmp_path), "DASK_JOBQUEUE__SLURM__INTERFACE": "lo"}
    script, *command = shlex.split(_block(section, "sh"))
    assert command == ["python", "solve_on_slurm.py", "night/"]
    status, out, err = _run(
        [str(ROOT / script), sys.executable, *command[1:], "--settle", "0", "--blind"], tmp_path, env
    )
    assert status == 0, out + err
    assert "3 frames: 3 solved" in out
    assert len(list(tmp_path.glob("slurm-*.out"))) == 2, "a job a worker"
    assert re.search(r"\bidle\b", err), "the node that sinfo shows"
    made_cluster.wait_until(lambda: not _processes_of(tmp_path))


def _run(command: list[str], folder: Path, env: dict[str, str]) -> tuple[int, str, str]:
    """Run a command; if it does not end, end it and the processes that it started."""
    with subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            out, err = process.communicate(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            out, err = process.communicate(timeout=_TIMEOUT_S)
        return process.returncode, out, err


def _processes_of(home: Path) -> list[str]:
    """Return the processes whose home a folder is: daemons, jobs and workers."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"HOME={home}\0" in (path / "environ").read_text(errors="replace"):
                found.append((path / "cmdline").read_text(errors="replace"))
    return found


def test_the_page_names_what_the_script_installs() -> None:
    """The Debian packages of the page are those of scripts/lib.sh."""
    shell = (ROOT / "scripts" / "lib.sh").read_text(encoding="utf-8")
    body = shell.partition("note_lacking_slurm() {")[2].partition("\n}")[0]
    named = re.search(r"apt install ([a-z -]+)`", _section("Slurm"))
    assert named
    assert set(named[1].split()) == set(re.findall(r"lacking\+=\(([a-z-]+)\)", body))


@pytest.mark.dask
@pytest.mark.parametrize(
    ("heading", "name"),
    [("Slurm", "SLURMCluster"), ("HTCondor", "HTCondorCluster"), ("PBS", "PBSCluster"), ("LSF", "LSFCluster")],
)
def test_the_classes_on_the_page_accept_the_arguments_on_it(heading: str, name: str) -> None:
    """Each system's class is there, and makes a job script of the arguments that the page names."""
    jobqueue = pytest.importorskip("dask_jobqueue")
    section = _section(heading)
    cluster = getattr(jobqueue, name)
    call = re.search(rf"{name}\((.*?)\)", section)
    assert call
    given = eval(f"dict({call[1]})")
    script = cluster.job_cls("tcp://127.0.0.1:1", name="1", **given).job_script()
    assert "distributed.cli.dask_worker tcp://127.0.0.1:1" in script
    assert "--nthreads 1" in script
