"""The kinds of scenes that ``scenes.py`` draws, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of scene; the ranges are of uniformly distributed random numbers.

    Attributes
    ----------
    effects
        Names from the tables of ``foregrounds``, ``cameras`` and ``overlays``, in the order of their use.
    file
        ``fits``: a monochrome sensor; ``mosaic``: FITS of a colour sensor; ``jpg`` and ``png``: developed in colour;
        ``gray``: a developed monochrome PNG.
    widths_deg
        Width of the field (uniform in the logarithm).
    depths_mag
        Difference from the limiting magnitude that suits the width.
    fwhm_px
        Size of stars (uniform in the logarithm).
    coma_px
        Length of stars' tails in the corners.
    curvature
        Growth of stars towards the corners, as a multiple of the usual growth.
    """

    effects: tuple[str, ...] = ()
    file: str = "jpg"
    widths_deg: tuple[float, float] = (1.0, 60.0)
    depths_mag: tuple[float, float] = (-1.2, 1.0)
    fwhm_px: tuple[float, float] = (1.6, 3.5)
    coma_px: tuple[float, float] = (0.0, 0.0)
    curvature: tuple[float, float] = (1.0, 1.0)


_WIDE, _CAMERA, _NARROW = (60.0, 90.0), (8.0, 70.0), (0.4, 2.0)

KINDS: dict[str, Kind] = {
    "plain": Kind(file="fits"),
    # On the ground
    "tree": Kind(("tree",), widths_deg=_CAMERA),
    "trees and lamps": Kind(("dome", "treeline", "tree", "lamps"), widths_deg=_CAMERA),
    "roof": Kind(("roof",), widths_deg=_CAMERA),
    "town": Kind(("dome", "treeline", "lamps"), widths_deg=_CAMERA),
    "lit horizon": Kind(("dome", "treeline", "vignetted"), "gray", widths_deg=_CAMERA),
    "wires": Kind(("dome", "wires"), widths_deg=_CAMERA),
    # In the air
    "clouds": Kind(("clouds",), widths_deg=(3.0, 70.0)),
    "haze": Kind(("haze",), "fits", widths_deg=(1.0, 70.0), depths_mag=(0.0, 1.5)),
    "dew": Kind(("dew",), "fits", depths_mag=(0.0, 1.5)),
    "moon": Kind(("moon",), widths_deg=(3.0, 70.0)),
    "aurora": Kind(("aurora", "treeline"), widths_deg=(25.0, 90.0)),
    "trails": Kind(("trails",), "fits"),
    "train": Kind(("train",), "fits", widths_deg=(3.0, 60.0)),
    "aeroplane": Kind(("aeroplane",), widths_deg=(2.0, 70.0)),
    # In the sky
    "milky way": Kind(("milky way",), widths_deg=(15.0, 90.0), depths_mag=(0.0, 1.5)),
    "nebula": Kind(("nebula",), widths_deg=(0.6, 8.0), depths_mag=(0.0, 2.0)),
    "crowded": Kind(file="fits", widths_deg=(0.8, 8.0), depths_mag=(1.2, 2.5)),
    "sparse": Kind(file="gray", widths_deg=(5.0, 40.0), depths_mag=(-3.0, -1.8)),
    "narrow": Kind(file="fits", widths_deg=_NARROW, depths_mag=(-0.5, 2.0)),
    "narrow photograph": Kind(("vignetted",), widths_deg=_NARROW, depths_mag=(-0.5, 2.0)),
    "wide": Kind(widths_deg=_WIDE),
    # The lens and the mount
    "tiny stars": Kind(file="fits", fwhm_px=(0.7, 1.2)),
    "large stars": Kind(file="fits", fwhm_px=(6.0, 12.0)),
    "defocused": Kind(("defocused",), "fits"),
    "trailed": Kind(("trailed",), "fits"),
    "shaken": Kind(("shaken",), widths_deg=(5.0, 70.0)),
    "coma": Kind(file="fits", coma_px=(6.0, 25.0), widths_deg=(1.0, 70.0)),
    "curvature": Kind(file="fits", curvature=(8.0, 25.0), widths_deg=(1.0, 70.0)),
    "vignetted": Kind(("vignetted",)),
    "circle": Kind(("circle",), "gray", widths_deg=(20.0, 90.0)),
    # The sensor
    "bad columns": Kind(("bad columns",), "fits"),
    "hot pixels": Kind(("hot pixels",), "fits"),
    "amplifier": Kind(("amplifier", "hot pixels"), "fits"),
    "banding": Kind(("banding", "cosmic rays"), "fits"),
    "mosaic": Kind(file="mosaic"),
    "mosaic of tiny stars": Kind(file="mosaic", fwhm_px=(0.7, 1.4)),
    # The finished picture
    "jpeg": Kind(("jpeg",)),
    "labels": Kind(("labels",)),
    "annotated": Kind(("constellations", "labels", "circles", "caption"), "png"),
    "circles": Kind(("circles", "caption"), "png"),
    "grid": Kind(("grid", "caption"), "png", widths_deg=(2.0, 60.0)),
    "crosshair": Kind(("crosshair", "caption", "jpeg")),
    "window": Kind(("window",), "png"),
    "border": Kind(("border",), "png"),
    "crop": Kind(("crop",)),
    "reduced": Kind(("reduced",)),
    "enlarged": Kind(("enlarged",)),
    "turned": Kind(("turned", "caption"), "png"),
    "sharpened": Kind(("sharpened", "jpeg")),
    "negative": Kind(("negative",), "gray"),
    "plate": Kind(("vignetted", "scratches", "negative"), "gray", widths_deg=(1.0, 20.0)),
    # Several at once
    "telephone": Kind(("dome", "treeline", "shaken", "smoothed", "jpeg"), widths_deg=(40.0, 75.0)),
    "star tracker": Kind(("dome", "roof", "hot pixels"), "gray", widths_deg=(8.0, 30.0), depths_mag=(-2.0, 0.0)),
    "all-sky": Kind(("circle", "clouds", "moon", "hot pixels", "caption"), widths_deg=_WIDE),
    "mixed": Kind(widths_deg=(0.6, 80.0), fwhm_px=(1.0, 6.0)),
}  # fmt: skip
#: For stars that are drawn in real pictures; not among the kinds that follow one another.
PHOTOGRAPH = Kind(widths_deg=_CAMERA)
