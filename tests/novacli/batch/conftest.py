"""Fixtures of the tests of batches: a disk that hangs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_disk import READABLE_BYTES, STUCK, hanging


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], object]]]:
    """A disk with three frames, one of which blocks its reader; and a function that waits until one is blocked."""
    files, point = tmp_path / "files", tmp_path / "disk"
    for folder in (files, point):
        folder.mkdir()
    for name in ("a.fits", "b.fits", f"{STUCK}.fits"):
        (files / name).write_bytes(b"SIMPLE".ljust(2 * READABLE_BYTES))
    try:
        with hanging(point, files) as until_stuck:
            yield point, until_stuck
    except OSError as exc:
        pytest.skip(f"no such disk can be mounted here: {exc}")
