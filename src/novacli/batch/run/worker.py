"""What a worker does with one frame: look whether it is one, solve it, write its outputs, keep or drop its job.

It needs nothing but the task, and writes nothing but the job, the outputs and what frames teach; the ledger is its
parent's.  A worker lives on from frame to frame, and what it knows of the place to solve at with it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from novacli.batch.frames import output_paths
from novacli.batch.frames.listing import frame_at
from novacli.batch.frames.own_outputs import check_outputs, is_written_by_nova
from novacli.batch.records import KEEP_ALL, KEEP_NONE, FrameFile, FrameTask, RunSetup, TaskOutcome
from novacli.errors import NovaError, OutputError
from novacli.exports.request import OutputRequest
from novacli.files.atomic import NotWritableError, as_output_error
from novacli.jobs.request import read_request, sha256_of
from novacli.records.budget import Budget
from novacli.records.progress import Progress
from novacli.records.result import FAILED, SOLVED, Result, error_of
from solvehost.formats import jobdir
from solvehost.formats.jobdir import RESULT, JobDir

if TYPE_CHECKING:
    from collections.abc import Callable

    from novacli.exports.update import Stamp
    from novacli.pipeline.context import Context, Solved

#: The contexts of the setups that this process has served; a pool has one, a long-lived worker elsewhere several.
_contexts: dict[str, Context] = {}
_MOST_CONTEXTS = 8
#: Of the engines' CPU time a frame has so much where an earlier one of its sequence was solved: 40 s, and five times
#: what the slowest field took.  What is still unsolved then is a cloud, and the next frames wait.
_TAUGHT_CPU_SHARE = 1 / 3


def work(task: FrameTask, cancelled: Callable[[], bool] = lambda: False) -> TaskOutcome:
    """Do a task; whatever is wrong with the frame is in the result.  ``cancelled`` is asked often while engines run."""
    before = _now(task.frame)
    if task.may_be_ours and is_written_by_nova(task.frame.path):
        return TaskOutcome(before, ours=True)
    if task.known_sha256 is not None and _is_content(task.frame.path, task.known_sha256):
        return TaskOutcome(before, task.known_sha256)
    denied = output_paths.denied(task.frame, task.files, task.setup.outputs)
    if denied is not None:  # before engines run for nothing
        failed = Result(task.frame.path, FAILED, error=error_of(_with_remedy(denied, task)))
        return TaskOutcome(before, result=failed)
    try:
        check_outputs(task.frame.path, _request_of(task))
    except NovaError as exc:
        return TaskOutcome(before, result=Result(task.frame.path, FAILED, error=error_of(exc)))
    try:
        share = _TAUGHT_CPU_SHARE if task.taught else 1.0
        budget = Budget(engines=task.engines, cpu_share=share)
        context = replace(_context(task.setup), progress=Progress(cancelled=cancelled), budget=budget)
    except NovaError as exc:
        failed = Result(task.frame.path, FAILED, error=error_of(type(exc)(f"{task.frame.path}: {exc}")))
        return TaskOutcome(before, result=failed)
    return _solve(task, before, context)


def _solve(task: FrameTask, before: FrameFile, context: Context) -> TaskOutcome:
    from novacli.batch.run.sequence_hints import SequenceMemory
    from novacli.exports.update import Stamp
    from novacli.inputs import FileInput
    from novacli.pipeline.solve import solve_input

    handing = SequenceMemory(task.taught, context.rigs)
    context = replace(context, rigs=handing)
    stamp = None
    with contextlib.suppress(OSError, ValueError):
        stamp = Stamp.of(task.frame.path)
    solved = solve_input(FileInput(task.frame.path), task.setup.params, context)
    sha256 = _sha256_of_job(solved.result)
    result = _with_outputs(task, solved, stamp)
    is_written = result.status == SOLVED and result.error is None
    if sha256 is None or (is_written and task.setup.outputs.update):
        sha256 = sha256_of(task.frame.path)
    after = _now(task.frame)
    is_same = (after.size, after.mtime_ns) == (before.size, before.mtime_ns)
    changed = not is_same and not (is_written and task.setup.outputs.update)
    kept = _kept_or_dropped(result, task.setup)
    return TaskOutcome(after, sha256, kept, changed=changed, written=is_written, taught=handing.taught)


def _now(frame: FrameFile) -> FrameFile:
    """Return the frame as it lies on the disk now, as it was where it is gone."""
    try:
        return frame_at(frame.path, frame.root)
    except (OSError, ValueError):
        return frame


def _is_content(path: str, sha256: str) -> bool:
    return sha256_of(path) == sha256


def _context(setup: RunSetup) -> Context:
    if setup.key not in _contexts:
        from novacli import backends
        from novacli.pipeline.context import Context
        from novacli.rigs.store import RigStore

        while len(_contexts) >= _MOST_CONTEXTS:
            del _contexts[next(iter(_contexts))]
        rigs = RigStore(setup.config.folders.rigs_file) if setup.config["learn"] else None
        backend = backends.connect(setup.place, setup.config)
        _contexts[setup.key] = Context(Path(setup.work_dir), backend, rigs=rigs)
    return _contexts[setup.key]


def _sha256_of_job(result: Result) -> str | None:
    """Return the digest of the content that was solved, which the job was made with; None where there is no job."""
    if "directory" not in result.files:
        return None
    request = read_request(JobDir(Path(result.files["directory"])))
    return None if request is None else request.sha256


def _with_outputs(task: FrameTask, solved: Solved, stamp: Stamp | None) -> Result:
    """Write what was asked for; an output that fails makes an error of a solved result, as in ``nova submit``."""
    from novacli.exports.registry import SolvedField
    from novacli.exports.request import write_outputs
    from novacli.solution.reading import Solution

    result, answer = solved.result, solved.answer
    request = _request_of(task)
    if not isinstance(answer, Solution) or solved.origin is None or request.is_empty:
        return result
    field = SolvedField(solved.origin, JobDir(Path(result.files["directory"])), solved.winner, answer)
    try:
        for path in request.files.values():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as exc:
                raise as_output_error(path, exc) from exc
        written, notes = write_outputs(request, field, stamp)
    except NotWritableError as exc:
        return replace(result, error=error_of(_with_remedy(exc, task)))
    except NovaError as exc:
        return replace(result, error=error_of(exc))
    return replace(result, files={**result.files, **written}, notes=(*result.notes, *notes))


def _request_of(task: FrameTask) -> OutputRequest:
    files = {kind: Path(path) for kind, path in task.files}
    return OutputRequest(files, update=task.setup.outputs.update, overwrite=True)


def _with_remedy(exc: NotWritableError, task: FrameTask) -> NotWritableError:
    """Return the error with what can be done about it in a batch, where nobody names files one by one."""
    frame = Path(task.frame.path)
    if exc.target != frame:
        remedy = "make it and its folder writable, or write below another folder by --out DIR"
    elif os.access(frame.parent, os.W_OK | os.X_OK):
        remedy = "make it writable, or use --wcs or --out DIR in place of --update"
    else:
        remedy = "make it and its folder writable, or use --out DIR in place of --update"
    return type(exc)(exc.what, remedy, exc.target)


def _kept_or_dropped(result: Result, setup: RunSetup) -> Result:
    """Put the job directory where jobs are kept, or remove it; return the result with the paths that hold then."""
    if "directory" not in result.files:
        return replace(result, job=None) if result.job is not None else result
    job = JobDir(Path(result.files["directory"]))
    is_failure = result.status != SOLVED or result.error is not None
    # On a full disk a job that is kept takes what room the next frames need, and says no more than its error does.
    is_failure = is_failure and result.exit_code != OutputError.exit_code
    unneeded = setup.keep == KEEP_NONE or (setup.keep != KEEP_ALL and not is_failure)
    if unneeded or result.reason == "cancelled":  # since the parent is gone: it comes again as another job
        return _dropped(result, job)
    final = Path(setup.jobs_dir) / job.job_id
    moved = replace(result, files=_moved(result.files, job.path, final))
    stored = job.read_json(RESULT) or {}
    try:
        job.write_json(RESULT, {**stored, "files": _moved(stored.get("files") or {}, job.path, final)})
        job.path.rename(final)
    except Exception as exc:
        error = OutputError(f"{result.input}: its job cannot be kept at {final}: {getattr(exc, 'strerror', exc)}")
        return replace(_dropped(result, job), error=error_of(error))
    return moved


def _dropped(result: Result, job: JobDir) -> Result:
    with contextlib.suppress(OSError):
        jobdir.discard(job)
    left = {name: path for name, path in result.files.items() if not Path(path).is_relative_to(job.path)}
    return replace(result, job=None, files=left)


def _moved(files: dict[str, str], source: Path, target: Path) -> dict[str, str]:
    """Return paths as they are once ``source`` is called ``target``."""
    return {
        name: str(target / Path(path).relative_to(source)) if Path(path).is_relative_to(source) else path
        for name, path in files.items()
    }
