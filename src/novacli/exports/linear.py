"""A solution without its distortion, for formats that have none: the linear solution nearest to it, and what is lost.

Dropping the SIP polynomials alone would leave errors of several pixels at the corners of wide fields; a linear solution
that is fitted to the distorted one comes closer.
"""

from __future__ import annotations

import math
from dataclasses import replace

from novacli.errors import DataError
from novacli.exports.registry import SolvedField
from novacli.wcs.projection import sky_to_plane
from novacli.wcs.sphere import separation_arcsec
from novacli.wcs.tansip import TanSip, Terms
from solvehost.record import record

#: Points along each side of the image at which the solutions are compared.
_POINTS = 15
#: Losses below this number of pixels are not reported.
_REPORTED_PX = 0.05


@record
class LinearSolution:
    """A TAN solution without distortion.

    ``loss_px`` is its largest difference from the solution that it stands for, in pixels, over a grid of points that
    reaches to the corners.
    """

    tan: TanSip
    loss_px: float

    @property
    def remark(self) -> str | None:
        """A clause on the loss for the user; None if the loss is negligible."""
        if self.loss_px < _REPORTED_PX:
            return None
        return f"holds no distortion: its positions differ from the solution by up to {self.loss_px:.2g} pixels"

    def notes(self, target: object) -> tuple[str, ...]:
        """Return the remark on the loss as a note about the file ``target``; () if the loss is negligible."""
        return () if self.remark is None else (f"{target} {self.remark}",)


def nearest_tan(solution: TanSip, *, at_center: bool = False) -> LinearSolution:
    """Return the linear solution nearest to a solution, by least squares over a grid of points.

    Parameters
    ----------
    solution
        The solution; without distortion and with ``at_center`` False, it is its own nearest one.
    at_center
        True to put the reference point exactly at the centre of the image, as some programs assume.

    Raises
    ------
    DataError
        If the image reaches 90 degrees or more from its reference point.
    """
    if not solution.sip_order and not at_center:
        return LinearSolution(solution, 0.0)
    import numpy as np

    crval = solution.pixel_to_sky(*solution.center_px) if at_center else solution.crval
    x0, y0 = solution.center_px if at_center else solution.crpix
    pixels = _grid(solution)
    planes = [sky_to_plane(*solution.pixel_to_sky(x, y), crval) for x, y in pixels]
    if None in planes:
        raise DataError("the image reaches too far from its centre for a solution without distortion: use --wcs")
    rows = [(x - x0, y - y0) if at_center else (x - x0, y - y0, 1.0) for x, y in pixels]
    fit = np.linalg.lstsq(np.array(rows), np.array(planes, dtype=float), rcond=None)[0]
    (cd11, cd21), (cd12, cd22) = fit[:2].tolist()
    shift = [0.0, 0.0] if at_center else np.linalg.solve(np.array([[cd11, cd12], [cd21, cd22]]), fit[2]).tolist()
    crpix = x0 - shift[0], y0 - shift[1]
    tan = TanSip(crval, crpix, ((cd11, cd12), (cd21, cd22)), solution.width, solution.height)
    return LinearSolution(tan, loss_px(tan, solution))


def loss_px(tan: TanSip, solution: TanSip) -> float:
    """Return the largest difference between a linear solution and a solution, pixels."""
    pixels = _grid(solution)
    apart = [separation_arcsec(tan.pixel_to_sky(*pixel), solution.pixel_to_sky(*pixel)) for pixel in pixels]
    return max(apart) / solution.pixscale_arcsec


def _grid(solution: TanSip) -> list[tuple[float, float]]:
    steps = [n / (_POINTS - 1) for n in range(_POINTS)]
    return [(0.5 + s * solution.width, 0.5 + t * solution.height) for s in steps for t in steps]


def as_displayed(solution: TanSip, *, is_fits_like: bool) -> TanSip:
    """Return a solution with rows counted from the bottom of the displayed image.

    FITS images are displayed with their first stored row at the bottom, every other picture with it at the top.
    """
    return solution if is_fits_like else flipped(solution)


def flipped(solution: TanSip) -> TanSip:
    """Return a solution for the rows of the image in the opposite order."""
    (cd11, cd12), (cd21, cd22) = solution.cd
    return replace(
        solution,
        crpix=(solution.crpix[0], solution.height + 1 - solution.crpix[1]),
        cd=((cd11, -cd12), (cd21, -cd22)),
        a=_mirrored_terms(solution.a, 1),
        b=_mirrored_terms(solution.b, -1),
        ap=_mirrored_terms(solution.ap, 1),
        bp=_mirrored_terms(solution.bp, -1),
    )


def _mirrored_terms(terms: Terms, sign: int) -> Terms:
    """Return a polynomial of (u, v) as one of (u, -v), times ``sign``."""
    return tuple((p, q, sign * (-1) ** q * c) for p, q, c in terms)


def scale_and_rotation(tan: TanSip) -> tuple[tuple[float, float], float]:
    """Return ((CDELT1, CDELT2), CROTA2), in degrees, of a linear solution; CDELT1 is negative if east is left."""
    (cd11, cd12), (cd21, cd22) = tan.cd
    scale_x = math.copysign(math.hypot(cd11, cd21), tan.det_cd)
    return (scale_x, math.hypot(cd12, cd22)), math.degrees(math.atan2(-cd12, cd22))


def is_fits_like(field: SolvedField) -> bool:
    """Return True if the y axis of the solved image points up when the image is displayed."""
    from novacli.jobs.request import read_request

    request = read_request(field.job)
    return field.origin.format == "FITS" if request is None else request.is_fits_like
