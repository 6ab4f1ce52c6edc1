"""What a Dask worker does with a group of frames: one after the other, and tell how far it came.

A scheduler gives a task whose worker died to the next one, as often as its own settings say.  So a worker that begins
a group leaves a mark in the run's working directory, which says at which frame it is, and one that finds it there
hands the group back in place of dying over it, too.  The mark goes when the run ends: that is how a worker is told to
stop.
"""

from __future__ import annotations

import contextlib
import pickle
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import novacli
from novacli import config as configuration
from novacli.batch.children.child import ChildProcess
from novacli.batch.executors import TaskHungError, WorkerLostError
from novacli.batch.executors.daskchild import DONE, UNSEEN, is_seen, new_child
from novacli.batch.records import FrameTask, RunSetup
from novacli.config import SettingOrigin
from novacli.errors import NovaError, UnavailableError

if TYPE_CHECKING:
    from novacli.config import Config

#: The words that a worker answers, besides ``DONE`` and ``UNSEEN``: with the mark that it found, its version.
FOUND, VERSION = "found", "version"
#: And what it says of a task alone: how the process ended over it, or that it did not come to its end.
LOST, HUNG = "lost", "hung"
#: The words of a mark: a frame is being worked on, whose number follows, or none any more.
BEGUN, ENDED = "begun", "ended"
#: Where workers say which group they begin; one topic for all runs, since a scheduler never forgets a topic.
TOPIC = "nova-batch"
#: Settings that are a machine's own, unless the call names them itself.
_OF_A_MACHINE = ("engine", "engine_config", "index", "slots", "slots_dir")

_of_thread = threading.local()


def mark_of(setup: RunSetup, key: str) -> Path:
    """Return where the mark of a group lies."""
    return Path(setup.work_dir) / f".{key}"


def answer(version: str, key: str, limit_s: float, group_s: float, pickled: bytes) -> tuple[str, Any]:
    """Do a group of tasks, if this is the first worker to begin it; return a word, and what belongs to it.

    A task may take ``limit_s`` seconds; none is begun after the group's first ``group_s``, except the first.  The word
    ``DONE`` comes with the seconds that it all took, and a word and what belongs to it for each task that was begun.

    Raises
    ------
    UnavailableError
        Where this machine cannot do any.
    """
    if version != novacli.__version__:  # before a record of another version is read
        return VERSION, novacli.__version__
    began_s = time.monotonic()
    tasks: Sequence[FrameTask] = pickle.loads(pickled)  # noqa: S301 - from the client, whose code a Dask worker runs anyway
    asked = tasks[0].setup
    if not is_seen(asked.work_dir):
        return UNSEEN, asked.work_dir
    mark = mark_of(asked, key)
    try:
        setup = _for_here(asked)
        with mark.open("x") as stream:
            stream.write(f"{BEGUN} 0")
    except FileExistsError:
        return FOUND, text_of(mark)
    except OSError as exc:
        why = f"{asked.work_dir}: {exc.strerror}: jobs cannot be worked on there"
        raise UnavailableError(f"{socket.gethostname()}: {why}") from exc
    except NovaError as exc:
        raise UnavailableError(f"{socket.gethostname()}: {exc}") from exc
    _tell_begun(key)
    came = list[tuple[str, Any]]()
    for number, task in enumerate(tasks):
        if came and (time.monotonic() - began_s > group_s or not mark.exists()):
            break
        _write(mark, f"{BEGUN} {number}")
        try:
            came.append(_came_of(replace(task, setup=setup), mark, limit_s))
        except UnavailableError:
            if not came:
                raise
            break  # what is done is done
    _write(mark, ENDED)
    return DONE, (time.monotonic() - began_s, came)


def _came_of(task: FrameTask, mark: Path, limit_s: float) -> tuple[str, Any]:
    try:
        return cast("tuple[str, Any]", _child().ask(task, mark, limit_s=limit_s))
    except WorkerLostError as exc:
        return LOST, str(exc)
    except TaskHungError as exc:
        return HUNG, str(exc)


def _child() -> ChildProcess:
    if not hasattr(_of_thread, "child"):
        _of_thread.child = new_child()
    return cast("ChildProcess", _of_thread.child)


def text_of(mark: Path) -> str:
    """Return what a mark says; nothing where there is none."""
    try:
        return mark.read_text()
    except OSError:
        return ""


def _write(mark: Path, text: str) -> None:
    """Change what a mark says, unless it is gone: then it must not come back.  No frame fails for want of it."""
    with contextlib.suppress(OSError), mark.open("r+") as stream:
        stream.write(text)
        stream.truncate()


def _tell_begun(key: str) -> None:
    from distributed import get_worker

    get_worker().log_event(TOPIC, key)


def _for_here(setup: RunSetup) -> RunSetup:
    """Return a setup with this machine's own engine, index files and slots, unless the call named others."""
    here = configuration.load()
    settings = setup.config.settings
    by_call = (SettingOrigin.CALLER, SettingOrigin.ENVIRONMENT)
    own = {name: here.settings[name] for name in _OF_A_MACHINE if settings[name].origin not in by_call}
    config: Config = replace(setup.config, settings={**settings, **own}, folders=here.folders)
    return replace(setup, config=config)
