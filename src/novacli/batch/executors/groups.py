"""The groups of tasks that a run has submitted to a Dask cluster.

The messages between a scheduler and a worker about a task take some ten milliseconds of CPU, so frames that are solved
in a few times that travel in groups.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

from novacli.batch.executors.mark_file import MarkFile
from novacli.batch.records import FrameTask, RunSetup, TaskOutcome
from solvehost.record import record

#: The frames of a group take about this many seconds, estimated from the latest groups; their number is limited.
GROUP_S = 0.5
_MAX_IN_GROUP = 8
#: The weight of the latest group in the average time of a frame.
_WEIGHT_OF_LATEST = 0.3
#: Each worker gets at least this many groups, or groups are smaller, so that no worker waits for another at the end.
_GROUPS_PER_WORKER = 4
#: The mark files of this many finished groups stay, because the scheduler may hear late that they are finished.
_OLD_MARKS = 100


@record
class GroupMember:
    """A task's place: the key of its group, that group's mark file, and its number in the group, counted from 0."""

    key: str
    mark: MarkFile
    number: int
    task: FrameTask


class GroupTracker:
    """Forms groups, and maps each future to its task and group.

    Parameters
    ----------
    setup
        What the tasks of the run have in common.
    """

    def __init__(self, setup: RunSetup) -> None:
        self._setup = setup
        self._numbers = itertools.count(1)
        self._members: dict[Future[TaskOutcome], GroupMember] = {}
        self._groups: dict[str, Sequence[Future[TaskOutcome]]] = {}
        self._old_marks: deque[MarkFile] = deque()
        self._frame_s = GROUP_S

    def __len__(self) -> int:
        """Return the number of tasks that are not collected."""
        return len(self._members)

    @property
    def usual_size(self) -> int:
        """The number of frames in a group, if there are enough frames."""
        return max(1, min(_MAX_IN_GROUP, int(GROUP_S / self._frame_s)))

    def split(self, tasks: Sequence[FrameTask], to_come: int, workers: int, most: int) -> list[Sequence[FrameTask]]:
        """Return the tasks in groups.

        Parameters
        ----------
        tasks
            The tasks to submit.
        to_come
            How many more there are in this run.
        workers
            How many frames the cluster solves at a time.
        most
            The largest size of a group.
        """
        share = (len(self) + len(tasks) + to_come) // (_GROUPS_PER_WORKER * workers)
        size = max(1, min(most, share))
        return [tasks[at : at + size] for at in range(0, len(tasks), size)]

    def add(self, tasks: Sequence[FrameTask]) -> tuple[str, list[Future[TaskOutcome]]]:
        """Add a group; return its key and a future for each of its tasks."""
        key = f"nova-{self._setup.key}-{next(self._numbers)}"
        mark = MarkFile.of_group(self._setup, key)
        futures: list[Future[TaskOutcome]] = [Future() for _ in tasks]
        for number, (future, task) in enumerate(zip(futures, tasks, strict=True)):
            self._members[future] = GroupMember(key, mark, number, task)
        self._groups[key] = futures
        return key, futures

    def futures_of(self, key: str) -> Sequence[Future[TaskOutcome]]:
        """Return the futures of a group, none if it is finished."""
        return self._groups.get(key, ())

    def take(self, future: Future[TaskOutcome]) -> GroupMember:
        """Remove a task that is collected, and return its place."""
        return self._members.pop(future)

    def finish(self, member: GroupMember) -> None:
        """Remove a group that is finished, and the mark file of one that was finished long ago."""
        del self._groups[member.key]
        self._old_marks.append(member.mark)
        if len(self._old_marks) > _OLD_MARKS:
            self._old_marks.popleft().remove()

    def note_time(self, seconds: float, frames: int) -> None:
        """Update the average time of a frame by a group that took this many seconds in all."""
        self._frame_s += _WEIGHT_OF_LATEST * (seconds / frames - self._frame_s)

    def abandon(self) -> list[Future[TaskOutcome]]:
        """Cancel all tasks, tell their workers to stop, and return the futures of those that are in progress."""
        for future, member in self._members.items():
            future.cancel()
            member.mark.remove()
        return [future for future in self._members if future.running()]
