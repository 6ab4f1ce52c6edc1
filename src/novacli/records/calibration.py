"""The place of a solved image on the sky, and the quality of the solution: ``calibration`` and ``match`` of results."""

from __future__ import annotations

from novacli.records.parity import Parity
from solvehost.record import record


@record
class Calibration:
    """The place of the image on the sky, with nova.astrometry.net's names and meanings; from the TAN part alone.

    Attributes
    ----------
    ra, dec
        Centre of the image, degrees, ICRS.
    radius
        Half the diagonal, degrees.
    pixscale
        Arcsec per pixel.
    orientation
        Degrees: ``wcsinfo``'s for FITS; for every other format 180 - ``wcsinfo``'s, from 0 to 360, as nova has it.
    parity
        Sign of det(CD), +1.0 or -1.0.
    width_arcsec, height_arcsec
        Width and height in pixels times ``pixscale``.
    up_deg_e_of_n
        True position angle of "up" as the image is displayed, at its centre, degrees east of north.  For FITS
        it equals ``orientation`` except for the sky's curvature; for others nova's formula counts the other way round.
    """

    ra: float
    dec: float
    radius: float
    pixscale: float
    orientation: float
    parity: Parity
    width_arcsec: float
    height_arcsec: float
    up_deg_e_of_n: float


@record
class Match:
    """The match that solved the image, and how well its stars agree.

    Attributes
    ----------
    index
        Name of the index file that matched.
    index_id
        Its number; None if the engine did not report it, or if the record was read from JSON, which leaves it out.
    n
        Number of stars of the image matched with reference stars.
    rms_arcsec
        Root mean square separation on the sky of these pairs, the image's stars mapped by the WCS with its
        distortion; None if there is no list of them.
    logodds
        Natural logarithm of the odds that the match is true; None if the engine did not report them.
    sip_order
        Order of the distortion polynomials, 0 for none.
    heldout_rms_arcsec
        As ``rms_arcsec``, but each star is compared with a fit to all other stars (leave-one-out); None if there are
        too few stars, or if the solution was read from files alone.
    corner_error_arcsec
        Estimated error of the solution at the worst corner of the image: with a probability of 90 percent it is smaller
        (pixels times pixel scale); None if it cannot be estimated.  See :mod:`novacli.wcs.cornererror`.
    attempt
        Label of the attempt that solved the image; None if it is not known.
    """

    index: str
    index_id: int | None
    n: int
    rms_arcsec: float | None
    logodds: float | None
    sip_order: int
    heldout_rms_arcsec: float | None = None
    corner_error_arcsec: float | None = None
    attempt: str | None = None
