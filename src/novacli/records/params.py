"""What the user asks for, validated once: ``SolveParams`` and the small records in it.

The command line, the configuration and the Python API all end here; everything behind reads these frozen records.
"""

from __future__ import annotations

import enum
import math
from dataclasses import asdict, field
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from novacli.config import DEFAULT_TIMEOUT_S, Config
from novacli.errors import ParameterError, UsageError
from novacli.records.json_fields import JsonFields
from novacli.records.parity import Parity
from solvehost.record import record

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.units import Quantity

#: Width of the 35-mm film frame, which defines an "equivalent focal length" as solve-field counts it.
FILM_WIDTH_MM = 36.0
#: Search radius around a position given without one, in degrees.
DEFAULT_RADIUS_DEG = 15.0


class ScaleUnit(enum.Enum):
    """Units of a scale hint, by solve-field's names."""

    DEG_WIDTH = "degwidth"
    ARCMIN_WIDTH = "arcminwidth"
    ARCSEC_PER_PIXEL = "arcsecperpix"
    FOCAL_MM = "focalmm"

    def to_arcsec_per_pixel(self, value: float, width: int) -> float:
        """Return the scale in arcsec/pixel of an image ``width`` pixels wide, from its value in this unit."""
        if self is ScaleUnit.ARCSEC_PER_PIXEL:
            return value
        if self is ScaleUnit.FOCAL_MM:
            return math.degrees(math.atan(FILM_WIDTH_MM / (2 * value))) * 2 * 3600 / width
        return value * self._arcsec / width

    def from_arcsec_per_pixel(self, arcsec_per_pixel: float, width: int) -> float:
        """Return the scale in this unit of an image ``width`` pixels wide, from its value in arcsec/pixel."""
        if self is ScaleUnit.ARCSEC_PER_PIXEL:
            return arcsec_per_pixel
        if self is ScaleUnit.FOCAL_MM:
            half_width_deg = min(arcsec_per_pixel * width / 3600 / 2, 89.0)
            return FILM_WIDTH_MM / (2 * math.tan(math.radians(half_width_deg)))
        return arcsec_per_pixel * width / self._arcsec

    @property
    def _arcsec(self) -> int:
        return 3600 if self is ScaleUnit.DEG_WIDTH else 60


@record
class Scale:
    """A range of scales.

    Attributes
    ----------
    low, high
        Ends of the range in ``unit``; None for an open end.
    unit
        What ``low`` and ``high`` measure: the width of the image, the size of a pixel, or a focal length.

    Raises
    ------
    ParameterError
        If an end is no positive number, or the ends are in the wrong order.
    """

    low: float | None
    high: float | None
    unit: ScaleUnit = ScaleUnit.DEG_WIDTH

    def __post_init__(self) -> None:
        for name, value in (("lower scale", self.low), ("upper scale", self.high)):
            if value is not None:
                _require_positive(name, value)
        if self.low is not None and self.high is not None and self.low > self.high:
            range_text = f"{self.low:g} to {self.high:g}"
            raise ParameterError(f"scale range {range_text} is upside down: its lower end comes first")

    @classmethod
    def from_estimate(cls, estimate: float, error_percent: float, unit: ScaleUnit) -> Scale:
        """Return the range ``estimate`` ± ``error_percent`` %."""
        if not 0 < error_percent < 100:
            raise ParameterError(f"scale error {error_percent:g} % is outside 0 to 100: give a percentage such as 20")
        _require_positive("scale estimate", estimate)
        return cls(estimate * (1 - error_percent / 100), estimate * (1 + error_percent / 100), unit)

    @classmethod
    def from_quantity(cls, low: Quantity | None, high: Quantity | None) -> Scale:
        """Return the range between two quantities of astropy.

        Parameters
        ----------
        low, high
            Scalars, None for an open end; both pixel scales (``u.arcsec / u.pixel``), both widths of the image
            (angles), or both focal lengths as for 35-mm film (lengths).

        Raises
        ------
        ParameterError
            If they have other units, or their ends are wrong.
        """
        for name, unit in _UNITS.items():
            try:
                ends = [None if end is None else float(end.to_value(name)) for end in (low, high)]
            except (ValueError, TypeError, AttributeError):
                continue
            return cls(ends[0], ends[1], unit)
        raise ParameterError(f"scale {low} to {high}: give arcsec / pixel, an angle (the width) or a focal length")

    def arcsec_per_pixel(self, width: int) -> tuple[float | None, float | None]:
        """Return (low, high) in arcsec/pixel for an image ``width`` pixels wide.

        Source: solve-field's own conversions; a focal length and a scale run in opposite directions.
        """
        ends = tuple(None if v is None else self.unit.to_arcsec_per_pixel(v, width) for v in (self.low, self.high))
        low, high = ends
        return (high, low) if self.unit is ScaleUnit.FOCAL_MM else (low, high)


