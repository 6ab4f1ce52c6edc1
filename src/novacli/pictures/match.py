"""``match``: stars of the image with their reference stars, and the residuals between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from novacli.pictures.registry import Picture, Subject

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from novacli.pictures.canvas import Canvas
    from novacli.pictures.legend import Mark

#: More rings would hide the image.
_MOST = 1000
#: Residuals are magnified by one of these, so that the typical one is at most this long in the picture.
_FACTORS, _LENGTH = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000), 25.0
_RADIUS = 9.0


def _draw(subject: Subject, canvas: Canvas) -> None:
    import numpy as np

    from novacli.pictures.legend import draw_legend
    from novacli.solution import tables

    viewport, solution = subject.viewport, subject.field.solution
    stars = tables.stars(solution.files, solution.tan_sip)
    stars = stars[np.isfinite(stars["field_x"])]
    found = viewport.of_pixels(stars["field_x"], stars["field_y"])
    references = viewport.of_pixels(stars["x"], stars["y"])
    residuals = references - found
    rms = float(np.sqrt(np.mean(np.sum(residuals**2, axis=1)))) if len(stars) else 0.0
    factor = max((f for f in _FACTORS if f * rms <= _LENGTH * canvas.unit), default=1)
    sources = tables.sources(solution.files)
    draw_legend(canvas, _legend(subject, len(sources), len(stars), factor))
    _draw_unmatched(subject, canvas, sources, found)
    for place, reference, residual in zip(found, references, residuals, strict=True):
        canvas.circle(float(place[0]), float(place[1]), _RADIUS * canvas.unit, "source")
        _diamond(canvas, float(reference[0]), float(reference[1]), _RADIUS * 0.6 * canvas.unit)
        canvas.polyline(np.stack([place, place + factor * residual]), "residual")


def _legend(subject: Subject, n_sources: int, n_matched: int, factor: int) -> list[tuple[Mark | None, str]]:
    match = subject.field.solution.match
    scale = subject.field.solution.calibration.pixscale
    rms = match.rms_arcsec
    words = "" if rms is None else f", {rms:.3g}″ RMS = {rms / scale:.2g} pixel"
    return [
        (lambda c, x, y, r: c.circle(x, y, r, "source"), f"{n_matched} of {n_sources} stars are matched"),
        (lambda c, x, y, r: _diamond(c, x, y, 0.8 * r), f"reference stars in {match.index}"),
        (_dash, f"residuals × {factor}{words}"),
        (lambda c, x, y, r: c.circle(x, y, 0.6 * r, "unmatched"), "stars without a match"),
    ]


def _dash(canvas: Canvas, x: float, y: float, radius: float) -> None:
    import numpy as np

    canvas.polyline(np.array([[x - radius, y], [x + radius, y]]), "residual")


def _diamond(canvas: Canvas, x: float, y: float, radius: float) -> None:
    import numpy as np

    corners = [(x + radius, y), (x, y + radius), (x - radius, y), (x, y - radius), (x + radius, y)]
    canvas.polyline(np.array(corners), "reference")


def _draw_unmatched(subject: Subject, canvas: Canvas, sources: NDArray[np.void], found: NDArray[np.float64]) -> None:
    import numpy as np

    places = subject.viewport.of_pixels(np.asarray(sources["X"], float), np.asarray(sources["Y"], float))[:_MOST]
    for x, y in places.tolist():
        if not len(found) or np.hypot(found[:, 0] - x, found[:, 1] - y).min() > 0.5 * subject.viewport.scale_x:
            canvas.circle(x, y, 0.6 * _RADIUS * canvas.unit, "unmatched")


PICTURE = Picture("match", "matched stars and their reference stars, with magnified residuals", _draw)
