"""Public keys of every type for tests, made without ssh-keygen; they have no private keys."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from solvehost.admin.accounts import Account


def field(data: bytes) -> bytes:
    """Return a string with its length in front, as in RFC 4253."""
    return len(data).to_bytes(4, "big") + data


def blob(kind: str, *fields: bytes) -> str:
    """Return key data in base64."""
    return base64.b64encode(field(kind.encode()) + b"".join(map(field, fields))).decode()


def ed25519(number: int = 1) -> str:
    """Return the data of an Ed25519 key in base64."""
    return blob("ssh-ed25519", bytes([number]) * 32)


def line(number: int = 1, comment: str = "observer") -> str:
    """Return the line of a public key."""
    return f"ssh-ed25519 {ed25519(number)} {comment}"


def write(folder: Path, number: int = 1, comment: str = "observer") -> Path:
    """Write the line of a public key into a file."""
    path = folder / f"key-{number}.pub"
    path.write_text(line(number, comment) + "\n")
    return path


def account(home: Path, **changes: object) -> Account:
    """Return the account that runs the tests, with another home."""
    values = {"name": "me", "uid": os.geteuid(), "gid": os.getegid(), "home": home, "shell": "/bin/sh", "groups": ()}
    return Account(**{**values, **changes})  # type: ignore[arg-type]
