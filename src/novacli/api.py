"""The Python API: :func:`solve` for one image, :class:`Solver` for many.

Both work from any thread and install no signal handlers.  A solver reads the environment once, when it is made.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from novacli import backends
from novacli import config as configuration
from novacli.errors import InternalError, NotSolvedError, ParameterError
from novacli.inputs import FileInput, StreamInput, UrlInput, from_array, open_field, parse_input
from novacli.matchers.patterns import installed_matcher
from novacli.pipeline.context import Context
from novacli.pipeline.solve import solve_field
from novacli.records.params import DEFAULT_RADIUS_DEG, Position, Scale, SolveParams, in_unit
from novacli.records.parity import Parity
from novacli.records.progress import SILENT, Progress
from novacli.records.result import Result
from novacli.records.status import SOLVED
from novacli.rigs.store import RigStore
from novacli.solution.reading import Solution

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.table import QTable
    from astropy.units import Quantity
    from astropy.wcs import WCS

    from novacli.backends.base import Backend
    from novacli.config import Config
    from novacli.records.calibration import Calibration, Match
    from novacli.records.field import Field
    from novacli.records.hints import Hint
    from novacli.records.timing import Timing

    HeaderLike = Mapping[str, Any] | Iterable[tuple[str, Any]]


class SolveOptions(TypedDict, total=False):
    """Keyword arguments of a solve: the fields of :class:`SolveParams`, some also as objects of astropy."""

    scale: Scale | Quantity | None
    position: Position | SkyCoord | None
    radius: Quantity | float
    parity: Parity | None
    blind: bool
    fallback: bool
    downsample: int | None
    tweak_order: int | None
    crpix_center: bool
    max_stars: int | None
    timeout_s: Quantity | float | None
    hdu: int | None
    indexes: tuple[str, ...]
    engine_config: str | None
    size: tuple[int, int] | None
    invert: bool | None


@dataclass(frozen=True)
class SolveResult:
    """What a solve came to: solved, or tried and not solved.

    Attributes
    ----------
    record
        The record behind ``nova submit --json``; :meth:`to_json` returns it as a JSON object.
    solution
        The solution, None if the image was not solved.
    directory
        The job directory, None if it was not kept.
    """

    record: Result
    solution: Solution | None
    directory: Path | None

    @property
    def solved(self) -> bool:
        """True if the image was solved."""
        return self.solution is not None

    @property
    def status(self) -> str:
        """``solved`` or ``unsolved``."""
        return self.record.status

    @property
    def reason(self) -> str | None:
        """Why an image is unsolved: ``exhausted``, ``time-limit``, ``cancelled`` or ``no-stars``."""
        return self.record.reason

    @property
    def notes(self) -> tuple[str, ...]:
        """One-line remarks for the user."""
        return self.record.notes

    @property
    def hints(self) -> tuple[Hint, ...]:
        """What was known beforehand, best first."""
        return self.record.hints

    @property
    def timing(self) -> Timing:
        """Where the time went."""
        return self.record.timing

    @property
    def job(self) -> str | None:
        """Id of the job, None if none was made."""
        return self.record.job

    @property
    def server(self) -> str | None:
        """Where the image was solved, None for this machine."""
        return self.record.server

    @property
    def calibration(self) -> Calibration:
        """Centre, scale and orientation, by the names of nova.astrometry.net."""
        return self._solution().calibration

    @property
    def match(self) -> Match:
        """How well the solution is confirmed by stars."""
        return self._solution().match

    @property
    def wcs(self) -> WCS:
        """The world coordinates as an ``astropy.wcs.WCS``."""
        return self._solution().wcs

    @property
    def sources(self) -> QTable:
        """The stars found in the image, best first: ``x`` and ``y`` (FITS pixels, from 1) and ``flux``."""
        return self._solution().sources

    @property
    def stars(self) -> QTable:
        """The reference stars of the field with their places on the sky and in the image."""
        return self._solution().stars

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that ``nova submit --json`` prints."""
        return self.record.to_json()

    def _solution(self) -> Solution:
        if self.solution is None:
            raise NotSolvedError(
                f"{self.record.input} was not solved ({self.reason}), so it has no solution: check .solved first"
            )
        return self.solution


