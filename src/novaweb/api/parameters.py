"""The options of an upload, as clients write them into ``request-json``, as the records that a solve takes.

Clients send numbers as text, and leave defaults in.  An option that is wrong is named in the reply, where upstream ends
with an internal error; ``null`` and the empty text count as not given.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from novacli.errors import ParameterError
from novacli.records.params import DEFAULT_RADIUS_DEG, Position, Scale, ScaleUnit, SolveParams
from novacli.records.parity import Parity
from novaweb.api.requests import ApiError, Fields
from novaweb.submissions.models import Visibility

#: nova's numbers for parity; 2 stands for both.
_PARITIES = {0: Parity.NEGATIVE, 1: Parity.POSITIVE, 2: None}
_DEFAULT_ERROR_PERCENT = 10.0
_LICENCES = ("allow_commercial_use", "allow_modifications")
_MAX_STARS = 200_000


def solve_params(fields: Fields) -> SolveParams:
    """Return what a client asks of the solve.

    Raises
    ------
    ApiError
        If an option is no number or out of range.
    """
    try:
        return SolveParams(
            scale=_scale(fields),
            position=_position(fields),
            parity=_parity(fields),
            downsample=_downsample(fields),
            tweak_order=_whole(fields, "tweak_order"),
            crpix_center=bool(fields.get("crpix_center")),
            size=_size(fields),
            invert=True if fields.get("invert") else None,
        )
    except ParameterError as exc:
        raise ApiError(str(exc)) from exc


def visibility(fields: Fields) -> str:
    """Return the visibility: public for ``publicly_visible: y``, which is upstream's default; else unlisted."""
    return Visibility.PUBLIC if fields.get("publicly_visible", "y") == "y" else Visibility.UNLISTED


def licence(fields: Fields) -> dict[str, str]:
    """Return the client's words about the use of the picture: d (default), y, n or sa."""
    return {name: word for name in _LICENCES if (word := fields.get(name)) in ("d", "y", "n", "sa")}


def star_list(fields: Fields) -> Iterator[bytes] | None:
    """Return the star list in ``x`` and ``y`` as the chunks of a CSV file; None if the client sent none.

    Pixel (1, 1) is the centre of the first pixel, as upstream has it.

    Raises
    ------
    ApiError
        If the lists are no numbers or differ in length.
    """
    x, y = fields.get("x"), fields.get("y")
    if x is None or y is None:
        return None
    try:
        columns = [[float(value) for value in column] for column in (x, y)]
    except (TypeError, ValueError, OverflowError) as exc:
        raise ApiError('Failed to parse JSON "x" and "y" values -- should be lists of floats') from exc
    if len(columns[0]) != len(columns[1]):
        raise ApiError('"x" and "y" lists must be the same length')
    if len(columns[0]) > _MAX_STARS:
        raise ApiError(f'"x" and "y" have more than {_MAX_STARS} stars')
    lines = (f"{a!r},{b!r}\n".encode() for a, b in zip(*columns, strict=True))
    return _chained(b"x,y\n", lines)


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _scale(fields: Fields) -> Scale | None:
    try:
        unit = ScaleUnit(fields.get("scale_units") or ScaleUnit.DEG_WIDTH.value)
    except ValueError as exc:
        known = ", ".join(unit.value for unit in ScaleUnit)
        raise ApiError(f'"scale_units" is none of {known}') from exc
    if fields.get("scale_type") == "ev" or ("scale_est" in fields and "scale_lower" not in fields):
        estimate = _number(fields, "scale_est")
        error = _number(fields, "scale_err")
        return None if estimate is None else Scale.from_estimate(estimate, error or _DEFAULT_ERROR_PERCENT, unit)
    low, high = _number(fields, "scale_lower"), _number(fields, "scale_upper")
    # Zero stands for an open end, which upstream's client sends.
    return Scale(low or None, high or None, unit) if low or high else None


def _position(fields: Fields) -> Position | None:
    ra, dec = _number(fields, "center_ra"), _number(fields, "center_dec")
    radius = _number(fields, "radius")
    return None if ra is None or dec is None else Position(ra, dec, radius or DEFAULT_RADIUS_DEG)


def _parity(fields: Fields) -> Parity | None:
    number = _whole(fields, "parity")
    if number is None:
        return None
    if number not in _PARITIES:
        raise ApiError('"parity" is none of 0, 1 and 2')
    return _PARITIES[number]


def _downsample(fields: Fields) -> int | None:
    """Return the factor; upstream's default of 2, which clients send unasked, leaves the choice to nova."""
    factor = _number(fields, "downsample_factor")
    return None if factor is None or factor <= 2 else round(factor)


def _size(fields: Fields) -> tuple[int, int] | None:
    width, height = _number(fields, "image_width"), _number(fields, "image_height")
    if not width or not height:
        return None
    if not (1 <= width <= 10**6 and 1 <= height <= 10**6):
        raise ApiError('"image_width" and "image_height" are outside 1 to 1000000')
    return math.ceil(width), math.ceil(height)


def _whole(fields: Fields, name: str) -> int | None:
    number = _number(fields, name)
    return None if number is None else int(number)


def _number(fields: Fields, name: str) -> float | None:
    """Return a finite number; None if the client gave none."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ApiError(f'"{name}" is no number')
    return number
