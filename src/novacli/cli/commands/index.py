"""``nova index``: which index files are installed, whether they are whole, which are needed, and get them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from novacli import config as configuration
from novacli.errors import DataError, InputMissingError, OutputError, UsageError, worst_exit_code
from novacli.indexes.series import SERIES
from novacli.text.printable import printable_line
from novacli.text.quantities import bytes_text, count_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from novacli.indexes.field_size import FieldSize
    from novacli.indexes.series import SeriesFile
    from solvehost.indexes.index_set import IndexSet

#: Radius of --near without --radius, degrees.
_NEAR_RADIUS_DEG = 5.0
#: Downloads above this need the scales to be stated.
_MUCH_BYTES = 2 * 10**9


@click.group("index")
def command() -> None:
    """List, verify, get and build the engine's index files."""


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


@command.command("get", context_settings={"max_content_width": 100})
@click.argument("series", type=click.Choice(list(SERIES)), metavar="SERIES")
@click.option("--scales", "scales_text", metavar="N,N-N", help="Scales to get, such as 5,6 or 7-10, or all.")
@click.option("--near", "near_text", metavar="RA,DEC", help="Only tiles that reach into a circle around this place.")
@click.option("--radius", type=float, metavar="DEG", help="Radius of that circle.  [default: 5]")
@click.option("--dir", "directory", metavar="DIR", help="Folder for the files.  [default: one that nova searches]")
@click.option("--url", metavar="MIRROR", help="Address of a folder with the same files on another server.")
@click.option("--connections", type=click.IntRange(1, 3), default=2, show_default=True, help="Downloads at a time.")
@click.option("--dry-run", is_flag=True, help="Only list the files that would be downloaded.")
@click.option("-O", "--overwrite", is_flag=True, help="Download files again that are there but damaged.")
def get(
    series: str, scales_text: str | None, near_text: str | None, radius: float | None, directory: str | None,
    url: str | None, connections: int, dry_run: bool, overwrite: bool,
) -> int:  # fmt: skip
    """Download the index files of a series; the same call goes on where an earlier one was interrupted.

    SERIES is 4100 (Tycho-2, fields above 1 degree), 5200 (Gaia DR2, below), 5200-heavy, 4200 (2MASS), 5000, 6000 or
    6100 (GALEX).  Each file is checked before it takes its name, and files that are there are kept.
    """
    from novacli.indexes.places import own_folder

    config = configuration.load()
    folder = own_folder(config) if directory is None else Path(directory)
    files = _chosen_files(series, scales_text, near_text, radius)
    missing = [file for file in files if not _is_there(folder / file.name, overwrite=overwrite)]
    size = bytes_text(sum(file.size_bytes for file in missing))
    if dry_run:
        for file in missing:
            click.echo(f"{file.name}  {bytes_text(file.size_bytes)}")
    if dry_run or not missing:
        click.echo(f"nova: {count_text(len(missing), 'file')} of {len(files)} to download, about {size}", err=True)
        return 0
    _check_amount(series, missing, scales_text)
    _warn_of_duplicates(missing, folder, config)
    try:
        return _download(missing, url or SERIES[series].url, folder, connections, config)
    except KeyboardInterrupt:
        click.echo("nova: interrupted: the same call goes on where this one stopped", err=True)
        return 130


def _chosen_files(
    series: str, scales_text: str | None, near_text: str | None, radius: float | None
) -> list[SeriesFile]:
    """Return the files of a series that the options choose."""
    from novacli.indexes.choice import ALL, near, parse_scales
    from novacli.records.params import Position
    from novacli.text.angles import parse_dec, parse_ra

    files = SERIES[series].files(parse_scales(scales_text or ALL))
    if near_text is None:
        if radius is not None:
            raise UsageError("--radius needs --near")
        return files
    ra, comma, dec = near_text.partition(",")
    if not comma:
        raise UsageError(f"the place {near_text!r} is not understood: give --near RA,DEC, such as 83.6,-5.4")
    return near(files, Position(parse_ra(ra), parse_dec(dec), _NEAR_RADIUS_DEG if radius is None else radius))


def _is_there(path: Path, *, overwrite: bool) -> bool:
    """Return True if an index file is there and loads; raise if something else is, unless it may be replaced."""
    from solvehost.indexes.index_file import read_index

    if not path.exists():
        return False
    try:
        read_index(path)
    except (DataError, OSError, KeyError, ValueError, TypeError) as exc:
        if overwrite and path.is_file():
            return False
        raise OutputError(
            f"{path} is there, but is no whole index file ({exc}): remove it, or give --overwrite"
        ) from exc
    return True


