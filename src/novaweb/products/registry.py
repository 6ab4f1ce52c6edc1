"""The list of products: their addresses, names and types.  A new product is a line here."""

from __future__ import annotations

from solvehost.record import record

_JPEG, _FITS, _JSON, _SVG = "image/jpeg", "application/fits", "application/json", "image/svg+xml"
#: The product of several files; see :mod:`novacli.pictures.album`.
ALBUM = "album"


@record
class Product:
    """A file that is made of a solved job.

    Attributes
    ----------
    maker
        What makes it, and for what: ``album``, or ``plot`` or ``export`` with the name of a picture or an export.
    file
        The name of the file in the folder of the products of a job.
    content_type
        Its type.
    saved_name
        The name under which a browser saves it; None to show it.
    longer_side
        The longer side of a picture in pixels; None for the image's own size.
    """

    maker: tuple[str, str]
    file: str
    content_type: str
    saved_name: str | None = None
    longer_side: int | None = None


def _of_album(file: str, content_type: str) -> Product:
    return Product((ALBUM, ""), file, content_type)


def _plot(picture: str, file: str, longer_side: int | None = 1024) -> Product:
    return Product(("plot", picture), file, _JPEG, longer_side=longer_side)


def _export(name: str, saved_name: str, content_type: str = "text/plain; charset=utf-8") -> Product:
    return Product(("export", name), saved_name, content_type, saved_name)


#: Address → product.  Upstream's names are kept where it has such a file.
PRODUCTS = {
    "display": _of_album("display.jpg", _JPEG),
    "thumbnail": _of_album("thumbnail.jpg", _JPEG),
    "layer_grid": _of_album("layer-grid.svg", _SVG),
    "layer_constellations": _of_album("layer-constellations.svg", _SVG),
    "layer_stars": _of_album("layer-stars.svg", _SVG),
    "layer_objects": _of_album("layer-objects.svg", _SVG),
    "layer_matches": _of_album("layer-matches.svg", _SVG),
    "view": _of_album("view.json", _JSON),
    "annotated_display": _plot("annotated", "annotated.jpg"),
    "annotated_full": _plot("annotated", "annotated-full.jpg", None),
    "red_green_image_display": _plot("match", "match.jpg"),
    "red_green_image_full": _plot("match", "match-full.jpg", None),
    "extraction_image_display": _plot("stars", "stars.jpg"),
    "extraction_image_full": _plot("stars", "stars-full.jpg", None),
    "sky_plot": _plot("sky", "sky.jpg"),
    "distortion_plot": _plot("distortion", "distortion.jpg"),
    "new_fits_file": _export("new_fits", "new-image.fits", _FITS),
    "tpv_file": _export("tpv", "tpv.fits", _FITS),
    "head_file": _export("head", "wcs.head"),
    "ds9_file": _export("ds9", "stars.reg"),
    "ecsv_file": _export("ecsv", "stars.ecsv"),
    "csv_file": _export("csv", "stars.csv", "text/csv; charset=utf-8"),
    "stcs_file": _export("stcs", "footprint.stcs"),
    "stellarium_file": _export("stellarium", "textures.json", _JSON),
    "astap_file": _export("astap", "astap.ini"),
    "wtml_file": _export("wtml", "place.wtml", "application/xml"),
    "objects_file": _export("objects", "objects.csv", "text/csv; charset=utf-8"),
}
#: The objects of the album, which the API and the pages read.
OBJECTS = _of_album("objects.json", _JSON)
