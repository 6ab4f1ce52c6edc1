"""What the user asks for, validated once: ``SolveParams`` and the small records in it.

The command line, the configuration and the Python API all end here; everything behind reads these frozen records.
"""

from __future__ import annotations

import enum
import math
from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from typing import Any

from novacli.errors import UsageError
from novacli.records.json_fields import JsonFields

#: Width of the 35-mm film frame, which defines an "equivalent focal length" as solve-field counts it.
FILM_WIDTH_MM = 36.0
#: Search radius around a position given without one, in degrees.
DEFAULT_RADIUS_DEG = 15.0


class Parity(enum.Enum):
    """Sign of det(CD): +1 for an unmirrored JPEG (rows from the top), -1 for an unmirrored FITS image.

    The engine's words are the other way round: its ``neg`` finds det(CD) > 0.  ``word`` is the engine's, which
    ``--parity`` takes as ``solve-field`` does.
    """

    POSITIVE = 1
    NEGATIVE = -1

    @property
    def word(self) -> str:
        """The engine's word for this parity (``--parity``, ANPARITY in lower case)."""
        return "neg" if self is Parity.POSITIVE else "pos"

    @classmethod
    def from_word(cls, word: str) -> Parity | None:
        """Return the parity for solve-field's ``pos``, ``neg`` or ``both`` (None)."""
        try:
            return {"pos": cls.NEGATIVE, "neg": cls.POSITIVE, "both": None}[word]
        except KeyError:
            raise UsageError(f"parity {word!r} is unknown: use pos, neg or both") from None


class ScaleUnit(enum.Enum):
    """Units of a scale hint, by solve-field's names."""

    DEG_WIDTH = "degwidth"
    ARCMIN_WIDTH = "arcminwidth"
    ARCSEC_PER_PIXEL = "arcsecperpix"
    FOCAL_MM = "focalmm"


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale range as the user gave it; ``low`` and ``high`` in ``unit``, either may be None (open)."""

    low: float | None
    high: float | None
    unit: ScaleUnit = ScaleUnit.DEG_WIDTH

    def __post_init__(self) -> None:
        for name, value in (("lower", self.low), ("upper", self.high)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UsageError(f"{name} scale {value} is not above zero: give a positive number")
        if self.low is not None and self.high is not None and self.low > self.high:
            range_text = f"{self.low:g} to {self.high:g}"
            raise UsageError(f"scale range {range_text} is upside down: swap --scale-low and --scale-high")

    @classmethod
    def from_estimate(cls, estimate: float, error_percent: float, unit: ScaleUnit) -> Scale:
        """Return the range ``estimate`` ± ``error_percent`` %."""
        if not 0 < error_percent < 100:
            raise UsageError(f"scale error {error_percent:g} % is outside 0 to 100: give a percentage such as 20")
        if not (math.isfinite(estimate) and estimate > 0):
            raise UsageError(f"scale estimate {estimate:g} is not above zero: give a positive number")
        return cls(estimate * (1 - error_percent / 100), estimate * (1 + error_percent / 100), unit)

    def arcsec_per_pixel(self, width: int) -> tuple[float | None, float | None]:
        """Return (low, high) in arcsec/pixel for an image ``width`` pixels wide.

        Source: solve-field's own conversions; a focal length and a scale run in opposite directions.
        """
        ends = tuple(None if v is None else _arcsec_per_pixel(v, self.unit, width) for v in (self.low, self.high))
        low, high = ends
        return (high, low) if self.unit is ScaleUnit.FOCAL_MM else (low, high)


def _arcsec_per_pixel(value: float, unit: ScaleUnit, width: int) -> float:
    if unit is ScaleUnit.ARCSEC_PER_PIXEL:
        return value
    if unit is ScaleUnit.FOCAL_MM:
        return math.degrees(math.atan(FILM_WIDTH_MM / (2 * value))) * 2 * 3600 / width
    return value * (3600 if unit is ScaleUnit.DEG_WIDTH else 60) / width


@dataclass(frozen=True, slots=True)
class Position:
    """A place on the sky where the field's centre is looked for; all in degrees, ICRS."""

    ra_deg: float
    dec_deg: float
    radius_deg: float = DEFAULT_RADIUS_DEG

    def __post_init__(self) -> None:
        if not (math.isfinite(self.ra_deg) and 0 <= self.ra_deg <= 360):
            raise UsageError(f"right ascension {self.ra_deg:g} is outside 0 to 360 degrees: check --ra")
        if not (math.isfinite(self.dec_deg) and -90 <= self.dec_deg <= 90):
            raise UsageError(f"declination {self.dec_deg:g} is outside -90 to 90 degrees: check --dec")
        if not (math.isfinite(self.radius_deg) and 0 < self.radius_deg <= 180):
            raise UsageError(f"search radius {self.radius_deg:g} is outside 0 to 180 degrees: check --radius")


@dataclass(frozen=True, slots=True)
class SolveParams:
    """All that a user can ask of a solve; the defaults ask for nothing.

    ``blind`` ignores what headers say; ``fallback`` allows a blind attempt after hints that prove wrong;
    ``timeout_s`` is wall-clock seconds an image; ``max_stars`` is ``--objs``; ``indexes`` are directories or files
    that replace the configured ones; ``hdu`` is ``--ext``.  ``tweak_order`` None: as much distortion as stars support.
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
    timeout_s: float = 300.0
    hdu: int | None = None
    indexes: tuple[str, ...] = ()
    engine_config: str | None = None
    size: tuple[int, int] | None = field(default=None)

    def __post_init__(self) -> None:
        if self.downsample is not None and not 1 <= self.downsample <= 64:
            raise UsageError(f"downsample factor {self.downsample} is outside 1 to 64")
        if self.tweak_order is not None and not 0 <= self.tweak_order <= 9:
            raise UsageError(f"tweak order {self.tweak_order} is outside 0 (no distortion) to 9")
        if self.max_stars is not None and self.max_stars < 4:
            raise UsageError(f"{self.max_stars} stars are too few: a solution needs at least 4 (--objs)")
        if not (math.isfinite(self.timeout_s) and self.timeout_s > 0):
            raise UsageError(f"time-out {self.timeout_s:g} is not above zero: give seconds")

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
                timeout_s=fields.number("timeout_s") if fields.has("timeout_s") else usual.timeout_s,
                hdu=fields.optional_whole("hdu"),
                indexes=fields.texts("indexes"),
                engine_config=fields.optional(fields.text, "engine_config"),
                size=_size_from_json(fields) if fields.has("size") else None,
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
