"""The main function of a :class:`~novacli.batch.children.child.ChildProcess`: answers one question after the other.

The process ends with its parent, because nothing would use its answers any more.
"""

from __future__ import annotations

import gc
import math
import os
import signal
import time
from importlib import import_module
from types import FrameType

from novacli.batch.children.channel import Channel
from novacli.errors import fault_text
from solvehost.engine.exec_helper import die_with_parent

_parent_pid = 0
_is_dismissed = False


class _Dismissed(SystemExit):
    """Raised when the parent ends the process, so that unfinished files are removed on the way out."""


def serve(entry: str, descriptor: int, parent_pid: int, idle_s: float = math.inf, *, is_quiet: bool = False) -> None:
    """Answer questions until the other end of the channel is closed, or none came for ``idle_s`` seconds.

    An answer is a pair: True and what the function returned, or False and an error message.

    Parameters
    ----------
    entry
        The function, as ``module:function``.
    descriptor
        The descriptor of this end of the channel.
    parent_pid
        The process that sends the questions; this one ends with it.
    idle_s
        How many seconds to wait for a question.
    is_quiet
        True if standard error is closed when the process is ready.
    """
    try:
        _begin(parent_pid)
        module, _, function = entry.partition(":")
        answer = getattr(import_module(module), function)
        channel = Channel.at(descriptor)
        if is_quiet:
            _close_stderr()
        channel.send(None)  # the process is ready
        while True:
            question = channel.receive(time.monotonic() + idle_s)
            try:
                reply = True, answer(*question)
            except Exception as exc:
                reply = False, fault_text(exc)
            channel.send(reply)
    except _Dismissed:  # no handler further up can stop the exit
        os._exit(128 + signal.SIGTERM)
    except (EOFError, OSError):  # the parent has ended, or no question came for a long time
        return


def is_alone() -> bool:
    """Return True if the parent is gone or has dismissed this process."""
    return _is_dismissed or os.getppid() != _parent_pid


def _begin(parent_pid: int) -> None:
    global _parent_pid  # noqa: PLW0603 - of this process
    _parent_pid = parent_pid
    signal.signal(signal.SIGTERM, _dismiss)
    die_with_parent(parent_pid, signal.SIGTERM)
    gc.set_threshold(50_000)  # as in nova's own main


def _dismiss(_number: int, _frame: FrameType | None) -> None:
    global _is_dismissed  # noqa: PLW0603 - of this process
    _is_dismissed = True
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # If a callback swallows the exception, the interpreter would write a message to standard error.
    _close_stderr()
    raise _Dismissed(128 + signal.SIGTERM)


def _close_stderr() -> None:
    """Close standard error, so that a reader such as cron need not wait for a process that hangs in the kernel."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
