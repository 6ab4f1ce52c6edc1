"""``nova index``: which index files are installed, whether they are whole, which are needed, and get them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from novacli import config as configuration
from novacli.errors import DataError, InputMissingError, UsageError
from novacli.text.printable import printable_line

if TYPE_CHECKING:
    from novacli.indexes.field_size import FieldSize
    from solvehost.indexes.index_set import IndexSet


@click.group("index")
def command() -> None:
    """List, verify and get the engine's index files."""


def _installed(config: configuration.Config) -> IndexSet:
    """Return the index files that solves on this machine use."""
    from novacli.indexes.places import index_places, installed_engine
    from solvehost.indexes import index_set

    return index_set.scan(index_places(config, installed_engine(config)))


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each file.")
def list_(as_json: bool) -> int:
    """List the installed index files: series, scales, part of the sky, size, and those that are damaged."""
    from novacli.reports import index_files

    found = _installed(configuration.load())
    if as_json:
        objects = [index_files.file_to_json(file) for file in found.files]
        objects += [index_files.damaged_to_json(path, reason) for path, reason in found.damaged]
        for value in objects:
            click.echo(json.dumps(value))
        return 0
    index_files.write_list(found, sys.stdout)
    if not found.files:
        searched = ", ".join(map(str, found.searched)) or "no folder is named"
        click.echo(f"nova: there are no index files: {printable_line(searched)}: see nova index recommend", err=True)
    return 0


@command.command("verify")
@click.argument("places", metavar="[FILE|DIR]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each file.")
def verify(places: tuple[str, ...], as_json: bool) -> int:
    """Read index files whole, and name those that are damaged or have the name of another.

    Without FILE or DIR, all files that solves use are read.  Exit code: 0 all are whole, 65 some are not.
    """
    from novacli.cli.progress import progress
    from novacli.indexes.inspection import inspect
    from novacli.indexes.places import index_places, installed_engine
    from novacli.reports.index_files import inspection_to_json

    config = configuration.load()
    for place in places:
        if not Path(place).exists():
            raise InputMissingError(f"{printable_line(place)}: there is no such file or folder: see nova index list")
    chosen = tuple(map(Path, places)) or index_places(config, installed_engine(config))
    damaged = count = 0
    outcomes = inspect(chosen)
    while True:
        with progress(verbose=False) as observe:
            observe(f"verifying: {count} files read")
            outcome = next(outcomes, None)
        if outcome is None:
            break
        count += 1
        damaged += outcome.problem is not None
        if as_json:
            click.echo(json.dumps(inspection_to_json(outcome.path, outcome.problem, outcome.proofs)))
            continue
        proofs = f" (checksum of {', '.join(outcome.proofs)})" if outcome.proofs else ""
        state = f"whole{proofs}" if outcome.problem is None else f"DAMAGED: {outcome.problem}"
        click.echo(printable_line(f"{outcome.path}: {state}"))
    if not count:
        raise InputMissingError(f"there are no index files in {', '.join(map(str, chosen)) or 'any folder'}")
    return DataError.exit_code if damaged else 0


@command.command("recommend")
@click.argument("image", metavar="[IMAGE]", required=False)
@click.option("--fov", metavar="SIZE", help="Size of the field: 1.5deg, 90arcmin, 1.5x1deg.")
@click.option("--rig", "rig", metavar="RIG", help="A camera of nova rigs list, or last.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each scale.")
def recommend(image: str | None, fov: str | None, rig: str | None, as_json: bool) -> int:
    """Show which index files a field needs, how large they are, and how to get those that are missing.

    The size of the field is given by --fov, by the header of IMAGE, or by what solved frames taught about a camera.
    """
    from novacli.indexes import recommendation
    from novacli.reports import index_files

    config = configuration.load()
    size = _field_size(config, image, fov, rig)
    found = recommendation.recommend(size.width_deg, size.height_deg, _installed(config).files)
    if as_json:
        for one in found:
            click.echo(json.dumps(index_files.recommendation_to_json(one)))
        return 0
    click.echo(f"For a field of {size.text}:")
    index_files.write_recommendations(found, sys.stdout)
    if not found:
        click.echo("nova: no published index file has quads that fit into this field", err=True)
    return 0


def _field_size(config: configuration.Config, image: str | None, fov: str | None, rig: str | None) -> FieldSize:
    from novacli.indexes.field_size import parse_field_size

    if [image, fov, rig].count(None) != 2:
        raise UsageError("give the size of the field by one of --fov, an image and --rig")
    if fov is not None:
        return parse_field_size(fov)
    return _size_of_image(image) if image is not None else _size_of_rig(config, rig or "")


def _size_of_rig(config: configuration.Config, name: str) -> FieldSize:
    """Return the field of a rig, named by the beginning of its id, or of the one that was used last."""
    from novacli.indexes.field_size import FieldSize
    from novacli.rigs.store import RigStore

    known = RigStore(config.folders.rigs_file).all()
    matches = known[:1] if name == "last" else [one for one in known if one.key.startswith(name)]
    if len(matches) != 1:
        what = "there is no rig" if not matches else "several rigs are called"
        raise InputMissingError(f"{what} {name[:32]!r}: see nova rigs list")
    found = matches[0]
    return FieldSize.of_pixels(found.width, found.height, found.pixscale_arcsec)


def _size_of_image(name: str) -> FieldSize:
    """Return the field of an image by the scale in its header."""
    from novacli import hints
    from novacli.indexes.field_size import FieldSize
    from novacli.inputs import FileInput, open_field

    field = open_field(FileInput(name))
    scales = hints.from_header(field.header, field.width, field.height).scales
    if not scales:
        raise UsageError(f"{printable_line(name)}: its header has no scale: give the size of the field by --fov")
    middle = (scales[0].low_arcsec_per_pixel + scales[0].high_arcsec_per_pixel) / 2
    return FieldSize.of_pixels(field.width, field.height, middle)
