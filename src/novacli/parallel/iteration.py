"""Let an iterator advance in a child process, so that the process that uses its items goes on meanwhile.

Finding the stars of a large image takes up to a second, in which a race must give engines their turns and keep time
limits.  ``sep`` holds Python's lock while it works, so a thread would stop the race as well.  The child is a fork: it
has the image without a copy, it keeps the sources that it has detected for the next star list, and it is killed when
the race is over.

A process with threads cannot be forked safely.  There, and on other systems than Linux, each item is waited for.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import select
import signal
import time
from collections.abc import Generator, Iterator
from typing import Any, Generic, NoReturn, TypeVar

from novacli.errors import InternalError, UnavailableError, fault_text
from solvehost.engine.descriptors import above_standard, close_others
from solvehost.engine.process import is_single_threaded

T = TypeVar("T")

#: Wait this long before reporting that an item is not ready: a list of stars that were found before takes less.
_PATIENCE_S = 0.005
#: How often :func:`when_ready` looks.
_POLL_S = 0.01


def iterate_in_child(items: Iterator[T]) -> Generator[T | None]:
    """Yield the items of an iterator that advances in a child process; yield None as long as the next is not ready.

    An item is made when it is asked for.  The child lives until this generator is exhausted or closed; what the
    iterator raises is raised here.  As long as this process has several threads, the iterator advances here instead.

    Parameters
    ----------
    items
        The items, which can be pickled.  Once there is a child, the iterator advances in the child alone.

    Raises
    ------
    UnavailableError
        If the child is killed.
    """
    child: _Child[T] | None = None
    try:
        while True:
            child = child or _start_child(items)
            if child is None:
                found = list(itertools.islice(items, 1))
            else:
                child.ask()
                while not child.has_answered(_PATIENCE_S):
                    yield None
                found = child.answer()
            if not found:
                return
            yield found[0]
    finally:
        if child is not None:
            child.kill()


def when_ready(items: Iterator[T | None]) -> Iterator[T]:
    """Yield the items that are not None; wait while the next one is not ready."""
    for item in items:
        if item is None:
            time.sleep(_POLL_S)
        else:
            yield item


def _start_child(items: Iterator[T]) -> _Child[T] | None:
    """Return a child that makes the items; None if this process has threads or cannot start another process."""
    with contextlib.suppress(OSError):
        return _Child(items) if is_single_threaded() else None
    return None


class _Child(Generic[T]):
    """A fork of this process that makes an item each time it is asked.

    It reads a byte for each item from one pipe and writes what it has to say to another: a list of the item, an empty
    list if there is none, or an exception.
    """

    def __init__(self, items: Iterator[T]) -> None:
        questions, self._ask = map(above_standard, os.pipe())
        answers, answer = map(above_standard, os.pipe())
        try:
            self._pid = os.fork()
        except OSError:
            for fd in (questions, self._ask, answers, answer):
                os.close(fd)
            raise
        if self._pid == 0:
            _serve(items, questions, answer)
        os.close(questions)
        os.close(answer)
        self._answers = open(answers, "rb")  # noqa: SIM115, PTH123 - a descriptor that is open until kill()

    def ask(self) -> None:
        """Ask for the next item."""
        with contextlib.suppress(BrokenPipeError):  # the end of the answers tells it, too
            os.write(self._ask, b"!")

    def has_answered(self, timeout_s: float) -> bool:
        """Return True if the child has begun to answer, or has ended, within ``timeout_s``."""
        poller = select.poll()
        poller.register(self._answers, select.POLLIN)
        return bool(poller.poll(timeout_s * 1000))

    def answer(self) -> list[T]:
        """Return a list of the next item, an empty one if there is none; raise what the iterator has raised."""
        try:
            found: Any = pickle.load(self._answers)  # noqa: S301 - from a child that runs this file
        except EOFError:
            raise UnavailableError(
                "a child process of nova was ended from outside: check that there is enough memory"
            ) from None
        if isinstance(found, BaseException):
            raise found
        return list(found)

    def kill(self) -> None:
        """End the child, whatever it does."""
        os.close(self._ask)
        self._answers.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # a program that ignores SIGCHLD has no child to wait for
            os.waitpid(self._pid, 0)


def _serve(items: Iterator[T], questions: int, answer: int) -> NoReturn:
    """Make items in the child until no more is asked for, which is the case as well when the parent has ended."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)  # the parent's handlers would clean up what the parent still uses
        close_others(questions, answer)  # among them the locks of the job and of engines
        with open(answer, "wb") as out:
            while os.read(questions, 1):
                out.write(_next_pickled(items))
                out.flush()
    finally:
        os._exit(0)


def _next_pickled(items: Iterator[T]) -> bytes:
    """Return a list of the next item, an empty list, or what the iterator raises, as the parent reads it."""
    try:
        return pickle.dumps(list(itertools.islice(items, 1)))
    except Exception as exc:
        with contextlib.suppress(Exception):
            pickled = pickle.dumps(exc)
            pickle.loads(pickled)  # noqa: S301 - some exceptions can be written, but not read
            return pickled
        return pickle.dumps(InternalError(fault_text(exc)))
