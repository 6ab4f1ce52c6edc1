"""A running web service with its worker, and what its tests in a browser need."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
_START_S = 60.0


@dataclass(frozen=True)
class Service:
    """A service that runs: its address, and the API key of the user ``ada``."""

    url: str
    key: str
    env: dict[str, str]

    def nova_web(self, *words: str) -> str:
        """Run ``nova-web``; return what it prints."""
        return run_module(self.env, "novaweb", *words)

    @contextlib.contextmanager
    def serving(self) -> Iterator[subprocess.Popen[bytes]]:
        """Answer requests until the end; yield the process, which may be killed."""
        with _started(self.env, "serve", "--port", self.url.rpartition(":")[2]) as server:
            _wait_for(f"{self.url}/readyz")
            yield server


def run_module(env: dict[str, str], module: str, *words: str) -> str:
    """Run a module as a program; return what it prints."""
    ran = subprocess.run([sys.executable, "-m", module, *words], env=env, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


@contextlib.contextmanager
def running(folder: Path, **settings: str) -> Iterator[Service]:
    """Start a service with one worker and the user ``ada``; end it at the end.

    ``settings`` are environment variables.
    """
    service = made(folder, **settings)
    with service.serving(), working(service):
        yield service


def made(folder: Path, **settings: str) -> Service:
    """Make a service with the user ``ada``; it does not run yet."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    env = {**os.environ, "NOVAWEB_DATA": str(folder), "NOVAWEB_SITE_URL": url, **settings}
    run_module(env, "novaweb", "migrate")
    run_module(env, "novaweb", "user", "add", "ada")
    key = run_module(env, "novaweb", "key", "add", "ada")
    return Service(url, key, env)


@contextlib.contextmanager
def working(service: Service) -> Iterator[None]:
    """Solve the jobs of a service until the end."""
    with _started(service.env, "work", "--slots", "2"):
        yield


@contextlib.contextmanager
def _started(env: dict[str, str], *words: str) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-m", "novaweb", *words], env=env, stdin=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(_START_S)


def _wait_for(url: str) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(url, timeout=5).ok:
                return
        time.sleep(0.1)
    raise TimeoutError(url)
