"""The task of a Dask worker: solves a group of frames, one by one.

It writes into the group's :class:`~novacli.batch.executors.mark_file.MarkFile` at which frame it is.
"""

from __future__ import annotations

import pickle
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import novacli
from novacli import config as configuration
from novacli.batch.children.child import ChildProcess
from novacli.batch.executors import TaskHungError, WorkerLostError
from novacli.batch.executors.daskchild import DONE, UNSEEN, is_seen, new_child
from novacli.batch.executors.mark_file import MarkFile
from novacli.batch.records import FrameTask, RunSetup
from novacli.config import SettingOrigin
from novacli.errors import NovaError, UnavailableError

if TYPE_CHECKING:
    from novacli.config import Config

#: The first word of a worker's answer, besides ``DONE`` and ``UNSEEN``.  ``FOUND``: another worker has begun the group,
#: and the text of its mark file follows.  ``VERSION``: the worker's nova has another version, which follows.
FOUND, VERSION = "found", "version"
#: The word for a single task whose process ended, or that did not end in time; the message follows.
LOST, HUNG = "lost", "hung"
#: The topic of the events by which workers report which group they begin.  All runs share it, because a scheduler never
#: forgets a topic.
TOPIC = "nova-batch"
#: Settings that a worker's machine has itself, unless the user's call sets them.
_OF_A_MACHINE = ("engine", "engine_config", "index", "slots", "slots_dir")

_of_thread = threading.local()


def answer(version: str, key: str, limit_s: float, group_s: float, pickled: bytes) -> tuple[str, Any]:
    """Do a group of tasks, unless another worker has begun it; return a word and its value.

    Parameters
    ----------
    version
        The version of nova that the run has.
    key
        The group's key.
    limit_s
        Time limit of a task in seconds.
    group_s
        After this many seconds, no further task is begun.
    pickled
        The tasks, a sequence of :class:`~novacli.batch.records.FrameTask`.

    Returns
    -------
    word, value
        ``DONE`` with the seconds that the group took and the answers of the tasks that were begun, each a word and its
        value; or another word of this module.

    Raises
    ------
    UnavailableError
        If this machine cannot do any task.
    """
    if version != novacli.__version__:  # records of another version cannot be unpickled
        return VERSION, novacli.__version__
    began_s = time.monotonic()
    tasks: Sequence[FrameTask] = pickle.loads(pickled)  # noqa: S301 - from the client, whose code a Dask worker runs anyway
    asked = tasks[0].setup
    if not is_seen(asked.work_dir):
        return UNSEEN, asked.work_dir
    mark = MarkFile.of_group(asked, key)
    try:
        setup = _for_here(asked)
        mark.create()
    except FileExistsError:
        return FOUND, mark.text()
    except OSError as exc:
        why = f"{asked.work_dir}: {exc.strerror}: jobs cannot be worked on there"
        raise UnavailableError(f"{socket.gethostname()}: {why}") from exc
    except NovaError as exc:
        raise UnavailableError(f"{socket.gethostname()}: {exc}") from exc
    _announce(key)
    answers = list[tuple[str, Any]]()
    for number, task in enumerate(tasks):
        if answers and (time.monotonic() - began_s > group_s or not mark.exists()):
            break
        mark.begin(number)
        try:
            answers.append(_answer_of(replace(task, setup=setup), mark, limit_s))
        except UnavailableError:
            if not answers:
                raise
            break  # the answers so far are valid
    mark.end()
    return DONE, (time.monotonic() - began_s, answers)


def _answer_of(task: FrameTask, mark: MarkFile, limit_s: float) -> tuple[str, Any]:
    try:
        return cast("tuple[str, Any]", _child().ask(task, mark.path, limit_s=limit_s))
    except WorkerLostError as exc:
        return LOST, str(exc)
    except TaskHungError as exc:
        return HUNG, str(exc)


def _child() -> ChildProcess:
    if not hasattr(_of_thread, "child"):
        _of_thread.child = new_child()
    return cast("ChildProcess", _of_thread.child)


def _announce(key: str) -> None:
    from distributed import get_worker

    get_worker().log_event(TOPIC, key)


def _for_here(setup: RunSetup) -> RunSetup:
    """Return a setup with this machine's own engine, index files and slots, unless the user's call set them."""
    here = configuration.load()
    settings = setup.config.settings
    by_call = (SettingOrigin.CALLER, SettingOrigin.ENVIRONMENT)
    own = {name: here.settings[name] for name in _OF_A_MACHINE if settings[name].origin not in by_call}
    config: Config = replace(setup.config, settings={**settings, **own}, folders=here.folders)
    return replace(setup, config=config)
