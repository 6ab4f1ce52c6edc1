"""The marks of objects."""

from __future__ import annotations

import re

import pytest

from novacli.catalog.sky_object import FieldObject, Kind, SkyObject
from novacli.pictures.canvas import Canvas
from novacli.pictures.symbols import draw_object, rank, ranked
from novacli.pictures.viewport import Viewport, make_viewport
from novacli.wcs.tansip import TanSip

#: A field of one degree in which a picture pixel is 2.25 arcsec.
VIEW: Viewport = make_viewport(
    TanSip((10.0, 20.0), (300.5, 200.5), ((-1 / 600, 0.0), (0.0, 1 / 600)), 600, 400),
    width=1600, longer_side=0, is_fits_like=True,
)  # fmt: skip


def found(kind: Kind, **more: object) -> FieldObject:
    values = {"names": ("NGC 1",), "common_names": (), "magnitude": 9.0, "major_arcmin": 10.0, "minor_arcmin": 5.0,
              "position_angle_deg": 30.0, "source": "OpenNGC", **more}  # fmt: skip
    return FieldObject(SkyObject(kind=kind, ra_deg=10.0, dec_deg=20.0, **values), 300.5, 200.5, True)  # type: ignore[arg-type]


def paths(object_: FieldObject) -> dict[str, list[list[tuple[float, ...]]]]:
    """Return the points of the lines of each style."""
    canvas = Canvas(VIEW.width, VIEW.height)
    draw_object(canvas, VIEW, object_)
    lines: dict[str, list[list[tuple[float, ...]]]] = {}
    for shape in canvas.shapes:
        points = [tuple(map(float, p.split())) for p in re.split("[ML]", shape.path)[1:]] if "L" in shape.path else []
        lines.setdefault(shape.style, []).append(points)
    return lines


def extent(points: list[tuple[float, ...]]) -> tuple[float, float]:
    x, y = zip(*points, strict=True)
    return max(x) - min(x), max(y) - min(y)


def test_an_ellipse_has_the_size_of_the_object() -> None:
    """North is up: an object of 10 by 5 arcmin whose position angle is 0 is 267 pixels high and 133 wide."""
    (points,) = paths(found(Kind.GALAXY, position_angle_deg=0.0))["galaxy"]
    assert extent(points) == pytest.approx((133.3, 266.7), abs=1)


def test_an_unknown_direction_gives_a_circle() -> None:
    """It is dashed for a nebula."""
    lines = paths(found(Kind.NEBULA, position_angle_deg=None))
    assert list(lines) == ["vague"]
    assert extent(lines["vague"][0]) == pytest.approx((266.7, 266.7), abs=1)


def test_small_objects_have_symbols() -> None:
    """A globular cluster has a cross, of a large one the ends alone; a planetary nebula has ticks outside."""
    small = {"major_arcmin": 0.2, "minor_arcmin": None}
    assert len(paths(found(Kind.GLOBULAR_CLUSTER, **small))["cluster"]) == 5
    assert len(paths(found(Kind.PLANETARY_NEBULA, **small))["planetary"]) == 5
    large = paths(found(Kind.GLOBULAR_CLUSTER, minor_arcmin=None))["cluster"]
    assert all(extent(line) == pytest.approx((16, 0), abs=0.2) or extent(line) == pytest.approx((0, 16), abs=0.2)
               for line in large[1:])  # fmt: skip


def test_messier_objects_and_named_ones_come_first() -> None:
    faint, named = found(Kind.GALAXY), found(Kind.GALAXY, common_names=("Box Galaxy",))
    messier = found(Kind.GALAXY, names=("M 1",), magnitude=9.0)
    assert rank(messier) < rank(faint)
    assert rank(named) < rank(faint)
    canvas = Canvas(60, 40)
    many = [found(Kind.GALAXY, magnitude=float(n)) for n in range(40)]
    shown = ranked([*many, found(Kind.STAR, magnitude=3.0)], canvas, VIEW)
    assert [o.sky.magnitude for o in shown] == [*map(float, range(12)), 3.0]
