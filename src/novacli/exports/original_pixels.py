"""Read a picture's pixels in the depth and colours in which they are stored.

The image that is solved is float32 and grey; a new FITS file should not lose what the picture has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from novacli.errors import DataError, NovaError, UsageError
from novacli.inputs import FileInput, open_field, registry
from novacli.inputs.opening import open_input
from novacli.inputs.source import library_path
from novacli.records.field import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from novacli.inputs.limits import Limits
    from novacli.inputs.source import Source

_PILLOW_WORDS = frozenset({"JPEG", "PNG", "GIF", "WebP", "BMP"})
_DIRECT_MODES = frozenset({"L", "RGB", "I", "F", "I;16", "I;16B", "I;16L"})
_GREY_MODES = frozenset({"1", "LA", "La"})
_PNG_DEPTH_AT = 24


def stored_pixels(path: str, limits: Limits) -> NDArray[Any]:
    """Return a picture's pixels without alpha, first stored row first, whatever EXIF says.

    Parameters
    ----------
    path
        A picture that was solved, which is therefore whole and within the limits.
    limits
        Bounds on the picture.

    Returns
    -------
    ndarray
        Shape (height, width), or (height, width, 3) for colour, in the stored type.  For formats that cannot be read
        in this way, it is the grey float32 image that was solved.

    Raises
    ------
    DataError, InputMissingError, DeniedError
        If the picture cannot be read again.
    UsageError
        If the file is a list of stars.
    """
    with open_input(FileInput(path), limits) as source:
        word = registry.choose(source).word
        try:
            pixels = _read(source, word)
        except NovaError:
            raise
        except Exception as exc:  # image libraries raise nearly anything on damaged data
            raise DataError(f"{source.shown} cannot be read again: it has changed since it was solved") from exc
    return _solved_pixels(path, limits) if pixels is None else _without_alpha(pixels)


def _read(source: Source, word: str) -> NDArray[Any] | None:
    source.file.seek(0)
    if word in _PILLOW_WORDS:
        return _by_imagecodecs(source) if _is_deep_png(source, word) else _by_pillow(source, word)
    if word == "TIFF":
        return _by_tifffile(source)
    if word == "PNM":
        from novacli.inputs import pnm

        header = pnm.read_header(source)
        values = np.concatenate([block for _, _, block in pnm.blocks(source, header)])
        return values.astype(header.dtype.newbyteorder("="))
    if word == "XISF":
        import xisf

        with library_path(source) as path:
            return np.asarray(xisf.XISF(path).read_image(0))
    return None


def _solved_pixels(path: str, limits: Limits) -> NDArray[Any]:
    field = open_field(FileInput(path), limits=limits)
    if not isinstance(field, Image):
        raise UsageError(f"{path} is a list of stars and not a picture: use --wcs for the solution alone")
    return field.pixels


def _without_alpha(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.ndim == 2:
        return pixels
    return pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, 0]


def _is_deep_png(source: Source, word: str) -> bool:
    return word == "PNG" and source.head[_PNG_DEPTH_AT] == 16


def _by_imagecodecs(source: Source) -> NDArray[Any]:
    """Return the pixels of a 16-bit PNG, whose colours Pillow would cut to 8 bits."""
    import imagecodecs

    return np.asarray(imagecodecs.png_decode(source.file.read()))


def _by_pillow(source: Source, word: str) -> NDArray[Any]:
    from PIL import Image as pillow

    # Image.open would apply its own limit on the number of pixels, which holds for the whole process.
    pillow.init()
    picture = pillow.OPEN[word.upper()][0](source.file, "")
    picture.load()
    if picture.mode not in _DIRECT_MODES:
        return np.asarray(picture.convert("L" if picture.mode in _GREY_MODES else "RGB"))
    return np.asarray(picture)


def _by_tifffile(source: Source) -> NDArray[Any] | None:
    """Return the pixels of a grey or RGB page; None for other kinds, such as palettes, CMYK and camera raw."""
    import tifffile

    plain = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.CFA)
    with tifffile.TiffFile(source.file, name=source.shown) as tiff:
        page: Any = tiff.pages[0]
        is_raw = 50706 in page.tags or (page.is_reduced and 330 in page.tags)
        if is_raw or page.photometric not in plain or page.dtype is None or page.dtype.kind not in "buif":
            return None
        samples = page.asarray()
        shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and page.samplesperpixel > 1:
            samples = np.moveaxis(samples.reshape(shape[2], *shape[:2]), 0, 2)
        return np.asarray(samples).reshape(shape)
