"""The demonstration: database, user, server and worker on this machine, and a drawn sky uploaded by HTTP.

Server and worker are the commands ``serve`` and ``work`` as child processes, which end with this process.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import requests

from novacli import config as nova_configuration
from novacli.demo import writer
from novacli.demo.catalogue import Catalogue, find_index
from novacli.demo.drawing import draw
from novacli.demo.scene import Scene
from novacli.errors import UnavailableError
from novacli.indexes.places import index_places, installed_engine
from novaweb import django_start
from solvehost.engine.exec_helper import die_with_parent

_USER = "demo"
_START_S, _SOLVE_S, _POLL_S = 30.0, 120.0, 0.2
_HTTP_S = 30.0
#: Orion's belt and sword.
_SCENE = Scene(84.0, -3.0, width_deg=10.0)


def run(port: int, *, ends: bool) -> int:
    """Run the demonstration; return the exit code.

    Parameters
    ----------
    port
        The port of the server, on loopback.
    ends
        True to end when the drawn sky is solved.
    """
    _check_port(port)
    key = _prepare()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # the children end with this process
    with _children(["serve", "--port", str(port)], ["work"]) as children:
        base = f"http://127.0.0.1:{port}"
        _wait_for(base, children)
        job, status = _solve(base, key)
        click.echo(f"the drawn sky: {status}, {base}/api/jobs/{job}/info/")
        click.echo(f"pages: {base}/")
        click.echo(f"address of the API: {base}/api/")
        click.echo(f"API key: {key}")
        if ends:
            return 0 if status == "success" else 1
        click.echo("Ctrl-C ends the service")
        while all(child.poll() is None for child in children):
            time.sleep(_POLL_S)
    raise UnavailableError("the server or the worker has ended: see its message above")


def _check_port(port: int) -> None:
    """Raise UnavailableError if a port is taken: the demonstration would send its key to another server."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as exc:
            raise UnavailableError(f"127.0.0.1:{port} cannot be used: {exc.strerror}: choose another --port") from exc


def _prepare() -> str:
    """Make the database and the user; return a new API key."""
    django_start.start(needs_tables=False)
    django_start.migrate()
    from novaweb.accounts.keys import make_key
    from novaweb.accounts.models import User
    from novaweb.accounts.people import make_person

    user = User.objects.filter(username=_USER).first() or make_person(_USER)
    return make_key(user, f"demo {secrets.token_hex(4)}")


@contextlib.contextmanager
def _children(*commands: list[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run commands of ``nova-web`` as child processes, which end with this one however it ends.

    They end with SIGTERM, the second of which ends a solve.
    """
    children: list[subprocess.Popen[bytes]] = []
    try:
        for words in commands:
            children.append(
                subprocess.Popen(
                    [sys.executable, "-m", "novaweb", *words],
                    stdin=subprocess.DEVNULL,
                    # This process has one thread, so a function before the exec is safe.
                    preexec_fn=functools.partial(die_with_parent, os.getpid(), signal.SIGTERM),  # noqa: PLW1509
                )
            )
        yield children
    finally:
        for _ in range(2):
            for child in children:
                child.terminate()
            time.sleep(_POLL_S)
        for child in children:
            child.wait()


def _wait_for(base: str, children: list[subprocess.Popen[bytes]]) -> None:
    until_s = time.monotonic() + _START_S
    while time.monotonic() < until_s and all(child.poll() is None for child in children):
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{base}/readyz", timeout=_HTTP_S).ok:
                return
        time.sleep(_POLL_S)
    raise UnavailableError(f"the server at {base} does not answer: see its message above")


def _solve(base: str, key: str) -> tuple[int, str]:
    """Upload a drawn sky as a client does; return the number of its job and how it ended."""
    session = _post(base, "login", {"apikey": key})["session"]
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "sky.fits"
        config = nova_configuration.load()
        stars = Catalogue.open(find_index(index_places(config, installed_engine(config))))
        writer.write(draw(_SCENE, stars), _SCENE, picture, overwrite=False)
        with picture.open("rb") as stream:
            sent = _post(base, "upload", {"session": session, "publicly_visible": "n"}, {"file": ("sky.fits", stream)})
    jobs = _post(base, f"submissions/{sent['subid']}", {"session": session})["jobs"]
    until_s = time.monotonic() + _SOLVE_S
    while True:
        status = _post(base, f"jobs/{jobs[0]}", {"session": session})["status"]
        if status != "solving" or time.monotonic() > until_s:
            return jobs[0], status
        time.sleep(_POLL_S)


def _post(base: str, endpoint: str, fields: dict[str, Any], files: dict[str, Any] | None = None) -> dict[str, Any]:
    data = {"request-json": json.dumps(fields)}
    answer = requests.post(f"{base}/api/{endpoint}", data=data, files=files, timeout=_HTTP_S)
    answer.raise_for_status()
    value: dict[str, Any] = answer.json()
    if value.get("status") == "error":
        raise UnavailableError(f"{base}: {value['errormessage']}")
    return value
