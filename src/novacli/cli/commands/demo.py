"""``nova demo``: draw a real sky field, to try nova without an image of your own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from novacli import config as configuration
from novacli.cli.options import parse_size
from novacli.config import Config
from novacli.demo.scene import Scene, random_place
from novacli.errors import UsageError
from novacli.text.angles import parse_dec, parse_ra

if TYPE_CHECKING:
    from novacli.demo.catalogue import Catalogue
    from novacli.demo.drawing import Truth

#: Orion's belt and sword.
_BELT_RA_DEG, _BELT_DEC_DEG = 84.0, -3.0
_SUFFIXES = (".fits", ".fit", ".fts")


@click.command("demo", context_settings={"max_content_width": 100})
@click.argument("output", metavar="OUT.fits")
@click.option("--ra", metavar="RA", help="Centre: degrees, or hours as 05:36:00.  [default: Orion's belt]")
@click.option("--dec", metavar="DEC", help="Centre: degrees, or sexagesimal degrees as -03:00:00.")
@click.option(
    "--random", "is_random", is_flag=True, help="Choose a random position on the sky; the seed determines it."
)
@click.option("--width", type=float, default=10.0, show_default=True, metavar="DEG", help="Width of the field.")
@click.option("--rotate", type=float, default=0.0, metavar="DEG", help="Position angle of up, from north through east.")
@click.option("--mirror", is_flag=True, help="Mirror the image: east is to the right if north is up.")
@click.option("--size", default="1024x768", show_default=True, metavar="WxH", help="Width and height in pixels.")
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Seed of all random numbers; equal seeds give equal images.",
)
@click.option(
    "--distortion",
    type=float,
    default=0.0,
    metavar="PERCENT",
    help="Move stars in the corners outwards; negative: inwards.",
)
@click.option(
    "--limit", type=float, metavar="MAG", help="Magnitude of the faintest visible stars.  [default: depends on --width]"
)
@click.option("--clouds", type=float, default=0.0, metavar="0..1", help="Cloud cover; 1 hides nearly every star.")
@click.option("--trail/--no-trail", default=None, help="Draw a satellite trail.  [default: in one image of three]")
@click.option("--pointing", is_flag=True, help="State the centre in the header (OBJCTRA, OBJCTDEC).")
@click.option("--index", multiple=True, metavar="DIR|FILE", help="Index files to take stars from; repeatable.")
@click.option("--overwrite", is_flag=True, help="Replace OUT.fits if it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print the truth as one JSON object.")
def command(output: str, index: tuple[str, ...], overwrite: bool, as_json: bool, **raw: Any) -> None:
    """Draw a real sky field with stars, noise and flaws, as a camera would see it.

    Writes a 16-bit FITS image without world coordinates, and the true solution to OUT.fits.truth.json.
    """
    target, scene = _target(output), _scene(raw)
    from novacli.demo import writer
    from novacli.demo.drawing import draw

    writer.check_target(target, overwrite=overwrite)
    drawing = draw(scene, _catalogue(configuration.load().replaced("--index", index=index or None)))
    writer.write(drawing, scene, target, overwrite=overwrite)
    click.echo(json.dumps(drawing.truth.as_json()) if as_json else _sentence(output, drawing.truth))


def _target(output: str) -> Path:
    if not output.lower().endswith(_SUFFIXES):
        raise UsageError(f"{output}: the drawn image is a FITS file: give a name that ends in .fits")
    return Path(output)


def _scene(raw: dict[str, Any]) -> Scene:
    ra_deg, dec_deg = _center(raw)
    width_px, height_px = parse_size(raw["size"])
    return Scene(
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        width_deg=raw["width"],
        width_px=width_px,
        height_px=height_px,
        rotation_deg=raw["rotate"],
        mirrored=raw["mirror"],
        distortion_percent=raw["distortion"],
        limit_mag=raw["limit"],
        trail=raw["trail"],
        clouds=raw["clouds"],
        seed=raw["seed"],
        states_pointing=raw["pointing"],
    )


def _center(raw: dict[str, Any]) -> tuple[float, float]:
    ra, dec, is_random = raw["ra"], raw["dec"], raw["is_random"]
    if (ra is None) != (dec is None):
        raise UsageError("--ra and --dec go together: give both")
    if is_random:
        if ra is not None:
            raise UsageError("--random cannot be combined with --ra and --dec: give one or the other")
        return random_place(raw["seed"])
    return (_BELT_RA_DEG, _BELT_DEC_DEG) if ra is None else (parse_ra(ra), parse_dec(dec))


def _catalogue(config: Config) -> Catalogue:
    from novacli.demo.catalogue import Catalogue, find_index
    from novacli.indexes.places import index_places, installed_engine

    # Stars can be drawn without an engine.
    return Catalogue.open(find_index(index_places(config, installed_engine(config))))


def _sentence(output: str, truth: Truth) -> str:
    width, height = truth.size
    stars = truth.stars_catalogue + truth.stars_uncatalogued
    return (
        f"{output}: {width} x {height} pixels, {truth.width_deg:g} deg wide around RA {truth.ra:.4f}, "
        f"Dec {truth.dec:+.4f}, {stars} stars to magnitude {truth.limit_mag:.1f}; try: nova submit {output}"
    )
