"""The marks of deep-sky objects and stars; the shape says what an object is, and the colour helps."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from novacli.catalog.shapes import ellipse_places
from novacli.catalog.sky_object import FieldObject, Kind
from novacli.pictures.canvas import LINE, Canvas
from novacli.pictures.style import OF_KIND
from novacli.pictures.viewport import Viewport

_STAR_SIZE, _OBJECT_SIZE = 16.0, 18.0
_LEAST_RADIUS = 8.0
_TICK = 5.0
#: Without a magnitude, objects rank like this one.
_NO_MAGNITUDE = 12.0
#: Marks of each kind: this many, and this many for each million pixels of the picture.
_FEW, _PER_MEGAPIXEL = 12, 25
#: Deep-sky objects that would be smaller than this in the picture are left out, unless they have a common name or a
#: Messier number.
_LEAST_SIZE_PX = 2.0


def ranked(objects: Iterable[FieldObject], canvas: Canvas, viewport: Viewport) -> list[FieldObject]:
    """Return the most important stars and the most important other objects, as many as the picture has room for."""
    most = _FEW + round(_PER_MEGAPIXEL * canvas.width * canvas.height / 1e6)
    ordered = sorted(objects, key=rank)
    stars = [found for found in ordered if found.sky.kind is Kind.STAR]
    least_arcmin = _LEAST_SIZE_PX * 60 * viewport.degrees_per_pixel
    others = [found for found in ordered if found.sky.kind is not Kind.STAR and _is_shown(found, least_arcmin)]
    return [*others[:most], *stars[:most]]


def _is_shown(found: FieldObject, least_arcmin: float) -> bool:
    sky = found.sky
    is_known = bool(sky.common_names) or sky.names[0].startswith("M ")
    return is_known or (sky.major_arcmin or 0.0) >= least_arcmin


def rank(found: FieldObject) -> float:
    """Return how important an object is; lower is more important."""
    sky = found.sky
    value = _NO_MAGNITUDE if sky.magnitude is None else sky.magnitude
    if sky.kind is Kind.STAR:
        # An 8th-magnitude galaxy is worth a label as much as a 3rd-magnitude star.
        return value + 3.0 - (3.0 if sky.common_names else 0.0)
    size = 2.5 * math.log10(max(1.0, sky.major_arcmin or 1.0))
    return value - size - (3.0 if sky.common_names else 0.0) - (3.0 if sky.names[0].startswith("M ") else 0.0)


def draw_object(canvas: Canvas, viewport: Viewport, found: FieldObject) -> None:
    """Draw the mark of an object, and ask for its label."""
    x, y = viewport.of_pixels(np.array([found.x]), np.array([found.y]))[0].tolist()
    if found.sky.kind is Kind.STAR:
        radius = max(5.0, 11.0 - (found.sky.magnitude or 9.0)) * canvas.unit
        canvas.circle(x, y, radius, "star")
        canvas.request_label((x, y, radius), found.sky.label, "star", _STAR_SIZE, rank(found))
        return
    radius = _draw_outline(canvas, viewport, found, (x, y))
    if 0 <= x <= canvas.width and 0 <= y <= canvas.height:
        style = OF_KIND[found.sky.kind]
        canvas.request_label((x, y, radius), found.sky.label, style, _OBJECT_SIZE, rank(found))


def _draw_outline(canvas: Canvas, viewport: Viewport, found: FieldObject, place: tuple[float, float]) -> float:
    """Draw the ellipse of an object, or a symbol if it is small; return the radius that its label keeps."""
    sky, style = found.sky, OF_KIND[found.sky.kind]
    least = _LEAST_RADIUS * canvas.unit
    major = (sky.major_arcmin or 0.0) / 60
    radius = major / 2 / viewport.degrees_per_pixel
    if radius < least:
        canvas.circle(*place, least, style)
        _draw_ticks(canvas, found.sky.kind, place, least, style)
        return least
    minor = (sky.minor_arcmin or sky.major_arcmin or 0.0) / 60
    angle = sky.position_angle_deg
    if angle is None and minor != major:
        # The direction is not known: a circle says so, an ellipse would be wrong.
        minor, style = major, "vague" if style == "nebula" else style
    points = viewport.of_sky(*ellipse_places(sky.ra_deg, sky.dec_deg, major, minor, angle or 0.0))
    canvas.polyline(points, style, LINE)
    _draw_ticks(canvas, sky.kind, place, radius, style)
    # The label of a large object stands within it, near its centre.
    room = 0.35 * min(canvas.width, canvas.height)
    return radius * minor / major if radius < room / 2 else least


def _draw_ticks(canvas: Canvas, kind: Kind, place: tuple[float, float], radius: float, style: str) -> None:
    """Draw a cross through a globular cluster, of a large one its ends alone, or ticks outside a planetary nebula."""
    if kind not in (Kind.GLOBULAR_CLUSTER, Kind.PLANETARY_NEBULA):
        return
    inner, outer = radius, radius + _TICK * canvas.unit
    if kind is Kind.GLOBULAR_CLUSTER:
        inner, outer = max(0.0, radius - 2 * _LEAST_RADIUS * canvas.unit), radius
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        ends = [(place[0] + length * dx, place[1] + length * dy) for length in (inner, outer)]
        canvas.polyline(np.array(ends), style)
