"""The work on one frame: check that it is one, solve it, write its outputs, keep or remove its job.

It needs only the task.  It writes the job, the outputs and what frames teach about cameras; its
parent process writes the ledger.  A worker serves many frames, and keeps its connection to the place where engines run.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from novacli.batch.frames import output_paths
from novacli.batch.frames.content import read_content
from novacli.batch.frames.disk_room import full_disk
from novacli.batch.frames.existing_outputs import existing_error
from novacli.batch.frames.listing import frame_at
from novacli.batch.frames.own_outputs import is_written_by_nova
from novacli.batch.records import KEEP_ALL, KEEP_NONE, FileContent, FrameFile, FrameTask, RunSetup, TaskOutcome
from novacli.errors import NovaError, OutputError
from novacli.exports.request import OutputRequest, check_input
from novacli.files.atomic import NotWritableError, as_output_error
from novacli.jobs.request import read_request
from novacli.records.budget import Budget
from novacli.records.progress import Progress
from novacli.records.result import Result, error_of
from novacli.records.status import FAILED, SOLVED
from novacli.records.timing import Clock
from novacli.text.printable import shown_name
from solvehost.formats import jobdir
from solvehost.formats.jobdir import RESULT, JobDir

if TYPE_CHECKING:
    from collections.abc import Callable

    from novacli.exports.update import Stamp
    from novacli.pipeline.context import Context, Solved

#: The contexts of the runs that this process has served: one in a pool, several in a long-lived worker elsewhere.
_contexts: dict[str, Context] = {}
_MAX_CONTEXTS = 8
#: The share of the engines' CPU time limit (120 s) for a frame of a sequence in which a frame was solved: 40 s, five
#: times what the slowest field took.  A frame that is still unsolved then is probably clouded, and the next frames
#: wait.
_SEQUENCE_CPU_SHARE = 1 / 3


def work(task: FrameTask, cancelled: Callable[[], bool] = lambda: False) -> TaskOutcome:
    """Do a task and return its outcome; an error that concerns the frame is in the result.

    Parameters
    ----------
    task
        The frame to solve.
    cancelled
        Returns True to end the solve; called often while engines run.
    """
    clock = Clock()
    before = _frame_now(task.frame)
    if task.may_be_own_output and is_written_by_nova(task.frame.path):
        return TaskOutcome(before, is_own_output=True)
    if task.known_content is not None:
        content = read_content(task.frame.path)
        if content is not None and content.is_same_frame(task.known_content):
            return TaskOutcome(before, content)
    try:
        _check_outputs(task)
        budget = Budget(engines=task.engines, cpu_share=_SEQUENCE_CPU_SHARE if task.hints else 1.0)
        context = replace(_context(task.setup), progress=Progress(cancelled=cancelled), budget=budget)
    except NovaError as exc:
        error = error_of(_about(task.frame, exc))
        return TaskOutcome(before, result=Result(task.frame.path, FAILED, error=error, timing=clock.timing()))
    return _solve(task, before, context)


def _check_outputs(task: FrameTask) -> None:
    """Raise NovaError if the outputs cannot be written, before an engine is started."""
    from novacli.inputs.kinds import FileInput

    check_input(FileInput(task.frame.path), _request_of(task))
    outputs = task.setup.outputs
    error = existing_error(task.frame.path, task.files, task.replaceable, outputs)
    error = error or output_paths.denied(task.frame, task.files, outputs)
    if error is not None:
        raise error
    message = full_disk(task.frame, outputs, [task.setup.jobs_dir], for_outputs=True)
    if message is not None:
        raise OutputError(f"{message}: free some space")


def _about(frame: FrameFile, exc: NovaError) -> NovaError:
    """Return the error with the frame's path in its message."""
    shown = shown_name(frame.path)
    if isinstance(exc, NotWritableError) or shown in str(exc):
        return exc
    return type(exc)(f"{shown}: {exc}")


def _solve(task: FrameTask, before: FrameFile, context: Context) -> TaskOutcome:
    from novacli.batch.run.sequence_hints import SequenceMemory
    from novacli.exports.update import Stamp
    from novacli.inputs import FileInput
    from novacli.pipeline.solve import solve_input

    memory = SequenceMemory(task.hints, context.rigs)
    context = replace(context, rigs=memory)
    stamp = None
    with contextlib.suppress(OSError, ValueError):
        stamp = Stamp.of(task.frame.path)
    solved = solve_input(FileInput(task.frame.path), task.setup.params, context)
    content = _content_of_job(solved.result)
    result, written = _with_outputs(task, solved, stamp)
    has_outputs = result.status == SOLVED and result.error is None
    is_updated = has_outputs and task.setup.outputs.update
    if content is None or is_updated:
        content = read_content(task.frame.path)
    after = _frame_now(task.frame)
    is_same = (after.size, after.mtime_ns) == (before.size, before.mtime_ns)
    kept = _kept_or_removed(result, task.setup)
    has_changed = not (is_same or is_updated)
    return TaskOutcome(after, content, kept, False, has_changed, has_outputs, memory.hint, written)


