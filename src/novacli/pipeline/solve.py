"""The order of the steps, and nothing else: read → hints → attempts → job directory → backend → solution.

``solve_field`` raises; ``solve_input`` turns errors into a failed :class:`Result`, so that one bad file never ends
a call over many.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from novacli import hints
from novacli.backends.base import Backend, Detach, Patience
from novacli.errors import InternalError, NovaError, OutputError, fault_text, from_solvehost
from novacli.extraction.sources import Sources
from novacli.hints import Hints
from novacli.indexes.series import LIKELY_INDEXES
from novacli.inputs import Input, open_field
from novacli.jobs import request as jobfile
from novacli.pipeline.conclude import conclude, files_of
from novacli.records.calibration import Calibration
from novacli.records.field import Field, Origin
from novacli.records.params import SolveParams
from novacli.records.result import FAILED, REMOTE, UNSOLVED, Result, error_of
from novacli.records.timing import Clock
from novacli.solution.reading import Solution, Unsolved
from novacli.strategy import attempts as strategy
from solvehost.errors import SolvehostError
from solvehost.formats import atomic, axy, jobdir
from solvehost.formats.jobdir import REQUEST, RESULT, JobDir


class Memory(Protocol):
    """Who remembers what solved frames taught: :class:`novacli.rigs.store.Rigs`, or a sequence."""

    def recall(self, field: Field, given: Hints) -> Hints:
        """Return hints with what is known of the field's camera."""
        ...

    def learn(self, field: Field, calibration: Calibration) -> None:
        """Hear what a solved frame taught."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """Where jobs are kept, where they are solved, who hears of progress, and what is known of earlier frames.

    ``engines`` is how many may run at once for one job (None: as many as cores are idle), ``cpu_share`` how much of
    their CPU time it may have.
    """

    jobs_dir: Path
    backend: Backend
    observe: Callable[[str], None] = lambda _words: None
    cancelled: Callable[[], bool] = lambda: False
    rigs: Memory | None = None
    engines: int | None = None
    cpu_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Solved:
    """A result, and behind it the solution, its absence with all details, or the error.

    ``origin`` says where the image came from, ``winner`` is the number of the attempt that solved it.
    """

    result: Result
    answer: Solution | Unsolved | None = None
    error: NovaError | None = None
    origin: Origin | None = None
    winner: int = 1


def solve_input(given: Input, params: SolveParams, context: Context) -> Solved:
    """Solve an input; errors come back as a failed result."""
    return _with_field(given, params, context, solve_field)


def detach_input(given: Input, params: SolveParams, context: Context, detach: Detach) -> Solved:
    """Leave an input with a server, to be fetched later; errors come back as a failed result."""

    def send(field: Field, params: SolveParams, context: Context, clock: Clock) -> Solved:
        prepared = _prepare(field, params, context, clock)
        if isinstance(prepared, Solved):
            return prepared
        return _detach_job(prepared, params, context, clock, detach)

    return _with_field(given, params, context, send)


def _with_field(
    given: Input, params: SolveParams, context: Context, do: Callable[[Field, SolveParams, Context, Clock], Solved]
) -> Solved:
    """Read an input and do something with it; errors become a failed result."""
    clock = Clock()
    shown = given.name
    error: NovaError
    try:
        context.observe(f"reading {shown}")
        field = open_field(given, hdu=params.hdu, size=params.size)
        clock.lap("read_s")
        return do(field, params, context, clock)
    except NovaError as exc:
        error = exc
    except Exception as exc:
        if os.environ.get("NOVA_DEBUG"):
            raise
        error = InternalError(f"{shown}: {fault_text(exc)}")
    return Solved(Result(shown, FAILED, timing=clock.timing(), error=error_of(error), created=_now()), error=error)


def solve_field(field: Field, params: SolveParams, context: Context, clock: Clock | None = None) -> Solved:
    """Solve a field that has been read.

    Raises
    ------
    NovaError
        Where it could not be tried; that it was tried and not solved is a result.
    """
    clock = clock or Clock()
    prepared = _prepare(field, params, context, clock)
    if isinstance(prepared, Solved):
        return prepared
    job, draft = prepared.job, prepared.draft
    solved = run_job(job, prepared.numbers, draft, params.limit_s, context, clock=clock, lock=prepared.lock)
    if context.rigs is not None and isinstance(solved.answer, Solution):
        context.rigs.learn(field, solved.answer.calibration)
    return replace(solved, origin=field.origin)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A job that has its directory: the numbers of its attempts, as they are made, and what is known of its result.

    ``lock`` is the job's, held since before anybody could see it.
    """

    job: JobDir
    numbers: Iterator[int]
    draft: Result
    lock: AbstractContextManager[object]