def _check_amount(series: str, files: Sequence[SeriesFile], scales_text: str | None) -> None:
    """Raise if the scales are not stated and the files are so large that this is probably a mistake."""
    total_bytes = sum(file.size_bytes for file in files)
    if scales_text is None and total_bytes > _MUCH_BYTES:
        raise UsageError(
            f"all scales of series {series} take {bytes_text(total_bytes)}: name those that you need by --scales (see "
            "nova index recommend), or give --scales all"
        )


def _warn_of_duplicates(files: Sequence[SeriesFile], folder: Path, config: configuration.Config) -> None:
    """Print a remark if other folders have index files with the same quads for the whole sky."""
    from novacli.indexes.recommendation import covers_sky
    from novacli.indexes.series import QUADS_ARCMIN

    others = [file for file in _installed(config).files if file.path.parent != folder.absolute()]
    scales = [n for n in sorted({file.scale for file in files}) if covers_sky(QUADS_ARCMIN[n], others)]
    if scales:
        shown = ", ".join(f"{n:02d}" for n in scales)
        click.echo(
            f"nova: other index files have the quads of scale {shown} already: a second set slows searches", err=True
        )


def _download(
    files: Sequence[SeriesFile], url: str, folder: Path, connections: int, config: configuration.Config
) -> int:
    """Download files with a bar on a terminal, and a line for each file that is done."""
    from novacli.cli.download_bar import DownloadBar
    from novacli.indexes.download import check_room, fetch

    check_room(files, folder)
    codes = []
    with DownloadBar(sum(file.size_bytes for file in files)) as bar:
        for done in fetch(files, url, folder, connections, bar.update):
            if done.error is None:
                bar.print_line(f"{done.path}: {bytes_text(done.path.stat().st_size)}")
            else:
                bar.print_line(f"nova: {printable_line(str(done.error))}", is_error=True)
                codes.append(done.error.exit_code)
    _tell_if_not_searched(folder, config)
    return worst_exit_code(codes)


def _tell_if_not_searched(folder: Path, config: configuration.Config) -> None:
    """Print how to use the files of a folder if solves do not look into it."""
    from novacli.indexes.places import index_places, installed_engine

    if folder.resolve() not in [place.resolve() for place in index_places(config, installed_engine(config))]:
        click.echo(f"nova: {folder} is not searched by itself: give --index {folder}, or set index", err=True)


@command.command("build", context_settings={"max_content_width": 100})
@click.argument("catalogue", metavar="CATALOG")
@click.option(
    "--scales", "scales_text", required=True, metavar="N,N-N", help="Scales to build: see nova index recommend."
)
@click.option("--ra", metavar="COLUMN", help="Column of right ascension, degrees.  [default: a usual name]")
@click.option("--dec", metavar="COLUMN", help="Column of declination, degrees.  [default: a usual name]")
@click.option("--mag", metavar="COLUMN", help="Column of magnitudes.  [default: a usual name]")
@click.option("--dir", "directory", metavar="DIR", help="Folder for the files.  [default: one that nova searches]")
@click.option("-O", "--overwrite", is_flag=True, help="Replace files that exist.")
def build(
    catalogue: str, scales_text: str, ra: str | None, dec: str | None, mag: str | None, directory: str | None,
    overwrite: bool,
) -> int:  # fmt: skip
    """Build index files from your own catalogue of stars, a FITS table, by the engine's build-astrometry-index."""
    from novacli.cli.progress import progress
    from novacli.indexes import building
    from novacli.indexes.choice import parse_scales
    from novacli.indexes.places import installed_engine, own_folder

    config = configuration.load()
    scales = parse_scales(scales_text)
    if scales is None:
        raise UsageError("a catalogue is not built for all scales: name those that your fields need")
    builder = building.find_builder(installed_engine(config))
    table = building.read_catalogue(Path(catalogue), ra, dec, mag)
    folder = own_folder(config) if directory is None else Path(directory)
    targets = {scale: building.target_of(table, folder, scale) for scale in scales}
    _prepare_folder(folder, targets.values(), overwrite=overwrite)
    for scale, target in targets.items():
        with progress(verbose=False) as observe:
            observe(f"building scale {scale} of {printable_line(catalogue)}")
            quads = building.build(builder, table, scale, target)
        click.echo(f"{printable_line(str(target))}: {count_text(quads, 'quad')}, {bytes_text(target.stat().st_size)}")
    _tell_if_not_searched(folder, config)
    return 0


def _prepare_folder(folder: Path, targets: Iterable[Path], *, overwrite: bool) -> None:
    """Make a folder, and raise if a file exists in it that may not be replaced."""
    from novacli.files.atomic import as_output_error

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise as_output_error(folder, exc) from exc
    there = next((target for target in targets if target.exists()), None)
    if there is not None and not overwrite:
        raise OutputError(f"{there}: the file exists already: give another --dir, or --overwrite to replace it")