#: Unit of a quantity, as astropy writes it, and what it says of the scale.
_UNITS = {
    "arcsec / pix": ScaleUnit.ARCSEC_PER_PIXEL,
    "deg": ScaleUnit.DEG_WIDTH,
    "mm": ScaleUnit.FOCAL_MM,
}


@record
class Position:
    """A place on the sky where the field's centre is looked for.

    Attributes
    ----------
    ra_deg, dec_deg
        Right ascension (0 to 360) and declination (-90 to 90), degrees, ICRS.
    radius_deg
        How far off the field's centre may be, degrees (0 to 180).

    Raises
    ------
    ParameterError
        If a value is no number or out of range.
    """

    ra_deg: float
    dec_deg: float
    radius_deg: float = DEFAULT_RADIUS_DEG

    def __post_init__(self) -> None:
        if not 0 <= _finite("right ascension", self.ra_deg) <= 360:
            raise ParameterError(f"right ascension {self.ra_deg:g} is outside 0 to 360 degrees")
        if not -90 <= _finite("declination", self.dec_deg) <= 90:
            raise ParameterError(f"declination {self.dec_deg:g} is outside -90 to 90 degrees")
        if not 0 < _finite("search radius", self.radius_deg) <= 180:
            raise ParameterError(f"search radius {self.radius_deg:g} is outside 0 to 180 degrees")

    @classmethod
    def from_skycoord(cls, center: SkyCoord, radius: Quantity | float = DEFAULT_RADIUS_DEG) -> Position:
        """Return the position of a coordinate of astropy, in whatever frame it is.

        Parameters
        ----------
        center
            One coordinate.
        radius
            An angle, or a number of degrees.

        Raises
        ------
        ParameterError
            If it is no single coordinate, or a value is out of range.
        """
        try:
            icrs = center.icrs
            ra_deg, dec_deg = float(icrs.ra.to_value("deg")), float(icrs.dec.to_value("deg"))
        except (AttributeError, TypeError, ValueError) as exc:
            raise ParameterError(f"position {center!r:.80}: give one SkyCoord ({exc})") from exc
        return cls(ra_deg, dec_deg, in_unit(radius, "deg", "search radius"))


def in_unit(value: Quantity | float, unit: str, name: str) -> float:
    """Return a number as it is, and a quantity of astropy in ``unit``; ``name`` is for the error.

    Raises
    ------
    ParameterError
        If the quantity has another dimension, or is no scalar.
    """
    try:
        return float(value.to_value(unit)) if hasattr(value, "to_value") else float(value)
    except (TypeError, ValueError) as exc:
        raise ParameterError(f"{name} {value!r:.80} is no number of {unit}: {exc}") from exc


def _finite(name: str, value: object) -> float:
    if isinstance(value, bool | str | bytes):
        raise ParameterError(f"{name} {value!r:.40} is no number")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as exc:
        raise ParameterError(f"{name} {value!r:.40} is no number") from exc
    return number


def _require_positive(name: str, value: float) -> None:
    if not 0 < _finite(name, value) < math.inf:
        raise ParameterError(f"{name} {value:g} is not above zero: give a positive number")


def _require_type(name: str, value: object, expected: type, advice: str) -> None:
    if value is not None and not isinstance(value, expected):
        raise ParameterError(f"{name}={value!r:.40} is no {expected.__name__}: {advice}")