def _prepare(field: Field, params: SolveParams, context: Context, clock: Clock) -> _Prepared | Solved:
    """Make the job of a field; one that has too few stars is done with."""
    if context.backend.name != "local":
        context.observe(f"asking {context.backend.name} for its index files")
    known_files = context.backend.index_files()
    files = LIKELY_INDEXES if known_files is None else known_files
    given = gather_hints(field, params)
    if context.rigs is not None and params.fallback and not params.blind:
        given = context.rigs.recall(field, given)
    misfits = [] if known_files is None else list(strategy.misfits(field, given, files))
    for remark in misfits:  # now, and not only when the search is over
        context.observe(remark)
    context.observe("looking for stars")
    sources = Sources(field, params.max_stars)
    attempts = strategy.attempts(sources, params, given, files)
    first = next(attempts, None)
    draft = Result(
        field.origin.name,
        UNSOLVED,
        hints=given.listed(),
        notes=(*field.notes, *given.notes, *misfits, *context.backend.notes()),
        source=jobfile.source_of(field),
        created=_now(),
    )
    if first is None:
        clock.lap("prepare_s")
        return _too_few_stars(draft, sources.most_found, clock)
    job, lock = _make_job(field, first, draft, params, context)
    clock.lap("prepare_s")
    return _Prepared(job, _written(job, attempts), replace(draft, job=job.job_id), lock)


def gather_hints(field: Field, params: SolveParams) -> Hints:
    """Return what the user said and, unless the solve is blind, what the header says."""
    said = hints.user_hints(params, field.width, field.height)
    if params.blind:
        return said
    return hints.combine(said, hints.from_header(field.header, field.width, field.height))


def _too_few_stars(draft: Result, count: int, clock: Clock) -> Solved:
    found = {0: "no star was found", 1: "1 star was found"}.get(count, f"{count} stars were found")
    note = f"{found}, and a match takes {strategy.LEAST_STARS}: is this a picture of the night sky, well exposed?"
    result = replace(draft, reason="no-stars", timing=clock.timing(), notes=(*draft.notes, note))
    return Solved(result, Unsolved("no-stars", 0, clock.elapsed_s))


def _make_job(
    field: Field, first: axy.Attempt, draft: Result, params: SolveParams, context: Context
) -> tuple[JobDir, contextlib.ExitStack]:
    """Build the job directory beside, and rename it into place; return it with its lock, which is held."""
    request = jobfile.JobRequest(
        input=draft.input,
        created=draft.created,
        source=draft.source,
        sha256=jobfile.sha256_of(field.origin.path),
        timeout_s=params.limit_s,
        params=params,
        hints=draft.hints,
        notes=draft.notes,
        is_fits_like=field.is_fits_like,
        place=context.backend.name,
    )
    try:
        staged = jobdir.create(context.jobs_dir)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(jobdir.discard, staged)  # on a full disk, halves of jobs would take what room is left
            # From the start: nova retry takes a job that nobody works on for one that was interrupted.
            lock = on_failure.enter_context(contextlib.ExitStack())
            lock.enter_context(staged.locked())
            axy.write(first, staged.axy(1))
            staged.write_json(REQUEST, request.to_json())
            job = jobdir.publish(staged)
            on_failure.pop_all()
        return job, lock
    except SolvehostError as exc:
        raise from_solvehost(exc) from exc
    except OSError as exc:
        raise OutputError(f"{context.jobs_dir}: {exc.strerror}: a job directory cannot be made there") from exc


