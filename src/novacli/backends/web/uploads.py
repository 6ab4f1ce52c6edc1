"""What was uploaded and is not finished: one small file for each upload, by service and digest.

The file exists before anything is sent.  So after Ctrl-C, kill -9 or a power cut, the next solve of the same star list
finds the upload again and goes on with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from pathlib import Path

from novacli.backends.web.services import Service
from novacli.config import Config
from novacli.errors import OutputError
from novacli.files.atomic import write_file
from solvehost.record import record

#: A service may have forgotten older uploads.
_FORGOTTEN_S = 3 * 86_400.0


@record
class UploadState:
    """How far an upload has come: the numbers of its submission and of its job, None until they are known."""

    submission: int | None = None
    job: int | None = None


class Upload:
    """The record of one upload on the disk of this machine."""

    def __init__(self, service: Service, digest: str, config: Config) -> None:
        name = hashlib.sha256(f"{service.url} {digest}".encode()).hexdigest()[:32]
        self._path: Path = config.folders.state / "uploads" / f"{name}.json"

    def read(self) -> UploadState | None:
        """Return how far it has come; None if nothing was sent, or too long ago."""
        try:
            value = json.loads(self._path.read_text(encoding="utf-8"))
            if time.time() - float(value["time"]) > _FORGOTTEN_S:
                return None
            return UploadState(number_of(value.get("submission")), number_of(value.get("job")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, state: UploadState) -> None:
        """Store how far it has come.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        self._remove_old()
        value = {"time": time.time(), "submission": state.submission, "job": state.job}
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise OutputError(f"{self._path.parent}: {exc.strerror}: uploads cannot be recorded there") from exc
        write_file(self._path, json.dumps(value).encode(), mode=0o600)

    def _remove_old(self) -> None:
        """Remove the records that are too old to be used."""
        with contextlib.suppress(OSError):
            for path in self._path.parent.glob("*.json"):
                if time.time() - path.stat().st_mtime > _FORGOTTEN_S:
                    path.unlink()

    def forget(self) -> None:
        """Remove the record: the upload is finished."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def number_of(value: object) -> int | None:
    """Return the number of a submission or job, which some services send as text; None if it is none."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value[:18])
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
