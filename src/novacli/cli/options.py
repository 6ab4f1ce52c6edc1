"""Options that several commands share: how to solve and what to write, and the records that they become."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from novacli.config import Config
from novacli.errors import UsageError
from novacli.exports.registry import Export, all_exports, export_named
from novacli.records.params import DEFAULT_RADIUS_DEG, Position, Scale, ScaleUnit, SolveParams
from novacli.records.parity import Parity
from novacli.text.angles import parse_dec, parse_ra

if TYPE_CHECKING:
    from novacli.exports.request import OutputRequest

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

#: In place of a file name: do not write this file, as in solve-field.
_NO_FILE = "none"
_MAX_SIDE = 999_999
_UNITS = click.Choice([u.value for u in ScaleUnit])


def _refuse_depth(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """End with a usage error if solve-field's --depth is given: each attempt has its own depths."""
    del param
    if value is not None:
        raise click.UsageError(
            "--depth is not supported, because each attempt has its own depth: limit the stars with --objs", ctx
        )


SOLVE_OPTIONS: tuple[Decorator, ...] = (
    click.option("-L", "--scale-low", type=float, metavar="X", help="Lower bound of the image scale."),
    click.option("-H", "--scale-high", type=float, metavar="X", help="Upper bound of the image scale."),
    click.option("-u", "--scale-units", type=_UNITS, default="degwidth", show_default=True, help="Units of the scale."),
    click.option("--scale-est", type=float, metavar="X", help="Estimated scale, with --scale-err."),
    click.option("--scale-err", type=float, metavar="PERCENT", help="Error of --scale-est.  [default: 20]"),
    click.option("-3", "--ra", metavar="RA", help="Centre: degrees, or hours as 12:34:56."),
    click.option("-4", "--dec", metavar="DEC", help="Centre: degrees, or degrees as -12:34:56."),
    click.option("-5", "--radius", type=float, metavar="DEG",
                 help=f"Search radius.  [default: {DEFAULT_RADIUS_DEG:g}]"),
    click.option(
        "--parity", type=click.Choice(["pos", "neg", "both"]), default="both", show_default=True,
        help="As in solve-field: neg finds unmirrored JPEGs, pos unmirrored FITS images.",
    ),
    click.option("--blind", is_flag=True, help="Ignore the header."),
    click.option("--no-learn", is_flag=True, help="Use no hints from earlier frames of the camera, and store none."),
    click.option("--no-fallback", is_flag=True, help="Make no blind attempt after the hints have failed."),
    click.option("-z", "--downsample", type=int, metavar="N", help="Bin the image N x N before looking for stars."),
    click.option("-t", "--tweak-order", type=int, metavar="N", help="Order of the SIP distortion, 0 for none."),
    click.option("--crpix-center", is_flag=True, help="Put the WCS reference point at the image centre."),
    click.option("--objs", type=int, metavar="N", help="Use at most the N best stars.  [default: 200]"),
    click.option("-l", "--timeout", "--cpulimit", "timeout", type=float, metavar="S",
                 help="Wall-clock seconds an image may take.  [default: 300]"),
    click.option("--ext", type=int, metavar="N", help="FITS HDU to read, counted from 0.  [default: first image]"),
    click.option("--invert/--no-invert", default=None,
                 help="The image is a negative, with dark stars, or is not.  [default: find out]"),
    click.option("--size", metavar="WxH", help="Width and height in pixels of the image of a star list."),
    click.option("--width", type=click.IntRange(1, _MAX_SIDE), metavar="W", help="Width of the image, with --height."),
    click.option("--height", type=click.IntRange(1, _MAX_SIDE), metavar="H", help="Height of the image, with --width."),
    click.option("-d", "--depth", metavar="N", hidden=True, callback=_refuse_depth, expose_value=False),
    click.option("--index", multiple=True, metavar="DIR|FILE", help="Index files to use; repeatable."),
    click.option("--engine-config", metavar="FILE", help="The engine's configuration, which names index files."),
)  # fmt: skip


def _export_option(export: Export) -> Decorator:
    names = [export.option, export.name] if export.short is None else [export.short, export.option, export.name]
    return click.option(*names, metavar="FILE", help=f"Write {export.help} to FILE.")