def _written(job: JobDir, rest: Iterator[axy.Attempt]) -> Iterator[int]:
    """Yield the number of each attempt once its axy file is in the job directory, where the first one is already."""
    yield 1
    yield from write_each(job, rest, range(2, jobdir.MAX_ATTEMPTS + 1))


def write_each(job: JobDir, attempts: Iterator[axy.Attempt], numbers: range) -> Iterator[int]:
    """Write the axy files of attempts into a visible job directory; yield the number of each once it is there."""
    for number, attempt in zip(numbers, attempts, strict=False):
        # Rename alone: a star list that a power cut takes is extracted again, but a half one must never be seen.
        atomic.write_atomic(job.axy(number), axy.to_bytes(attempt), durable=False)
        yield number


def run_job(
    job: JobDir,
    numbers: Iterator[int],
    draft: Result,
    timeout_s: float,
    context: Context,
    *,
    clock: Clock | None = None,
    afresh: bool = False,
    lock: AbstractContextManager[object] | None = None,
) -> Solved:
    """Have a job solved, and leave its result in the directory, written last.

    ``afresh`` removes what an earlier run left; ``lock`` is the job's, where it is held already.  A job that fails
    keeps its star lists and says in ``result.json`` whether a retry is safe.
    """
    clock = clock or Clock()

    def solve() -> Solved:
        if afresh:
            job.clear_results()
        return _run_locked(job, numbers, draft, timeout_s, context, clock)

    return _locked(job, lock or job.locked(), draft, clock, solve)


def _detach_job(prepared: _Prepared, params: SolveParams, context: Context, clock: Clock, detach: Detach) -> Solved:
    job, draft = prepared.job, prepared.draft

    def send() -> Solved:
        left_s = max(1.0, params.limit_s - clock.elapsed_s)
        sent = detach(job, prepared.numbers, Patience(left_s, context.observe, context.cancelled))
        clock.lap("send_s")
        notes = (*draft.notes, *sent.notes)
        result = replace(draft, status=REMOTE, server=sent.server, notes=notes, timing=clock.timing())
        return Solved(replace(result, files=files_of(job)))

    return _locked(job, prepared.lock, draft, clock, send)


def _locked(
    job: JobDir, lock: AbstractContextManager[object], draft: Result, clock: Clock, do: Callable[[], Solved]
) -> Solved:
    """Do something under the job's lock, and release it; an error ends the job."""
    try:
        with lock:
            try:
                return do()
            except (NovaError, SolvehostError, OSError) as exc:
                error = _as_nova_error(exc, job, draft.input)
                failed = replace(
                    draft, status=FAILED, error=error_of(error), timing=clock.timing(), files=files_of(job)
                )
                job.write_json(RESULT, failed.to_json())
                return Solved(failed, error=error)
    except SolvehostError as exc:
        raise from_solvehost(exc) from exc
    except OSError as exc:  # the lock cannot even be opened
        raise OutputError(f"{job.path}: {exc.strerror}: nobody can work on the job there") from exc


def _as_nova_error(exc: NovaError | SolvehostError | OSError, job: JobDir, shown: str) -> NovaError:
    """Return the error that ends a job, which names the input: what runs the engines does not know it."""
    if isinstance(exc, OSError):
        exc = OutputError(f"{job.path}: {exc.strerror or exc}: the job cannot be kept there")
    elif isinstance(exc, SolvehostError):
        exc = from_solvehost(exc)
    return exc if str(exc).startswith(f"{shown}: ") else type(exc)(f"{shown}: {exc}")


def _run_locked(
    job: JobDir, numbers: Iterator[int], draft: Result, timeout_s: float, context: Context, clock: Clock
) -> Solved:
    left_s = max(1.0, timeout_s - clock.elapsed_s)
    patience = Patience(left_s, context.observe, context.cancelled, context.engines, context.cpu_share)
    solve = context.backend.solve(job, numbers, patience)
    clock.lap("solve_s")
    result, answer = conclude(job, solve, draft)
    clock.lap("result_s")
    result = replace(result, timing=clock.timing().with_race(solve.race))
    job.write_json(RESULT, result.to_json())
    return Solved(result, answer, winner=solve.race.winner or 1)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
