"""Fetch the content of URLs that clients name, from the public internet alone unless the settings allow more."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import ParamSpec, TypeVar

from novacli.config import Config
from novacli.files.urls import UrlPolicy
from novaweb import folders
from novaweb.config import networks_of

_MEGABYTE = 10**6
P = ParamSpec("P")
T = TypeVar("T")


class Fetch:
    """Downloads URLs within the limits of the settings."""

    def __init__(self, config: Config) -> None:
        networks = networks_of(config["fetch_networks"])
        # Other ports are open on the public internet, too, but servers of pictures do not use them.
        self._policy = UrlPolicy(networks=networks, ports=None) if networks else UrlPolicy()
        self._max_bytes = config["max_upload_mb"] * _MEGABYTE
        self._spool = folders.of(config).spool

    def download(self, url: str) -> Path:
        """Download a URL into the spool folder, and return the path of the file.

        Raises
        ------
        NovaError
            If the URL may not be reached, or does not arrive.
        """
        from novacli.files.http import Bounds, download

        path = self._spool / f"{secrets.token_hex(16)}.part"
        try:
            with path.open("xb") as stream:
                download(url, lambda chunk: _write(stream.write, chunk), self._policy, Bounds(self._max_bytes))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path


def _write(write: Callable[[bytes], int], chunk: bytes) -> None:
    write(chunk)


def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Call a function in a thread that the end of the process does not wait for."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as exc:
            future.set_exception(exc)

    threading.Thread(target=run, name="fetch", daemon=True).start()
    return future
