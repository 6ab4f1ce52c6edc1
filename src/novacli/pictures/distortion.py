"""``distortion``: how far the distortion moves the places in an image, as magnified arrows on dark ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

from novacli.pictures.registry import Picture, Subject

if TYPE_CHECKING:
    from novacli.pictures.canvas import Canvas

_LONGER_SIDE_ARROWS = 20
_FACTORS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_DOT = 2.4


def _draw(subject: Subject, canvas: Canvas) -> None:
    import numpy as np

    from novacli.pictures.legend import draw_legend
    from novacli.wcs.pixel_arrays import distortion_px

    solution, viewport = subject.field.solution.tan_sip, subject.viewport
    if not (solution.a or solution.b):
        draw_legend(canvas, [(None, "the solution has no distortion")])
        return
    step = max(solution.width, solution.height) / _LONGER_SIDE_ARROWS
    x, y = (
        grid.ravel()
        for grid in np.meshgrid(*(np.arange(step / 2, side, step) + 0.5 for side in (solution.width, solution.height)))
    )
    dx, dy = distortion_px(solution, x, y)
    largest = float(np.hypot(dx, dy).max())
    factor = max((f for f in _FACTORS if f * largest <= 1.5 * step), default=1)
    starts, ends = viewport.of_pixels(x, y), viewport.of_pixels(x + factor * dx, y + factor * dy)
    arcsec = largest * solution.pixscale_arcsec
    draw_legend(canvas, [
        (None, f"distortion × {factor}: from the place in the image (dot) to the place without distortion"),
        (None, f"largest arrow: {largest:.3g} pixels, {arcsec:.3g}″; SIP order {solution.sip_order}"),
    ])  # fmt: skip
    for start, end in zip(starts, ends, strict=True):
        canvas.circle(float(start[0]), float(start[1]), _DOT * canvas.unit, "dot", is_filled=True)
        canvas.polyline(np.stack([start, end]), "reference")


PICTURE = Picture("distortion", "the distortion of the lens, as magnified arrows", _draw, has_image=False)
