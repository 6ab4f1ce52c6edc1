"""A field → its hints → its attempts → a job directory that is ready to run."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from novacli import hints
from novacli.errors import OutputError
from novacli.extraction.extractor import StarExtractor
from novacli.hints import Hints
from novacli.indexes.series import LIKELY_INDEXES
from novacli.jobs.request import JobRequest, source_of
from novacli.jobs.source_digest import digest_of_small
from novacli.parallel.iteration import iterate_in_child
from novacli.pipeline.context import Context, Solved
from novacli.pipeline.job_run import JobRun
from novacli.records.field import Field
from novacli.records.params import SolveParams
from novacli.records.timing import Clock
from novacli.solution.reading import Unsolved
from novacli.strategy import attempts as strategy
from solvehost.formats import atomic, axy, jobdir
from solvehost.formats.jobdir import REQUEST, JobDir


def prepare(field: Field, params: SolveParams, context: Context, clock: Clock) -> JobRun | Solved:
    """Make the job of a field; return the finished result of a field with too few stars, which gets no job.

    Raises
    ------
    NovaError
        If there is no index file, or the job directory cannot be made.
    """
    if context.backend.name != "local":
        context.progress.observe(f"asking {context.backend.name} for its index files")
    known_files = context.backend.index_files()
    files = LIKELY_INDEXES if known_files is None else known_files
    given = gather_hints(field, params)
    if context.rigs is not None and params.fallback and not params.blind:
        given = context.rigs.recall(field, given)
    misfits = [] if known_files is None else list(strategy.misfits(field, given, files))
    for remark in misfits:  # now, since the search may take minutes
        context.progress.observe(remark)
    context.progress.observe("looking for stars")
    extractor = StarExtractor(field, params.max_stars, params.invert)
    attempts = strategy.plan_attempts(extractor, params, given, files, context.matcher)
    first = next(attempts, None)
    source = source_of(field)
    request = JobRequest(
        input=field.origin.name,
        created=utc_now(),
        source=source,
        sha256=digest_of_small(source),
        timeout_s=params.limit_s,
        params=params,
        hints=given.listed(),
        notes=(*extractor.field.notes, *given.notes, *misfits, *context.backend.notes()),
        is_fits_like=field.is_fits_like,
        place=context.backend.name,
    )
    if first is None:
        clock.lap("prepare_s")
        return _too_few_stars(request, extractor.most_found, clock)
    run = _make_job(request, first, attempts, context, clock)
    clock.lap("prepare_s")
    return run


def gather_hints(field: Field, params: SolveParams) -> Hints:
    """Return the user's hints and, unless the solve is blind, those of the header."""
    from_user = hints.user_hints(params, field.width, field.height)
    if params.blind:
        return from_user
    return hints.combine(from_user, hints.from_header(field.header, field.width, field.height))


def write_each(job: JobDir, attempts: Iterator[axy.Attempt], numbers: range) -> Generator[int | None]:
    """Write the axy files of attempts into a visible job directory; yield the number of each once it is there.

    Yield None as long as the next attempt is being prepared.
    """
    left = iter(numbers)
    with contextlib.closing(iterate_in_child(itertools.islice(attempts, len(numbers)))) as prepared:
        for attempt in prepared:
            if attempt is None:
                yield None
                continue
            number = next(left)
            # Not forced to disk: a star list that a power cut takes is extracted again.
            atomic.write_atomic(job.axy(number), axy.to_bytes(attempt), durable=False)
            yield number


def utc_now() -> str:
    """Return the time as ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _too_few_stars(request: JobRequest, count: int, clock: Clock) -> Solved:
    found = {0: "no star was found", 1: "1 star was found"}.get(count, f"{count} stars were found")
    note = f"{found}, and a match takes {strategy.LEAST_STARS}: is this a picture of the night sky, well exposed?"
    draft = request.draft(None)
    result = replace(draft, reason="no-stars", timing=clock.timing(), notes=(*draft.notes, note))
    return Solved(result, Unsolved("no-stars", 0, clock.elapsed_s))


def _make_job(
    request: JobRequest, first: axy.Attempt, rest: Iterator[axy.Attempt], context: Context, clock: Clock
) -> JobRun:
    """Build the job directory under a hidden name and rename it into place; its lock is held from the start.

    A job that is seen without its lock being held would be taken for an interrupted one.
    """
    try:
        staged = jobdir.create(context.jobs_dir)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(jobdir.discard, staged)  # on a full disk, half a job would take the room that is left
            lock = on_failure.enter_context(contextlib.ExitStack())
            lock.enter_context(staged.locked())
            axy.write(first, staged.axy(1))
            staged.write_json(REQUEST, request.to_json())
            job = jobdir.publish(staged)
            on_failure.pop_all()
        return JobRun(job, request, _numbers(job, rest), context, lock, clock)
    except OSError as exc:
        raise OutputError(f"{context.jobs_dir}: {exc.strerror}: a job directory cannot be made there") from exc


def _numbers(job: JobDir, rest: Iterator[axy.Attempt]) -> Generator[int | None]:
    """Yield 1, whose axy file is there, then the number of each further attempt once its axy file is written."""
    yield 1
    yield from write_each(job, rest, range(2, jobdir.MAX_ATTEMPTS + 1))