@record
class SolveParams:
    """All that a user can ask of a solve; the defaults ask for nothing.

    Attributes
    ----------
    scale, position, parity
        What is known beforehand.
    blind
        True to ignore what headers say.
    fallback
        False to leave out the blind attempts that follow if hints prove wrong.
    downsample
        Factor by which the image is binned to find stars; None to choose.
    tweak_order
        Order of the distortion polynomials, 0 to 9; None for as much distortion as the stars support.
    crpix_center
        True for a reference pixel at the centre of the image.
    max_stars
        How many stars are used at most, the brightest first.
    timeout_s
        Wall-clock seconds that the solve may take; None for the configured limit.
    hdu
        0-based FITS HDU; None for the first that holds an image.
    indexes
        Index files, or directories of them, in place of the configured ones.
    engine_config
        Configuration file of the engine, in place of the configured one.
    size
        (width, height) in pixels of the image that a star list was made from.
    invert
        True if the image is a negative, with stars darker than the sky; False if it is not; None to find out.

    Raises
    ------
    ParameterError
        If a value is out of range or has the wrong type.
    """

    scale: Scale | None = None
    position: Position | None = None
    parity: Parity | None = None
    blind: bool = False
    fallback: bool = True
    downsample: int | None = None
    tweak_order: int | None = None
    crpix_center: bool = False
    max_stars: int | None = None
    timeout_s: float | None = None
    hdu: int | None = None
    indexes: tuple[str, ...] = ()
    engine_config: str | None = None
    size: tuple[int, int] | None = field(default=None)
    invert: bool | None = None

    def __post_init__(self) -> None:
        _require_type("scale", self.scale, Scale, "use Scale(low, high) or Scale.from_quantity")
        _require_type("position", self.position, Position, "use Position(ra, dec) or Position.from_skycoord")
        _require_type("parity", self.parity, Parity, "use Parity.POSITIVE or Parity.NEGATIVE, the sign of det(CD)")
        if self.downsample is not None and not 1 <= self.downsample <= 64:
            raise ParameterError(f"downsample factor {self.downsample} is outside 1 to 64")
        if self.tweak_order is not None and not 0 <= self.tweak_order <= 9:
            raise ParameterError(f"tweak order {self.tweak_order} is outside 0 (no distortion) to 9")
        if self.max_stars is not None and self.max_stars < 4:
            raise ParameterError(f"{self.max_stars} stars are too few: a solution needs at least 4")
        if self.timeout_s is not None:
            _require_positive("time-out", self.timeout_s)

    @property
    def limit_s(self) -> float:
        """Wall-clock seconds that the solve may take."""
        return DEFAULT_TIMEOUT_S if self.timeout_s is None else self.timeout_s

    def configure(self, config: Config) -> Config:
        """Return the settings with the index files and the engine configuration that these parameters name."""
        path = None if self.engine_config is None else Path(self.engine_config)
        return config.replaced("indexes", index=self.indexes or None).replaced("engine_config", engine_config=path)

    def to_json(self) -> dict[str, Any]:
        """Return the parameters as JSON has them, for :meth:`from_json`."""
        value = asdict(self)
        value["parity"] = None if self.parity is None else self.parity.value
        if self.scale is not None:
            value["scale"]["unit"] = self.scale.unit.value
        return value

    @classmethod
    def from_json(cls, value: object) -> SolveParams:
        """Return the parameters that :meth:`to_json` wrote; missing keys have their defaults.

        Raises
        ------
        UsageError
            If a value is wrong, or a key is unknown, as if a newer version wrote it.
        """
        try:
            fields = JsonFields(value, "params")
            fields.check_known(f.name for f in dataclass_fields(cls))
            usual = cls()
            return cls(
                scale=_scale_from_json(fields.part("scale")) if fields.has("scale") else None,
                position=_position_from_json(fields.part("position")) if fields.has("position") else None,
                parity=Parity(fields.whole("parity", -1, 1)) if fields.has("parity") else None,
                blind=fields.flag("blind") if fields.has("blind") else usual.blind,
                fallback=fields.flag("fallback") if fields.has("fallback") else usual.fallback,
                downsample=fields.optional_whole("downsample"),
                tweak_order=fields.optional_whole("tweak_order"),
                crpix_center=fields.flag("crpix_center") if fields.has("crpix_center") else usual.crpix_center,
                max_stars=fields.optional_whole("max_stars"),
                timeout_s=fields.optional(fields.number, "timeout_s"),
                hdu=fields.optional_whole("hdu"),
                indexes=fields.texts("indexes"),
                engine_config=fields.optional(fields.text, "engine_config"),
                size=_size_from_json(fields) if fields.has("size") else None,
                invert=fields.optional(fields.flag, "invert"),
            )
        except ValueError as exc:
            raise UsageError(f"the parameters of the job are not understood ({exc})") from exc


def _scale_from_json(fields: JsonFields) -> Scale:
    low, high = fields.optional(fields.number, "low"), fields.optional(fields.number, "high")
    return Scale(low, high, ScaleUnit(fields.text("unit")))


def _position_from_json(fields: JsonFields) -> Position:
    return Position(fields.number("ra_deg"), fields.number("dec_deg"), fields.number("radius_deg"))


def _size_from_json(fields: JsonFields) -> tuple[int, int]:
    size = fields.each("size", lambda item: JsonFields({"side": item}, "size").whole("side", 1))
    if len(size) != 2:
        raise ValueError("params.size is not a list of width and height")
    return size[0], size[1]
