"""Solve an input or a field: read → prepare → run the job → learn.

``solve_field`` raises; ``solve_input`` and ``detach_input`` return errors as failed results, so that one bad file never
ends a call over many.
"""

from __future__ import annotations

import os
from dataclasses import replace

from novacli.backends.base import Detach
from novacli.errors import InternalError, NovaError, fault_text
from novacli.inputs import Input, open_field
from novacli.pipeline.context import Context, Solved
from novacli.pipeline.prepare import prepare, utc_now
from novacli.records.field import Field
from novacli.records.params import SolveParams
from novacli.records.result import Result, error_of
from novacli.records.status import FAILED
from novacli.records.timing import Clock
from novacli.solution.reading import Solution


def solve_input(given: Input, params: SolveParams, context: Context) -> Solved:
    """Solve an input; an error is returned as a failed result.

    Parameters
    ----------
    given
        A path, a URL or standard input.
    params
        What the user asks for.
    context
        Where to solve, where jobs are kept, what hears of it.
    """
    clock = Clock()
    try:
        return solve_field(_read(given, params, context, clock), params, context, clock)
    except Exception as exc:
        return _failed(given, exc, clock)


def detach_input(given: Input, params: SolveParams, context: Context, leave: Detach) -> Solved:
    """Leave an input with a server by ``leave``, to be fetched later; an error is returned as a failed result.

    Parameters
    ----------
    given, params, context
        As for :func:`solve_input`.
    leave
        The backend's function that sends a job.
    """
    clock = Clock()
    try:
        run = prepare(_read(given, params, context, clock), params, context, clock)
        return run if isinstance(run, Solved) else run.detach(leave)
    except Exception as exc:
        return _failed(given, exc, clock)


def solve_field(field: Field, params: SolveParams, context: Context, clock: Clock | None = None) -> Solved:
    """Solve a field that has been read.

    Parameters
    ----------
    field
        An image or a star list.
    params, context
        As for :func:`solve_input`.
    clock
        Measures the steps; a new one by default.

    Returns
    -------
    Solved
        An unsolved field is a result.  So is a job that fails after it was made: see ``error``.

    Raises
    ------
    NovaError
        If no job can be made.
    """
    run = prepare(field, params, context, clock or Clock())
    if isinstance(run, Solved):
        return run
    solved = run.solve()
    if context.rigs is not None and isinstance(solved.answer, Solution):
        context.rigs.learn(field, solved.answer.calibration)
    return replace(solved, origin=field.origin)


def _read(given: Input, params: SolveParams, context: Context, clock: Clock) -> Field:
    context.progress.observe(f"reading {given.name}")
    field = open_field(given, hdu=params.hdu, size=params.size)
    clock.lap("read_s")
    return field


def _failed(given: Input, exc: Exception, clock: Clock) -> Solved:
    if isinstance(exc, NovaError):
        error = exc
    elif os.environ.get("NOVA_DEBUG"):
        raise exc
    else:
        error = InternalError(f"{given.name}: {fault_text(exc)}")
    result = Result(given.name, FAILED, timing=clock.timing(), error=error_of(error), created=utc_now())
    return Solved(result, error=error)
