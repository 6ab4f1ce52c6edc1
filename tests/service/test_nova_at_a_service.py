"""``nova`` at a real ``nova-web``: the same result as on this machine, and nothing lost when programs are killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from made_service import Service, made, run_module, running, working

pytestmark = [pytest.mark.engine, pytest.mark.slow]
FRAMES = 8
_MOST_S = 120.0


def nova_env(service: Service, folder: Path) -> dict[str, str]:
    """Return the environment of a user of the service."""
    folders = {f"XDG_{name}_HOME": str(folder / name) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    return {**os.environ, **folders, "HOME": str(folder), "NOVA_API_KEY": service.key}


def submit(env: dict[str, str], *words: str) -> dict[str, Any]:
    ran = subprocess.run([sys.executable, "-m", "novacli", "submit", "--json", *words],
                         env=env, capture_output=True, text=True, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    value: dict[str, Any] = json.loads(ran.stdout)
    return value


def test_a_service_gives_the_solution_of_this_machine(drawn_sky: Path, tmp_path: Path) -> None:
    with running(tmp_path / "web") as service:
        env = nova_env(service, tmp_path)
        there = submit(env, "--to", service.url, "--no-learn", str(drawn_sky))
        here = submit(env, "--no-learn", str(drawn_sky))
        assert service.key not in subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout
    assert {*there} == {*here}
    assert there["server"] == service.url
    for name in "ra", "dec", "orientation":
        assert there["calibration"][name] == pytest.approx(here["calibration"][name], abs=0.01)
    for name in "pixscale", "radius", "parity":
        assert there["calibration"][name] == pytest.approx(here["calibration"][name], rel=0.002)


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """A folder of drawn frames of different fields."""
    folder = tmp_path / "night"
    folder.mkdir()
    for seed in range(FRAMES):
        words = ("--random", "--seed", str(seed), "--size", "640x480", "--width", "12", str(folder / f"{seed}.fits"))
        run_module({**os.environ}, "novacli", "demo", *words)
    return folder


def uploads(service: Service) -> int:
    """Return how many jobs the user has at the service."""
    answer = requests.post(
        f"{service.url}/api/login", {"request-json": json.dumps({"apikey": service.key})}, timeout=30
    )
    fields = {"request-json": json.dumps({"session": answer.json()["session"]})}
    return len(requests.post(f"{service.url}/api/myjobs", fields, timeout=30).json()["jobs"])


def test_a_batch_whose_server_and_client_are_killed_loses_and_repeats_nothing(night: Path, tmp_path: Path) -> None:
    service = made(tmp_path / "web")
    env = nova_env(service, tmp_path)
    batch = [sys.executable, "-m", "novacli", "batch", "--to", service.url, "--workers", "2", str(night)]
    with working(service), service.serving() as server:
        with subprocess.Popen(batch, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
            wait_until(lambda: uploads(service) >= 2)
            client.kill()
        with subprocess.Popen(batch, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
            wait_until(lambda: uploads(service) >= 4)
            server.kill()
            server.wait()
            with service.serving():
                assert client.wait(_MOST_S) == 0
                assert uploads(service) == FRAMES
    ran = subprocess.run([*batch, "--json"], env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert f"{FRAMES} frames had their result already" in ran.stderr


def wait_until(is_true: Any) -> None:
    until = time.monotonic() + _MOST_S
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.05)
