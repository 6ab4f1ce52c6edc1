"""Make a product, in the child process: only here are uploads and results parsed for the web service."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from novacli.errors import NovaError
from novacli.exports.registry import SolvedField
from novaweb.products.registry import ALBUM, Product
from solvehost.formats.jobdir import JobDir

#: Pictures of the image's own size are at most this large.
_LARGEST_SIDE = 6000


def make(product: Product, job_path: str, image_path: str, folder: str) -> str:
    """Make a product.

    Parameters
    ----------
    product
        The product.
    job_path
        The job directory of a solved job.
    image_path
        The image, or the star list, that was uploaded.
    folder
        The folder for the file; the files of an album are made together.

    Returns
    -------
    str
        Empty, or why the product cannot be made.
    """
    from novacli.exports.kept_job import solved_field
    from novacli.jobs.summaries import read_result

    target = Path(folder)
    try:
        target.mkdir(mode=0o700, exist_ok=True)
        field = solved_field(JobDir(Path(job_path)), Path(image_path))
        created = read_result(field.job).created
        with tempfile.TemporaryDirectory(dir=target, prefix=".") as scratch:
            _MAKERS[product.maker[0]](product, field, created, Path(scratch))
            for path in Path(scratch).iterdir():
                path.rename(target / path.name)
    except NovaError as exc:
        return str(exc)
    except OSError as exc:
        return f"the file cannot be written: {exc.strerror}"
    return ""


def _album(product: Product, field: SolvedField, created: str | None, scratch: Path) -> None:
    del product
    from novacli.pictures.album import write_album

    write_album(field, created, scratch)


def _plot(product: Product, field: SolvedField, created: str | None, scratch: Path) -> None:
    from novacli.pictures.plotting import PlotOptions, plot
    from novacli.pictures.registry import all_pictures

    solution = field.solution.tan_sip
    longer_side = product.longer_side or min(_LARGEST_SIDE, max(solution.width, solution.height))
    width = max(1, round(solution.width * longer_side / max(solution.width, solution.height)))
    (picture,) = (picture for picture in all_pictures() if picture.name == product.maker[1])
    plot(picture, field, PlotOptions(width, is_stretched=True, date=None, created=created), scratch / product.file)


def _export(product: Product, field: SolvedField, created: str | None, scratch: Path) -> None:
    del created
    from novacli.exports.registry import export_named

    export = export_named(product.maker[1])
    export.check_package()
    export.write(field, scratch / product.file)


_MAKERS: dict[str, Callable[[Product, SolvedField, str | None, Path], None]] = {
    ALBUM: _album,
    "plot": _plot,
    "export": _export,
}
