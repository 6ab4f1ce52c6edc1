"""What processes of the tests answer."""

from __future__ import annotations

import os
import sys
import time


def echo(what: object) -> object:
    """Return what it was given."""
    return what


def pid() -> int:
    """Return the process's number."""
    return os.getpid()


def leave(exit_code: int) -> None:
    """End the process."""
    os._exit(exit_code)


def hang() -> None:
    """Never return."""
    time.sleep(600)


def fail() -> None:
    """Raise an unexpected exception."""
    raise ValueError("oh")


def speak(text: str) -> None:
    """Write to both streams."""
    print(text, flush=True)
    print(text, file=sys.stderr, flush=True)


def do(name: str, *arguments: object) -> object:
    """Do one of these."""
    return globals()[name](*arguments)