class Solver:
    """Solves images at one place, with one configuration.

    A solver connects to its place once and keeps what it learned about index files and servers.  Threads may share it.

    Parameters
    ----------
    config
        Settings, as :func:`novacli.config.load` returns them; by default those of the environment and config.toml.
    to
        Where to solve, as ``nova submit --to`` takes it: ``local``, ssh hosts separated by commas, or a pool.
    jobs_dir
        Where job directories are kept; by default each is removed after its solve.
    learn
        True if solved images teach the scale, parity and pointing of their camera, the hints for its next ones; by
        default the setting ``learn``.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    UsageError
        If ``to`` names no place.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        to: str = "local",
        jobs_dir: str | os.PathLike[str] | None = None,
        learn: bool | None = None,
    ) -> None:
        config = configuration.load() if config is None else config
        self.config = config.replaced("learn", learn=learn)
        self.to = to
        self._jobs_dir = None if jobs_dir is None else Path(jobs_dir)
        self._rigs = RigStore(config.folders.rigs_file) if self.config["learn"] else None
        self._matcher = installed_matcher(self.config)
        self._lock = threading.Lock()
        self._backends: dict[tuple[tuple[str, ...], str | None], Backend] = {}
        self._backend_for(SolveParams())

    def solve(
        self,
        image: Any,
        params: SolveParams | None = None,
        *,
        header: HeaderLike | None = None,
        mask: Any = None,
        progress: Progress = SILENT,
        **options: Unpack[SolveOptions],
    ) -> SolveResult:
        """Find where on the sky an image is.

        Parameters
        ----------
        image
            A path or a URL; a :class:`FileInput`, :class:`UrlInput` or :class:`StreamInput`; an array of shape (height,
            width), or with three colours, indexed ``[y, x]``, whose row 0 is y = 1 of the WCS; an HDU of
            ``astropy.io.fits``, a ``CCDData`` or another ``NDData``, whose header and mask are used.
        params
            What is known and wanted; by default nothing, and the header is read for hints.
        header
            FITS keywords of an array, which may hold hints.
        mask
            Array of bool, True at the pixels of an array that must not be used.
        progress
            Its ``observe`` is called with a few words at each step; its ``cancelled`` is asked often, and True ends the
            solve, whose reason is ``cancelled``.
        **options
            The fields of ``params`` as keyword arguments, which replace those of ``params``.  ``position`` may be a
            ``SkyCoord``, with ``radius`` beside it; ``scale`` a ``Quantity`` of two elements, the ends of a range of
            ``arcsec / pixel`` or of widths of the image.

        Returns
        -------
        SolveResult
            An image that was tried and not solved is a result; check ``solved``.

        Raises
        ------
        ParameterError
            If a parameter is wrong; it is also a ``ValueError``.
        NovaError
            If the image could not be tried; ``exit_code`` and ``retry_is_safe`` say more.
        """
        params = _with_options(params or SolveParams(), options)
        if params.timeout_s is None:
            params = replace(params, timeout_s=self.config["timeout_s"])
        backend = self._backend_for(params)
        field = _field(image, params, header, mask)
        with self._jobs_folder() as folder:
            context = Context(folder, backend, progress, self._rigs, matcher=self._matcher)
            done = solve_field(field, params, context)
        if done.error is not None:
            raise done.error
        solution = done.answer if isinstance(done.answer, Solution) else None
        if (solution is None) == (done.result.status == SOLVED):
            raise InternalError(f"{field.origin.name}: the solve left no answer")
        is_kept = self._jobs_dir is not None and done.result.job is not None
        return SolveResult(done.result, solution, Path(done.result.files["directory"]) if is_kept else None)

    @contextmanager
    def _jobs_folder(self) -> Iterator[Path]:
        """Yield the folder of the job directory: the user's, or a temporary one."""
        if self._jobs_dir is not None:
            yield self._jobs_dir
            return
        with tempfile.TemporaryDirectory(prefix="nova-") as folder:
            yield Path(folder)

    def _backend_for(self, params: SolveParams) -> Backend:
        """Return the backend that uses the index files of ``params``, connected when they are first asked for."""
        key = (params.indexes, params.engine_config)
        with self._lock:
            if key not in self._backends:
                self._backends[key] = backends.connect(self.to, params.configure(self.config))
            return self._backends[key]


