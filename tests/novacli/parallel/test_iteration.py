"""An iterator that advances in a child process."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from novacli.parallel.iteration import iterate_in_child, when_ready

_PREAMBLE = """
import os, signal, sys, time
from novacli.parallel.iteration import iterate_in_child, when_ready

def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
"""
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="there is a child on Linux alone")


def run(program: str, *arguments: str) -> None:
    """Run a program in a process with one thread; this one may have those of numpy."""
    subprocess.run([sys.executable, "-c", _PREAMBLE + program, *arguments], check=True, timeout=60)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Iterate as in a process with threads."""
    monkeypatch.setattr("novacli.parallel.iteration.is_single_threaded", lambda: False)


@on_linux
def test_a_child_makes_the_items_in_their_order() -> None:
    run(
        "items = list(when_ready(iterate_in_child((letter, os.getpid()) for letter in 'abc')))\n"
        "assert [letter for letter, _ in items] == ['a', 'b', 'c']\n"
        "assert len({pid for _, pid in items} - {os.getpid()}) == 1\n"
        "assert list(iterate_in_child(iter(()))) == []\n"
    )


@on_linux
def test_an_item_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    run(
        "from pathlib import Path\n"
        "folder = Path(sys.argv[1])\n"
        "def items():\n"
        "    for number in (1, 2):\n"
        "        (folder / str(number)).touch()\n"
        "        yield number\n"
        "ready = when_ready(iterate_in_child(items()))\n"
        "assert os.listdir(folder) == []\n"
        "assert next(ready) == 1\n"
        "assert os.listdir(folder) == ['1']\n",
        str(tmp_path),
    )


@on_linux
def test_the_caller_goes_on_while_an_item_is_made() -> None:
    """None says that it is not ready; the item comes once it is."""
    run(
        "find, is_found = os.pipe()\n"
        "def items():\n"
        "    os.read(0, 1)\n"
        "    yield 'stars'\n"
        "os.dup2(find, 0)\n"
        "ready = iterate_in_child(items())\n"
        "assert [next(ready) for _ in range(3)] == [None, None, None]\n"
        "os.write(is_found, b'!')\n"
        "assert next(item for item in ready if item is not None) == 'stars'\n"
        "assert list(ready) == []\n"
    )


@on_linux
def test_the_child_ends_when_its_generator_is_closed(tmp_path: Path) -> None:
    """It holds neither a lock of this process nor a core after that, even if it is at work."""
    run(
        "import fcntl\n"
        "lock = open(sys.argv[1], 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "def items():\n"
        "    yield os.getpid()\n"
        "    time.sleep(3600)\n"
        "ready = iterate_in_child(items())\n"
        "child = next(pid for pid in ready if pid is not None)\n"
        "lock.close()\n"
        "fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "assert next(ready) is None and is_running(child)\n"
        "ready.close()\n"
        "assert not is_running(child)\n",
        str(tmp_path / "lock"),
    )


@on_linux
def test_the_child_ends_when_its_parent_is_killed() -> None:
    """Both have the pipe as standard output, so its end shows that both have ended."""
    run(
        "read, write = os.pipe()\n"
        "parent = os.fork()\n"
        "if parent == 0:\n"
        "    os.dup2(write, 1)\n"
        "    ready = when_ready(iterate_in_child(iter([0])))\n"
        "    assert next(ready) == 0\n"
        "    os.write(1, b'!')\n"
        "    time.sleep(3600)\n"
        "os.close(write)\n"
        "assert os.read(read, 1) == b'!'\n"
        "os.kill(parent, signal.SIGKILL)\n"
        "assert os.read(read, 1) == b''\n"
        "os.waitpid(parent, 0)\n"
    )


@on_linux
@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ("raise ValueError('no stars')", "ValueError: no stars"),
        ("raise type('Local', (Exception,), {})('no stars')", "InternalError: Local: no stars"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "UnavailableError: a child process of nova was ended"),
    ],
)
def test_an_error_of_the_iterator_is_raised(failure: str, expected: str) -> None:
    run(
        "def items():\n"
        "    yield 1\n"
        f"    {failure}\n"
        "ready = when_ready(iterate_in_child(items()))\n"
        "assert next(ready) == 1\n"
        "try:\n"
        "    next(ready)\n"
        "except Exception as exc:\n"
        "    text = f'{type(exc).__name__}: {exc}'\n"
        "assert text.startswith(sys.argv[1]), text\n",
        expected,
    )


@pytest.mark.usefixtures("in_this_process")
def test_a_process_with_threads_makes_the_items_itself() -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in (1, 2):
            asked.append(number)
            yield number
        raise ValueError("no stars")

    ready = iterate_in_child(items())
    assert (next(ready), asked) == (1, [1])
    assert (next(ready), asked) == (2, [1, 2])
    with pytest.raises(ValueError, match="no stars"):
        next(ready)


def test_waiting_skips_what_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("novacli.parallel.iteration._POLL_S", 0)
    assert list(when_ready(itertools.chain([None, None], [4], [None]))) == [4]
