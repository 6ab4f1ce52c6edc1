"""Old and new clients and servers: the original pipeline, word for word, against solvehost.

The new client against solvehost through sshd is in test_real_sshd.py, and against a server that runs the original
script in the tests of ``nova submit --to``.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from attack_server import Server

from made_sshd import MadeSshd
from solvehost.engine import result_files
from solvehost.formats import fitsfile

pytestmark = pytest.mark.engine

#: The pipeline of the original web front-end; "$@" stands for ``ssh -x -T HOST``.
PIPELINE = """
(echo $JOBID; tar cf - --ignore-failed-read -C $JOBDIR job.axy) | "$@" 2>>$LOG | \
    tar xf - --atime-preserve -m --exclude=job.axy -C $JOBDIR
"""


def run(job: Path, *transport: str, shell: str = "/bin/sh") -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/bin:/bin", "JOBDIR": str(job), "JOBID": "nova-job-20", "LOG": str(job / "log"), "HOME": "/"}
    return subprocess.run(
        [shell, "-c", PIPELINE, shell, *transport], env=env, capture_output=True, text=True, check=False
    )


@pytest.fixture
def job(tmp_path_factory: pytest.TempPathFactory, drawn_axy: bytes) -> Path:
    folder = tmp_path_factory.mktemp("job-20")
    (folder / "job.axy").write_bytes(drawn_axy)
    return folder


def assert_solved(job: Path, drawn_axy: bytes, done: subprocess.CompletedProcess[str]) -> None:
    """Check that all files are complete, tar reported no error, and the star list is unchanged."""
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), (job / "log").read_text()
    result_files.check_wcs(job / "wcs.fits")
    for name in ("corr.fits", "rdls.fits"):
        with (job / name).open("rb") as stream:
            assert len(list(fitsfile.iter_hdus(stream))) == 2
    assert json.loads((job / "manifest.json").read_text())["id"] == "nova-job-20"
    assert {p.name for p in job.iterdir()} == {
        "job.axy", "log", "backend.log", "manifest.json", "corr.fits", "rdls.fits", "wcs.fits",
    }  # fmt: skip
    assert (job / "job.axy").read_bytes() == drawn_axy
    assert "solved" in (job / "log").read_text()


@pytest.mark.sshd
@pytest.mark.parametrize("command", [(), ("testscript-astro",)])
def test_the_original_pipeline_over_ssh(sshd: MadeSshd, job: Path, drawn_axy: bytes, command: tuple[str, ...]) -> None:
    """Without a command, as it is configured; with a command, it is refused."""
    host = sshd.add_host("--log", "stderr")
    done = run(job, *sshd.ssh, "-x", "-T", host.alias, *command)
    if command:
        assert "is not a command of this server" in (job / "log").read_text()
        assert not (job / "wcs.fits").exists()
    else:
        assert_solved(job, drawn_axy, done)


@pytest.mark.sshd
def test_the_original_pipeline_twice_with_the_same_id(sshd: MadeSshd, job: Path, drawn_axy: bytes) -> None:
    host = sshd.add_host("--log", "stderr")
    for _ in range(2):
        assert_solved(job, drawn_axy, run(job, *sshd.ssh, "-x", "-T", host.alias))
        (job / "wcs.fits").unlink()


@pytest.mark.sshd
def test_the_original_pipeline_without_its_file(sshd: MadeSshd, job: Path) -> None:
    """Nothing is returned, and the log has the reason."""
    host = sshd.add_host()
    (job / "job.axy").unlink()
    run(job, *sshd.ssh, "-x", "-T", host.alias)
    assert {p.name for p in job.iterdir()} == {"log"}
    assert "the archive is empty" in (job / "log").read_text()


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_the_original_pipeline_with_the_program_instead_of_ssh(
    real_server: Server, job: Path, drawn_axy: bytes, shell: str
) -> None:
    done = run(job, *real_server.command, *real_server.flags, shell=shell)
    assert_solved(job, drawn_axy, done)
    real_server.assert_clean()


@pytest.mark.sshd
def test_a_lost_connection_does_not_lose_a_detached_job(sshd: MadeSshd, drawn_axy: bytes) -> None:
    """The process of the connection is killed during ``log --follow``; the job is solved and fetched over another."""
    from attack_server import read_reply, request
    from standin import wait_until

    host = sshd.add_host("--log", "stderr")
    ssh = [*sshd.ssh, "-T", host.alias]
    left = subprocess.run([*ssh, "solve", "--detach"], input=request(drawn_axy), capture_output=True, check=True)
    assert json.loads(left.stdout)["state"] in ("waiting", "running", "solved")
    follower = subprocess.Popen([*ssh, "log", "job-1", "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: sshd.connections() or follower.poll() is not None)
    for pid in sshd.connections():
        subprocess.run(["kill", "-9", str(pid)], check=False, capture_output=True)
    follower.communicate()
    wait_until(lambda: b'"solved"' in subprocess.run([*ssh, "jobs"], capture_output=True, check=True).stdout)
    fetched = subprocess.run([*ssh, "fetch", "job-1"], capture_output=True, check=True)
    manifest, files = read_reply(fetched.stdout, "job-1")
    assert (manifest["status"], "wcs.fits" in files) == ("solved", True)
