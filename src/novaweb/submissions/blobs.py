"""Uploads on disk, each under the SHA-256 of its content; the same content is stored once."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings

from novacli.errors import OutputError
from novaweb import folders
from novaweb.submissions.models import Blob

_READ_ONLY = 0o440


def store(chunks: Iterable[bytes]) -> Blob:
    """Store a content and return its row, which may have been there.

    The content is on disk before the row exists, so that a row never names a missing file.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written to.
    """
    place = folders.of(settings.NOVAWEB)
    beside = place.spool / f"{secrets.token_hex(16)}.part"
    sha256, sha1, size = hashlib.sha256(), hashlib.sha1(usedforsecurity=False), 0
    try:
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                for chunk in chunks:
                    stream.write(chunk)
                    sha256.update(chunk)
                    sha1.update(chunk)
                    size += len(chunk)
                stream.flush()
                os.fchmod(stream.fileno(), _READ_ONLY)
                os.fsync(stream.fileno())
            _publish(beside, place.blob(sha256.hexdigest()))
        finally:
            beside.unlink(missing_ok=True)
    except OSError as exc:
        raise OutputError(f"the upload cannot be stored: {exc.strerror}") from exc
    row, _ = Blob.objects.get_or_create(sha256=sha256.hexdigest(), defaults={"sha1": sha1.hexdigest(), "size": size})
    return row


def _publish(beside: Path, final: Path) -> None:
    final.parent.mkdir(mode=0o700, exist_ok=True)
    beside.replace(final)
    folder = os.open(final.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