def _frame_now(frame: FrameFile) -> FrameFile:
    """Return the frame with its present size and time, or as it was if it is gone."""
    try:
        return frame_at(frame.path, frame.root)
    except (OSError, ValueError):
        return frame


def _context(setup: RunSetup) -> Context:
    if setup.key not in _contexts:
        from novacli import backends
        from novacli.matchers.patterns import installed_matcher
        from novacli.pipeline.context import Context
        from novacli.rigs.store import RigStore

        while len(_contexts) >= _MAX_CONTEXTS:
            del _contexts[next(iter(_contexts))]
        rigs = RigStore(setup.config.folders.rigs_file) if setup.config["learn"] else None
        backend = backends.connect(setup.place, setup.config)
        matcher = installed_matcher(setup.config)
        _contexts[setup.key] = Context(Path(setup.work_dir), backend, rigs=rigs, matcher=matcher)
    return _contexts[setup.key]


def _content_of_job(result: Result) -> FileContent | None:
    """Return the digest of the content that was solved, which the job stores; None if there is no job."""
    if "directory" not in result.files:
        return None
    request = read_request(JobDir(Path(result.files["directory"])))
    return None if request is None or request.sha256 is None else FileContent(request.sha256)


def _with_outputs(task: FrameTask, solved: Solved, stamp: Stamp | None) -> tuple[Result, tuple[str, ...]]:
    """Write the outputs; return the result and the paths of what was written.

    An output that cannot be written adds an error to a solved result, as in ``nova submit``.
    """
    from novacli.exports.registry import SolvedField
    from novacli.exports.request import write_outputs
    from novacli.solution.reading import Solution

    result, answer = solved.result, solved.answer
    request = _request_of(task)
    if not isinstance(answer, Solution) or solved.origin is None or request.is_empty:
        return result, ()
    field = SolvedField(solved.origin, JobDir(Path(result.files["directory"])), solved.winner, answer)
    others = [path for path in request.files.values() if path.exists() and str(path) not in task.replaceable]
    try:
        for path in request.files.values():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as exc:
                raise as_output_error(path, exc) from exc
        written, notes = write_outputs(request, field, stamp)
    except NovaError as exc:
        error = output_paths.with_remedy(exc, task.frame) if isinstance(exc, NotWritableError) else exc
        existing = [path for path in request.files.values() if path.exists() and path not in others]
        return replace(result, error=error_of(error)), tuple(map(str, existing))
    complete = replace(result, files={**result.files, **written}, notes=(*result.notes, *notes))
    return complete, tuple(path for _, path in task.files)


def _request_of(task: FrameTask) -> OutputRequest:
    files = {kind: Path(path) for kind, path in task.files}
    own = frozenset(kind for kind, path in task.files if path in task.replaceable)
    outputs = task.setup.outputs
    return OutputRequest(files, update=outputs.update, overwrite=outputs.overwrite, replaceable=own)


def _kept_or_removed(result: Result, setup: RunSetup) -> Result:
    """Move the job directory to the jobs that stay, or remove it; return the result with the new paths."""
    if "directory" not in result.files:
        return replace(result, job=None) if result.job is not None else result
    job = JobDir(Path(result.files["directory"]))
    is_failure = result.status != SOLVED or result.error is not None
    # On a full disk, a job that stays takes the room that the next frames need; its error is in the ledger anyway.
    is_failure = is_failure and result.exit_code != OutputError.exit_code
    unneeded = setup.keep == KEEP_NONE or (setup.keep != KEEP_ALL and not is_failure)
    if unneeded or result.reason == "cancelled":  # the frame will be solved by another job
        return _removed(result, job)
    final = Path(setup.jobs_dir) / job.job_id
    moved = replace(result, files=_moved(result.files, job.path, final))
    stored = job.read_json(RESULT) or {}
    try:
        job.write_json(RESULT, {**stored, "files": _moved(stored.get("files") or {}, job.path, final)})
        job.path.rename(final)
    except Exception as exc:
        error = OutputError(f"{result.input}: its job cannot be moved to {final}: {getattr(exc, 'strerror', exc)}")
        return replace(_removed(result, job), error=error_of(error))
    return moved


def _removed(result: Result, job: JobDir) -> Result:
    with contextlib.suppress(OSError):
        jobdir.discard(job)
    left = {name: path for name, path in result.files.items() if not Path(path).is_relative_to(job.path)}
    return replace(result, job=None, files=left)


def _moved(files: dict[str, str], source: Path, target: Path) -> dict[str, str]:
    """Return the paths after ``source`` was renamed to ``target``."""
    return {
        name: str(target / Path(path).relative_to(source)) if Path(path).is_relative_to(source) else path
        for name, path in files.items()
    }
