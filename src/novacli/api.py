"""The Python API: ``novacli.solve``.  Works from any thread and installs no signal handlers."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from novacli import backends, config
from novacli.errors import InternalError
from novacli.inputs import FileInput, from_array, open_field, parse_input
from novacli.pipeline.solve import Context, solve_field
from novacli.records.field import Field
from novacli.records.params import SolveParams
from novacli.rigs.store import Rigs
from novacli.solution.reading import Solution, Unsolved

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def solve(
    image: str | os.PathLike[str] | ArrayLike,
    params: SolveParams | None = None,
    to: str = "local",
    jobs_dir: str | os.PathLike[str] | None = None,
) -> Solution | Unsolved:
    """Find where on the sky an image is.

    Parameters
    ----------
    image
        A path, a URL, or an array: 2-D, indexed ``[y, x]``, or with three colour planes.  Row 0 of an array is
        y = 1 of the WCS.
    params
        What is known and wanted; nothing by default, and a path's header is read for hints.
    to
        Where to solve, as ``nova submit --to`` takes it.
    jobs_dir
        Where the job directory is kept; by default nothing stays on disk.

    Returns
    -------
    Solution or Unsolved
        That it was tried and not solved is a result.  A ``Solution`` has ``wcs`` (astropy), ``calibration``,
        ``match``, ``sources`` and ``stars``.

    Raises
    ------
    NovaError
        Where it could not be tried; ``exit_code`` and ``retry_is_safe`` say more.
    """
    params = params or SolveParams()
    settings = config.load()
    settings = settings.replaced("SolveParams", index=params.indexes or None, engine_config=_path(params.engine_config))
    backend = backends.connect(to, settings)
    rigs = Rigs(settings.folders.rigs_file) if settings["learn"] else None
    field = _field(image, params)
    if jobs_dir is not None:
        return _answer(field, params, Context(Path(jobs_dir), backend, rigs=rigs))
    with tempfile.TemporaryDirectory(prefix="nova-") as folder:
        return _answer(field, params, Context(Path(folder), backend, rigs=rigs))


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _field(image: Any, params: SolveParams) -> Field:
    if isinstance(image, str | os.PathLike):
        given = parse_input(image) if isinstance(image, str) else FileInput(os.fspath(image))
        return open_field(given, hdu=params.hdu, size=params.size)
    return from_array(image)


def _answer(field: Field, params: SolveParams, context: Context) -> Solution | Unsolved:
    solved = solve_field(field, params, context)
    if solved.error is not None:
        raise solved.error
    if solved.answer is None:
        raise InternalError(f"{field.origin.name}: the solve left no answer")
    return solved.answer
