"""A file that shows the progress of a group of frames which a Dask worker solves.

A worker that begins a group creates the file in the run's working directory, and writes there which frame it is at.
The file answers three questions that Dask's scheduler leaves open:

- Has another worker begun this group before?  A scheduler gives the task of a worker that died to the next one; if that
  one finds the file, it hands the group back, so that one frame cannot bring down worker after worker.
- Over which frame did the worker die?
- Has the run ended?  It then removes the files of its groups, and a worker stops if the file of its group is gone.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from novacli.batch.records import RunSetup
from solvehost.record import record

_BEGUN, _ENDED = "begun", "ended"


@record
class MarkFile:
    """The file of a group."""

    path: Path

    @classmethod
    def of_group(cls, setup: RunSetup, key: str) -> MarkFile:
        """Return the file of the group with this key."""
        return cls(Path(setup.work_dir) / f".{key}")

    def create(self) -> None:
        """Create the file for a group whose first frame is begun.

        Raises
        ------
        FileExistsError
            If a worker has begun the group before.
        OSError
            If the file cannot be written.
        """
        with self.path.open("x") as stream:
            stream.write(f"{_BEGUN} 0")

    def begin(self, number: int) -> None:
        """Write that a frame is begun, by its number in the group, counted from 0."""
        self._write(f"{_BEGUN} {number}")

    def end(self) -> None:
        """Write that all frames of the group are done."""
        self._write(_ENDED)

    def _write(self, text: str) -> None:
        # The file must not be created again after the run removed it; and no frame fails if it cannot be written.
        with contextlib.suppress(OSError), self.path.open("r+") as stream:
            stream.write(text)
            stream.truncate()

    def text(self) -> str:
        """Return the content of the file, an empty text if it does not exist."""
        try:
            return self.path.read_text()
        except OSError:
            return ""

    def exists(self) -> bool:
        """Return True if the run still waits for the group."""
        return self.path.exists()

    def remove(self) -> None:
        """Remove the file, if it exists."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def is_at_frame(text: str, number: int) -> bool:
    """Return True if this is the text of a file whose group was at the frame with this number."""
    return text == f"{_BEGUN} {number}"
