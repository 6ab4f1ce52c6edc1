"""What runs in a :class:`~novacli.batch.children.child.ChildProcess`: answers one question after the other.

It ends with its parent: what it did after that, nobody would know.
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
    """The parent ends the process: unwinds what it does, so that no half of a file stays."""


def serve(entry: str, descriptor: int, parent_pid: int, idle_s: float = math.inf, *, is_quiet: bool = False) -> None:
    """Answer what comes over a channel, until its other end is closed or nothing has come for ``idle_s`` seconds.

    ``entry`` is ``module:function``; an answer is (True, what it returned) or (False, what went wrong).
    """
    try:
        _begin(parent_pid)
        module, _, function = entry.partition(":")
        answer = getattr(import_module(module), function)
        channel = Channel.at(descriptor)
        if is_quiet:
            _fall_silent()
        channel.send(None)  # it is ready
        while True:
            question = channel.receive(time.monotonic() + idle_s)
            try:
                came = True, answer(*question)
            except Exception as exc:
                came = False, fault_text(exc)
            channel.send(came)
    except _Dismissed:  # whatever would catch it further up
        os._exit(128 + signal.SIGTERM)
    except (EOFError, OSError):  # the parent is gone, or has had nothing to ask for long
        return


def is_alone() -> bool:
    """Say whether nobody waits for this process's answers any more."""
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
    # Where the exception meets a callback that swallows it, the interpreter would say so to whoever reads stderr.
    _fall_silent()
    raise _Dismissed(128 + signal.SIGTERM)


def _fall_silent() -> None:
    """Let go of stderr: who reads it, as cron does, would wait for a process that hangs in the kernel."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
