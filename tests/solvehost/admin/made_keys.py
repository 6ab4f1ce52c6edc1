"""Public keys of every type, made without a program: whole in form, and nobody's."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from solvehost.admin.accounts import Account


def field(data: bytes) -> bytes:
    """Return a string as the format writes it."""
    return len(data).to_bytes(4, "big") + data


def blob(kind: str, *fields: bytes) -> str:
    """Return a key in base64."""
    return base64.b64encode(field(kind.encode()) + b"".join(map(field, fields))).decode()


def ed25519(number: int = 1) -> str:
    """Return an Ed25519 key's base64."""
    return blob("ssh-ed25519", bytes([number]) * 32)


def line(number: int = 1, comment: str = "somebody") -> str:
    """Return a public key's line."""
    return f"ssh-ed25519 {ed25519(number)} {comment}"


def write(folder: Path, number: int = 1, comment: str = "somebody") -> Path:
    """Write a file KEY.pub."""
    path = folder / f"key-{number}.pub"
    path.write_text(line(number, comment) + "\n")
    return path


def account(home: Path, **changes: object) -> Account:
    """Return who runs the tests, with another home."""
    values = {"name": "me", "uid": os.geteuid(), "gid": os.getegid(), "home": home, "shell": "/bin/sh", "groups": ()}
    return Account(**{**values, **changes})  # type: ignore[arg-type]
