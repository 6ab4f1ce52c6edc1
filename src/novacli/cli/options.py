"""The options that say how to solve, shared by every command that solves, and how they become ``SolveParams``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from novacli.config import Config
from novacli.errors import UsageError
from novacli.exports.request import OutputRequest
from novacli.records.params import DEFAULT_RADIUS_DEG, Parity, Position, Scale, ScaleUnit, SolveParams
from novacli.text.angles import parse_dec, parse_ra

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_UNITS = click.Choice([u.value for u in ScaleUnit])

SOLVE_OPTIONS: tuple[Decorator, ...] = (
    click.option("-L", "--scale-low", type=float, metavar="X", help="Lower bound of the image scale."),
    click.option("-H", "--scale-high", type=float, metavar="X", help="Upper bound of the image scale."),
    click.option("-u", "--scale-units", type=_UNITS, default="degwidth", show_default=True, help="Units of the scale."),
    click.option("--scale-est", type=float, metavar="X", help="Estimated scale, with --scale-err."),
    click.option("--scale-err", type=float, metavar="PERCENT", help="Its error.  [default: 20]"),
    click.option("--ra", metavar="RA", help="Centre: degrees, or hours as 12:34:56."),
    click.option("--dec", metavar="DEC", help="Centre: degrees, or degrees as -12:34:56."),
    click.option("--radius", type=float, metavar="DEG", help=f"Search radius.  [default: {DEFAULT_RADIUS_DEG:g}]"),
    click.option(
        "--parity", type=click.Choice(["pos", "neg", "both"]), default="both", show_default=True,
        help="As in solve-field: neg finds unmirrored JPEGs, pos unmirrored FITS images.",
    ),
    click.option("--blind", is_flag=True, help="Ignore what the header says."),
    click.option("--no-learn", is_flag=True, help="Neither use nor remember what frames of this camera taught."),
    click.option("--no-fallback", is_flag=True, help="Trust the hints: no blind attempt after them."),
    click.option("--downsample", type=int, metavar="N", help="Bin the image N x N before looking for stars."),
    click.option("--tweak-order", type=int, metavar="N", help="Order of the SIP distortion, 0 for none."),
    click.option("--crpix-center", is_flag=True, help="Put the WCS reference point at the image centre."),
    click.option("--objs", type=int, metavar="N", help="Use at most the N best stars.  [default: 200]"),
    click.option("--timeout", type=float, metavar="S", help="Wall-clock seconds an image may take.  [default: 300]"),
    click.option("--ext", type=int, metavar="N", help="FITS HDU to read, counted from 0.  [default: first image]"),
    click.option("--size", metavar="WxH", help="Width and height in pixels that a star list belongs to."),
    click.option("--index", multiple=True, metavar="DIR|FILE", help="Index files to use; repeatable."),
    click.option("--engine-config", metavar="FILE", help="The engine's configuration, which names index files."),
)  # fmt: skip


OUTPUT_OPTIONS: tuple[Decorator, ...] = (
    click.option("--wcs", metavar="FILE", help="Copy the solution's header there."),
    click.option("--corr", metavar="FILE", help="Copy the table of matched stars there."),
    click.option("--rdls", metavar="FILE", help="Copy the table of the index's stars in the field there."),
    click.option("--axy", metavar="FILE", help="Copy the star list that was solved there."),
    click.option("--new-fits", metavar="FILE", help="Write the image there, with the solution in its header."),
    click.option("--update", is_flag=True, help="Put the solution into the FITS image's own header."),
)


def build_outputs(raw: dict[str, Any]) -> OutputRequest:
    """Return which outputs the options ask for."""
    paths = {name: as_path(raw[name]) for name in ("wcs", "corr", "rdls", "axy", "new_fits")}
    return OutputRequest(**paths, update=raw["update"])


def with_options(options: Sequence[Decorator]) -> Decorator:
    """Return a decorator that adds ``options`` to a command, in that order."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def build_config(config: Config, raw: dict[str, Any]) -> Config:
    """Return the settings with those that the options replace."""
    return (
        config.replaced("--index", index=tuple(raw["index"]) or None)
        .replaced("--engine-config", engine_config=as_path(raw["engine_config"]))
        .replaced("--timeout", timeout_s=raw["timeout"])
        .replaced("--no-learn", learn=False if raw["no_learn"] else None)
    )


def as_path(text: str | None) -> Path | None:
    """Return an option's text as a path."""
    return None if text is None else Path(text)


def build_params(raw: dict[str, Any], config: Config) -> SolveParams:
    """Return the checked parameters of a solve.

    Raises
    ------
    UsageError
        Where options contradict each other, or a value is out of range.
    """
    defaults = SolveParams()
    return SolveParams(
        scale=_scale(raw),
        position=_position(raw),
        parity=Parity.from_word(raw["parity"]),
        blind=raw["blind"],
        fallback=not raw["no_fallback"],
        downsample=raw["downsample"],
        tweak_order=defaults.tweak_order if raw["tweak_order"] is None else raw["tweak_order"],
        crpix_center=raw["crpix_center"],
        max_stars=raw["objs"],
        timeout_s=config["timeout_s"],
        hdu=raw["ext"],
        size=None if raw["size"] is None else parse_size(raw["size"]),
    )


def _scale(raw: dict[str, Any]) -> Scale | None:
    low, high, estimate, error = (raw[k] for k in ("scale_low", "scale_high", "scale_est", "scale_err"))
    unit = ScaleUnit(raw["scale_units"])
    if estimate is not None:
        if low is not None or high is not None:
            raise UsageError("--scale-est cannot go with --scale-low or --scale-high: give one or the other")
        return Scale.from_estimate(estimate, 20.0 if error is None else error, unit)
    if error is not None:
        raise UsageError("--scale-err needs --scale-est")
    return None if low is None and high is None else Scale(low, high, unit)


def _position(raw: dict[str, Any]) -> Position | None:
    ra, dec, radius = raw["ra"], raw["dec"], raw["radius"]
    if ra is None and dec is None:
        if radius is not None:
            raise UsageError("--radius needs --ra and --dec")
        return None
    if ra is None or dec is None:
        raise UsageError("--ra and --dec go together: give both")
    return Position(parse_ra(ra), parse_dec(dec), DEFAULT_RADIUS_DEG if radius is None else radius)


def parse_size(text: str) -> tuple[int, int]:
    """Return (width, height) in pixels of a text such as ``1024x768``.

    Raises
    ------
    UsageError
        Where it is not of that form, or a side is zero.
    """
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text.strip().lower(), re.ASCII)
    if match is None or not int(match[1]) or not int(match[2]):
        raise UsageError(f"size {text!r} is not understood: give it as 1024x768")
    return int(match[1]), int(match[2])