OUTPUT_OPTIONS: tuple[Decorator, ...] = (
    *map(_export_option, all_exports()),
    click.option("--update", is_flag=True, help="Put the solution into the FITS image's own header."),
    click.option("-D", "--dir", "out_dir", metavar="DIR", help="Write all files above to DIR, named after the image."),
    click.option("-o", "--out", "out_base", metavar="NAME", help="Write all files above, named NAME.wcs and so on."),
    click.option("-O", "--overwrite", is_flag=True, help="Replace output files that exist; never an image to solve."),
    click.option("-p", "--no-plots", is_flag=True, help="Ignored; solve-field has it."),
)


def build_outputs(raw: dict[str, Any], inputs: Sequence[str]) -> list[OutputRequest]:
    """Return the outputs that the options ask for, one request for each input.

    Raises
    ------
    UsageError
        If an option names one file for several inputs.
    """
    from novacli.exports.naming import standard_files
    from novacli.exports.request import OutputRequest
    from novacli.inputs.kinds import parse_input

    exports = all_exports()
    named = {e.name: Path(raw[e.name]) for e in exports if raw[e.name] not in (None, _NO_FILE)}
    if len(inputs) > 1:
        for option in [*(export_named(n).option for n in named), *(["--out"] if raw["out_base"] is not None else [])]:
            raise UsageError(
                f"{option} names one file for {len(inputs)} inputs: solve them one by one, or use --dir or --update"
            )
    standard: tuple[Export, ...] = ()
    if raw["out_dir"] is not None or raw["out_base"] is not None:
        standard = tuple(e for e in exports if e.is_standard and raw[e.name] is None)
    directory = as_path(raw["out_dir"])
    return [
        OutputRequest(
            files={**standard_files(parse_input(name), standard, directory, raw["out_base"]), **named},
            optional=frozenset(export.name for export in standard),
            update=raw["update"],
            overwrite=raw["overwrite"],
        )
        for name in inputs
    ]


def with_options(options: Sequence[Decorator]) -> Decorator:
    """Return a decorator that adds ``options`` to a command, in this order."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def build_config(config: Config, raw: dict[str, Any]) -> Config:
    """Return the settings, with the values of the options in place of configured ones."""
    return (
        config.replaced("--index", index=tuple(raw["index"]) or None)
        .replaced("--engine-config", engine_config=as_path(raw["engine_config"]))
        .replaced("--timeout", timeout_s=raw["timeout"])
        .replaced("--no-learn", learn=False if raw["no_learn"] else None)
    )


def as_path(text: str | None) -> Path | None:
    """Return an option's text as a path; None for an option that was not given."""
    return None if text is None else Path(text)


def build_params(raw: dict[str, Any], config: Config) -> SolveParams:
    """Return the checked parameters of a solve.

    Raises
    ------
    UsageError
        If options contradict each other, or a value is out of range.
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
        # Absolute, since nova retry may be called from another folder.
        indexes=tuple(os.path.abspath(path) for path in raw["index"]),  # noqa: PTH100 - may hold any bytes
        engine_config=None if raw["engine_config"] is None else os.path.abspath(raw["engine_config"]),  # noqa: PTH100
        size=_size(raw),
        invert=raw["invert"],
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


def _size(raw: dict[str, Any]) -> tuple[int, int] | None:
    text, width, height = raw["size"], raw["width"], raw["height"]
    if width is None and height is None:
        return None if text is None else parse_size(text)
    if text is not None:
        raise UsageError("--size cannot go with --width and --height: give one or the other")
    if width is None or height is None:
        raise UsageError("--width and --height go together: give both")
    return int(width), int(height)


def parse_size(text: str) -> tuple[int, int]:
    """Return width and height in pixels from a text such as ``1024x768``.

    Raises
    ------
    UsageError
        If the text has another form, or a side is zero.
    """
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text.strip().lower(), re.ASCII)
    if match is None or not int(match[1]) or not int(match[2]):
        raise UsageError(f"size {text!r} is not understood: give it as 1024x768")
    return int(match[1]), int(match[2])