def solve(
    image: Any,
    params: SolveParams | None = None,
    to: str = "local",
    jobs_dir: str | os.PathLike[str] | None = None,
    *,
    learn: bool | None = None,
    header: HeaderLike | None = None,
    mask: Any = None,
    progress: Progress = SILENT,
    **options: Unpack[SolveOptions],
) -> SolveResult:
    """Find where on the sky one image is; for several images, make one :class:`Solver`.

    Parameters
    ----------
    image, params, header, mask, progress, **options
        As :meth:`Solver.solve` takes them.
    to, jobs_dir, learn
        As :class:`Solver` takes them.

    Returns
    -------
    SolveResult
        An image that was tried and not solved is a result; check ``solved``.

    Raises
    ------
    ParameterError
        If a parameter is wrong; it is also a ``ValueError``.
    NovaError
        If the image could not be tried; ``exit_code`` and ``retry_is_safe`` say more.

    Examples
    --------
    >>> from novacli import solve
    >>> result = solve("m42.fits", blind=True)  # doctest: +SKIP
    >>> result.calibration.ra if result.solved else result.reason  # doctest: +SKIP
    83.82
    """
    solver = Solver(to=to, jobs_dir=jobs_dir, learn=learn)
    return solver.solve(image, params, header=header, mask=mask, progress=progress, **options)


def _with_options(params: SolveParams, options: SolveOptions) -> SolveParams:
    """Return the parameters with those given as keyword arguments, objects of astropy converted."""
    unknown = sorted(options.keys() - SolveOptions.__annotations__.keys())
    if unknown:
        raise ParameterError(f"{unknown[0]} is no parameter of a solve: {', '.join(SolveOptions.__annotations__)}")
    changes: dict[str, Any] = dict(options)
    radius = changes.pop("radius", None)
    position = changes.get("position", params.position)
    if position is not None and not isinstance(position, Position):
        changes["position"] = Position.from_skycoord(position, DEFAULT_RADIUS_DEG if radius is None else radius)
    elif radius is not None:
        if position is None:
            raise ParameterError("radius is given without a position: give both")
        changes["position"] = replace(position, radius_deg=in_unit(radius, "deg", "search radius"))
    scale = changes.get("scale")
    if scale is not None and not isinstance(scale, Scale):
        changes["scale"] = _scale(scale)
    if changes.get("timeout_s") is not None:
        changes["timeout_s"] = in_unit(changes["timeout_s"], "s", "time-out")
    return replace(params, **changes)


def _scale(ends: Quantity) -> Scale:
    try:
        low, high = ends
    except (TypeError, ValueError) as exc:
        raise ParameterError(f"scale {ends!r:.80}: give a Scale, or a Quantity of two elements: lower, upper") from exc
    return Scale.from_quantity(low, high)


def _field(image: Any, params: SolveParams, header: HeaderLike | None, mask: Any) -> Field:
    """Read the image: from an input, from an object that holds pixels and a header, or from an array."""
    if isinstance(image, str):
        image = parse_input(image)
    elif isinstance(image, os.PathLike):
        image = FileInput(os.fspath(image))
    if isinstance(image, FileInput | UrlInput | StreamInput):
        if header is not None or mask is not None:
            raise ParameterError("header and mask are for arrays: a file has its own header")
        return open_field(image, hdu=params.hdu, size=params.size)
    pixels, own_header, own_mask = _parts(image)
    header = own_header if header is None else header
    mask = own_mask if mask is None else mask
    return from_array(pixels, header, mask)


def _parts(image: Any) -> tuple[Any, HeaderLike | None, Any]:
    """Return pixels, header and mask of an HDU or an ``NDData``; an array has neither header nor mask."""
    import numpy as np

    if isinstance(image, np.ndarray) or not hasattr(image, "data"):
        return image, None, None
    header = getattr(image, "header", None)
    if image.data is None:
        raise ParameterError(f"{type(image).__name__} holds no pixels: give the HDU that has the image")
    return image.data, getattr(image, "meta", None) if header is None else header, getattr(image, "mask", None)
