"""Replacing a file: at every moment it has its complete old or its complete new content."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from standin import PATIENCE_S, wait_until

from solvehost.errors import OutputError
from solvehost.formats.atomic import replace_file, write_atomic

WRITER = """
import json, sys
from pathlib import Path
from solvehost.formats.atomic import write_atomic
for n in range(10**9):
    write_atomic(Path(sys.argv[1]), json.dumps({"n": n, "more": "x" * 100_000}).encode())
"""


def test_a_kill_while_writing_leaves_the_old_or_the_new_file(tmp_path: Path) -> None:
    """SIGKILL at any moment."""
    path = tmp_path / "result.json"
    path.write_text('{"n": -1}')
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{WRITER}", path])
        before = path.read_bytes()
        wait_until(lambda before=before: path.read_bytes() != before)
        writer.send_signal(signal.SIGKILL)
        writer.wait(PATIENCE_S)
        assert json.loads(path.read_bytes())["n"] >= 0
    beside = [p.name for p in tmp_path.iterdir() if p != path]
    assert all(re.fullmatch(r"\.result\.json\.[0-9a-f]{8}", name) for name in beside)


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_full_disk_leaves_the_old_content_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")

    def full(*_arguments: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path if call == "replace" else os, call, full)
        with pytest.raises(OutputError, match=r"result\.json: No space left on device: it cannot be written"):
            write_atomic(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_fd: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a", b"new")
    assert list(tmp_path.iterdir()) == []


def test_the_new_file_can_be_finished_before_it_has_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a"

    def finish(fd: int) -> None:
        assert not path.exists()
        os.fchmod(fd, 0o640)

    replace_file(path, b"new", mode=0o600, finish=finish)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o640)
