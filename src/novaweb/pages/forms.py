"""The forms for an upload and for another solve, and the records that they stand for."""

from __future__ import annotations

import math
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from novacli.errors import ParameterError, UsageError
from novacli.records.params import DEFAULT_RADIUS_DEG, Position, Scale, ScaleUnit, SolveParams
from novacli.text.angles import parse_dec, parse_ra
from novaweb.accounts.models import User
from novaweb.submissions.models import MAX_URL, Visibility

#: A size that people state may be wrong by this much.
_SIZE_ERROR_PERCENT = 20.0
_CAMERA = "camera"
_ARCSEC_PER_RADIAN = math.degrees(1) * 3600
_MAX_STARS_CHARS = 4_000_000
_MAX_FILES = 100
_SCALES = (
    ("", "not known"),
    (ScaleUnit.DEG_WIDTH.value, "width of the picture in degrees"),
    (ScaleUnit.ARCMIN_WIDTH.value, "width of the picture in arcminutes"),
    (ScaleUnit.ARCSEC_PER_PIXEL.value, "arcseconds per pixel"),
    (_CAMERA, "focal length and pixel size"),
)


class HintsForm(forms.Form):
    """The size and the position of a picture, as far as they are known."""

    scale_kind = forms.ChoiceField(label="Size on the sky", choices=_SCALES, required=False)
    scale = forms.FloatField(label="about", required=False, min_value=0)
    focal_mm = forms.FloatField(label="Focal length (mm)", required=False, min_value=0)
    pixel_um = forms.FloatField(label="Pixel size (µm)", required=False, min_value=0)
    ra = forms.CharField(label="Right ascension", required=False, max_length=40)
    dec = forms.CharField(label="Declination", required=False, max_length=40)
    radius = forms.FloatField(label="within (degrees)", required=False, min_value=0, max_value=180)

    def clean(self) -> dict[str, Any]:
        """Return the fields, with the parameters of the solve in ``params``."""
        values = super().clean() or {}
        if not self.errors:
            try:
                values["params"] = SolveParams(scale=_scale(values), position=_position(values))
            except (ParameterError, UsageError) as exc:
                raise ValidationError(f"{exc}.") from exc
        return values


class _FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class _FilesField(forms.FileField):
    """Any number of files."""

    widget = _FilesInput

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Return the list of the files."""
        files = data if isinstance(data, list | tuple) else [data]
        return [clean for file in files if (clean := super(_FilesField, self).clean(file, initial)) is not None]


class UploadForm(HintsForm):
    """Pictures, or a star list, with their size and position, and who may see them."""

    file = _FilesField(label="Pictures or star lists", required=False)
    url = forms.URLField(label="Address of a picture", required=False, max_length=MAX_URL, assume_scheme="https")
    stars = forms.CharField(
        label="Star list",
        required=False,
        max_length=_MAX_STARS_CHARS,
        widget=forms.Textarea(attrs={"rows": 6, "placeholder": "x,y\n512.3,80.1\n…"}),
    )

    def __init__(self, *args: Any, person: User | None = None, **kwargs: Any) -> None:
        """Offer the visibilities that ``person`` may choose; None stands for a visitor."""
        super().__init__(*args, **kwargs)
        self.fields["visibility"] = forms.ChoiceField(label="Who may see it", choices=_visibilities(person))

    def clean(self) -> dict[str, Any]:
        """Return the fields, with the parameters of the solve in ``params``."""
        values = super().clean()
        if sum(bool(values.get(name)) for name in ("file", "url", "stars")) != 1 and not self.errors:
            raise ValidationError("Choose files, or give an address, or paste a star list.")
        if len(values.get("file") or []) > _MAX_FILES:
            raise ValidationError(f"These are more than {_MAX_FILES} files: send them in parts.")
        return values


def _visibilities(person: User | None) -> list[tuple[str, str]]:
    """Return (value, label) of each visibility; a visitor owns nothing, and could not see a private picture again."""
    hours = settings.NOVAWEB["unlisted_hours"]
    unlisted = f"those at this network address, for {hours:g} hours"
    shown = [(Visibility.UNLISTED.value, f"I, and {unlisted}" if person else unlisted)]
    private = [(Visibility.PRIVATE.value, "only I")] if person else []
    return [*shown, *private, (Visibility.PUBLIC.value, "everyone: it is listed")]


def _scale(values: dict[str, Any]) -> Scale | None:
    kind = values.get("scale_kind")
    if not kind:
        return None
    if kind == _CAMERA:
        focal_mm, pixel_um = values.get("focal_mm"), values.get("pixel_um")
        if not focal_mm or not pixel_um:
            raise UsageError("give both the focal length and the pixel size")
        arcsec_per_pixel = math.atan(pixel_um / 1000 / focal_mm) * _ARCSEC_PER_RADIAN
        return Scale.from_estimate(arcsec_per_pixel, _SIZE_ERROR_PERCENT, ScaleUnit.ARCSEC_PER_PIXEL)
    if not values.get("scale"):
        raise UsageError("give the size on the sky, or choose “not known”")
    return Scale.from_estimate(values["scale"], _SIZE_ERROR_PERCENT, ScaleUnit(kind))


def _position(values: dict[str, Any]) -> Position | None:
    ra, dec = values.get("ra"), values.get("dec")
    if not ra and not dec:
        return None
    if not ra or not dec:
        raise UsageError("give both right ascension and declination")
    return Position(parse_ra(ra), parse_dec(dec), values.get("radius") or DEFAULT_RADIUS_DEG)
