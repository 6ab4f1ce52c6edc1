"""FITS → ``Image`` or ``StarList``, by fitsio, a block of rows at a time.

CFITSIO gets ``/dev/fd/N`` instead of the user's file name, since it would interpret brackets and exclamation marks.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import fitsio
import numpy as np

from novacli.errors import DataError
from novacli.inputs import headers
from novacli.inputs.pixels import Block, assemble, row_blocks
from novacli.inputs.source import CHUNK_BYTES, full_disk, library_path, temporary_file
from novacli.records.field import Field, HeaderValue, Image, StarList
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from novacli.inputs import starlist
    from novacli.inputs.source import ReadOptions, Source

FITS_BLOCK_BYTES = 2880
#: BITPIX of 16-bit pixels, and their BZERO if they are unsigned.
_SHORT_IMG, _ZERO_OF_UNSIGNED = 16, 32768
# These patterns are compiled when they are used, since a plain image needs none of them.
#: Cards that describe how the data are stored, not what they show.
_STRUCTURE = r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|EXTEND|EXTNAME|EXTVER|BSCALE|BZERO|BLANK|CHECKSUM|DATASUM"
#: Cards of the table that holds a tile-compressed image.  Source: FITS standard 4.0, section 10.
_TILE_TABLE = (
    r"XTENSION|PCOUNT|GCOUNT|T(FIELDS|TYPE\d+|FORM\d+|UNIT\d+|DIM\d+)|NAXIS\d*|BITPIX"
    r"|Z(IMAGE|SIMPLE|TENSION|EXTEND|BITPIX|NAXIS\d*|TILE\d+|CMPTYPE|NAME\d+|VAL\d+|MASKCMP|QUANTIZ|DITHER0"
    r"|BLOCKED|PCOUNT|GCOUNT|HECKSUM|DATASUM|BLANK)"
)
#: A world coordinate system belongs to the pixels of its own HDU; it is not inherited from the primary header.
_WCS = (
    r"(WCSAXES|WCSNAME|RADESYS|EQUINOX|LONPOLE|LATPOLE)[A-Z]?|(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA)\d[A-Z]?"
    r"|(CD|PC|PV|PS)\d+_\d+[A-Z]?|(A|B|AP|BP)_(ORDER|\d_\d)"
)
_COLOUR_PLANES = (3, 4)


@record
class _Layout:
    """How to read an HDU's array, shape ``dims`` with the fastest axis last, as rows of pixels.

    Of the first ``leading`` axes only element 0 is read.  Among the others, ``colour_axis`` is 0 for colour planes, 2
    for interleaved colours, and None for a monochrome image.
    """

    dims: tuple[int, ...]
    leading: int
    colour_axis: int | None

    @property
    def core(self) -> tuple[int, ...]:
        return self.dims[self.leading :]

    @property
    def height(self) -> int:
        return self.core[1 if self.colour_axis == 0 else 0]

    @property
    def width(self) -> int:
        return self.core[2 if self.colour_axis == 0 else 1]

    @property
    def note(self) -> tuple[str, ...]:
        if self.colour_axis == 0:
            return (f"averaged {self.core[0]} colour planes",)
        if self.colour_axis == 2:
            return (f"averaged {self.core[2]} interleaved colour channels",)
        planes = int(np.prod(self.dims[: self.leading]))
        return (f"read the first of {planes} planes",) if planes > 1 else ()


def read(source: Source, options: ReadOptions) -> Field:
    """Return the first HDU that holds an image (or HDU ``options.hdu``), else the first table of stars.

    Raises
    ------
    DataError
        The file is truncated or damaged, or it (or the HDU of ``options``) holds neither an image nor stars.
    """
    with _padded(source) as whole, library_path(whole) as path, _opened(path, source) as hdus:
        hdu = _chosen(hdus, source, options)
        try:
            if _layout(hdu) is not None:
                image = _image(hdu, hdus[0], whole, options)
                return image if options.hdu is not None else replace(image, notes=(*image.notes, *_others(hdus, hdu)))
            return _star_list(hdu, hdus, whole, options)
        except (OSError, ValueError, RuntimeError) as exc:
            raise _damaged(source, exc) from exc


@contextlib.contextmanager
def _padded(source: Source) -> Iterator[Source]:
    """Yield ``source``, or a copy padded to a whole block, since CFITSIO does not read pixels of an incomplete one."""
    missing = -source.size_bytes % FITS_BLOCK_BYTES
    if not missing:
        yield source
        return
    with temporary_file() as copy:
        try:
            source.file.seek(0)
            shutil.copyfileobj(source.file, copy, CHUNK_BYTES)
            copy.write(bytes(missing))
            copy.flush()
        except OSError as exc:
            raise full_disk(source.shown, exc) from exc
        # size_bytes stays that of the real file, by which missing pixels are detected.
        yield replace(source, file=copy)


@contextlib.contextmanager
def _opened(path: str, source: Source) -> Iterator[Any]:
    try:
        hdus = fitsio.FITS(path)
        if len(hdus) == 0:
            raise OSError("no HDU")
    except (OSError, ValueError, RuntimeError) as exc:
        raise _damaged(source, exc) from exc
    with hdus:
        yield hdus


def _damaged(source: Source, exc: Exception) -> DataError:
    reason = re.search(r"FITSIO status = \d+: ([^\n]+)", str(exc))
    says = f" (CFITSIO: {reason.group(1).strip()})" if reason else ""
    if source.size_bytes < FITS_BLOCK_BYTES:
        return DataError(f"{source.shown} is truncated within its FITS header: copy it again")
    return DataError(f"{source.shown} is a damaged FITS file{says}: copy or export it again")


def _chosen(hdus: Any, source: Source, options: ReadOptions) -> Any:
    """Return the HDU to read."""
    if options.hdu is not None:
        if 0 <= options.hdu < len(hdus) and (_layout(hdus[options.hdu]) or _star_columns(hdus[options.hdu])):
            return hdus[options.hdu]
        raise DataError(f"{source.shown} has no image in HDU {options.hdu}: {_where_images_are(hdus)}")
    for has_it in (_layout, _star_columns):
        for hdu in hdus:
            if has_it(hdu):
                return hdu
    raise DataError(
        f"{source.shown} is a FITS file without an image and without a table of stars (columns X, Y): check it"
    )


def _where_images_are(hdus: Any) -> str:
    numbers = [str(number) for number, hdu in enumerate(hdus) if _layout(hdu)]
    if not numbers:
        return "none of its HDUs has one"
    return f"{'HDU' if len(numbers) == 1 else 'HDUs'} {', '.join(numbers)} {'has' if len(numbers) == 1 else 'have'} one"


def _others(hdus: Any, read: Any) -> tuple[str, ...]:
    """Return a note if other HDUs hold images too, such as the other chips of a camera, or the image of a thumbnail."""
    count = sum(_layout(hdu) is not None for hdu in hdus)
    return (
        (f"read HDU {_number(read)}, the first of {count} with an image: --ext N (hdu=N in Python) reads another",)
        if count > 1
        else ()
    )


def _layout(hdu: Any) -> _Layout | None:
    """Return how to read the image of an HDU; None if it holds none."""
    info = hdu.get_info()
    if "ndims" not in info:
        return None
    dims = tuple(int(n) for n in info["dims"])
    if len(dims) < 2 or min(dims) < 1:
        return None
    ones = next((i for i, n in enumerate(dims[:-2]) if n > 1), len(dims) - 2)
    core = dims[ones:]
    if len(core) == 3 and core[0] in _COLOUR_PLANES:
        return _Layout(dims, ones, 0)
    if len(core) == 3 and core[2] in _COLOUR_PLANES:
        return _Layout(dims, ones, 2)
    return _Layout(dims, len(dims) - 2, None)


def _image(hdu: Any, primary: Any, source: Source, options: ReadOptions) -> Image:
    layout = _layout(hdu)
    assert layout is not None  # noqa: S101 - _chosen checked it
    options.limits.check_pixels(source.shown, layout.width, layout.height)
    _check_whole(hdu, source)
    own, damaged = _cards(hdu)
    pixels, mask = assemble(layout.height, layout.width, _blocks(hdu, layout, own), options.reduction)
    header = _header(hdu, own, primary)
    return Image(
        pixels=pixels,
        mask=mask,
        header=header,
        origin=source.origin(options.word, hdu=_number(hdu)),
        is_fits_like=True,
        is_mosaic=layout.colour_axis is None and headers.is_mosaic(header),
        notes=(*layout.note, *damaged),
    )


def _number(hdu: Any) -> int:
    return int(hdu.get_info()["extnum"])


def _check_whole(hdu: Any, source: Source) -> None:
    """Raise ``DataError`` if the file ends before the HDU's data do; CFITSIO could crash on it."""
    info = hdu.get_info()
    end = int(info["data_end"])
    if "ndims" in info and not info["is_compressed_image"]:
        bits = abs(int(info["img_type"]))
        end = int(info["data_start"]) + bits // 8 * int(np.prod(info["dims"], dtype=np.int64))
    else:
        # The exact end of a table is not known here; it lies in the last block.
        end -= FITS_BLOCK_BYTES - 1
    missing = end - source.size_bytes
    if missing > 0:
        share = 100 * missing / end
        raise DataError(
            f"{source.shown} is truncated: {missing} of {end} bytes are missing ({share:.3g} %); copy it again"
        )


def _blocks(hdu: Any, layout: _Layout, cards: dict[str, HeaderValue]) -> Iterator[Block]:
    blank = cards.get("BLANK", cards.get("ZBLANK"))
    if not isinstance(blank, int) or int(hdu.get_info()["img_type"]) < 0:
        blank = None
    is_unsigned = blank is None and _is_unsigned(hdu, cards)
    hdu.ignore_scaling = is_unsigned or blank is not None
    for first, end in row_blocks(layout.height, layout.width):
        values = _rows(hdu, layout, first, end)
        if is_unsigned:
            values = np.asarray(values, np.int16).view(np.uint16) ^ np.uint16(_ZERO_OF_UNSIGNED)
        yield first, 0, values if blank is None else _scaled(values, blank, cards)


def _is_unsigned(hdu: Any, cards: dict[str, HeaderValue]) -> bool:
    """Return True for unsigned 16-bit pixels, as cameras have them, stored as signed ones (FITS Standard 4.0, 5.2.5).

    CFITSIO takes twice as long to convert them as to read them; to flip their highest bit takes next to no time.
    """
    scaling = (_number_or(cards.get("BSCALE"), 1.0), _number_or(cards.get("BZERO"), 0.0))
    return int(hdu.get_info()["img_type"]) == _SHORT_IMG and scaling == (1.0, _ZERO_OF_UNSIGNED)


def _rows(hdu: Any, layout: _Layout, first: int, end: int) -> NDArray[np.generic]:
    """Return rows [first, end), shape (rows, width) or (rows, width, channels)."""
    # All indices are slices, since fitsio accepts nothing else.
    axes = [slice(0, n) for n in layout.core]
    axes[1 if layout.colour_axis == 0 else 0] = slice(first, end)
    index = (slice(0, 1),) * layout.leading + tuple(axes)
    values = np.asarray(hdu[index]).reshape([axis.stop - axis.start for axis in axes])
    return np.moveaxis(values, 0, 2) if layout.colour_axis == 0 else values


def _scaled(stored: NDArray[Any], blank: int, cards: dict[str, HeaderValue]) -> NDArray[np.generic]:
    """Return stored integers as physical values; stored values equal to BLANK are masked."""
    scale, zero = (_number_or(cards.get("BSCALE"), 1.0), _number_or(cards.get("BZERO"), 0.0))
    return np.ma.masked_array(stored * scale + zero, mask=stored == blank)


def _number_or(value: HeaderValue | None, default: float) -> float:
    return float(value) if isinstance(value, int | float) else default


def _cards(hdu: Any) -> tuple[dict[str, HeaderValue], tuple[str, ...]]:
    """Return an HDU's cards, and a note if they cannot be read."""
    try:
        return headers.plain((card["name"], card["value"]) for card in hdu.read_header_list()), ()
    except Exception:  # Without its cards an image has no hints, but can still be solved.
        return {}, ("the FITS header is damaged: no hints were read from it",)


def _header(hdu: Any, own: dict[str, HeaderValue], primary: Any) -> dict[str, HeaderValue]:
    """Return an HDU's header; an extension inherits the primary header's cards about the exposure."""
    info = hdu.get_info()
    if info.get("is_compressed_image"):
        own = {key: value for key, value in own.items() if not re.fullmatch(_TILE_TABLE, key)}
        own["NAXIS1"], own["NAXIS2"] = int(info["dims"][-1]), int(info["dims"][-2])
    if _number(hdu) == 0:
        return own
    inherited, _ = _cards(primary)
    kept = {k: v for k, v in inherited.items() if not re.fullmatch(_STRUCTURE, k) and not re.fullmatch(_WCS, k)}
    return {**kept, **own}


def _star_columns(hdu: Any) -> starlist.StarColumns | None:
    info = hdu.get_info()
    if "colnames" not in info or info["nrows"] <= 0:
        return None
    from novacli.inputs import starlist  # an image does not need it

    return starlist.pick_columns(info["colnames"])


def _star_list(hdu: Any, hdus: Any, source: Source, options: ReadOptions) -> StarList:
    from novacli.inputs import ldac, starlist

    columns = _star_columns(hdu)
    assert columns is not None  # noqa: S101 - _chosen checked it
    options.limits.check_stars(source.shown, int(hdu.get_info()["nrows"]))
    _check_whole(hdu, source)
    own, damaged = _cards(hdu)
    header = _header(hdu, own, hdus[0])
    of_image = ldac.image_header(hdus, _number(hdu))
    values = {name: _column(hdu, name, source) for name in columns.names}
    found = starlist.FoundStars(
        columns,
        values,
        {**of_image, **header},
        declared_size=starlist.declared_size(of_image) or starlist.declared_size(header),
        notes=damaged,
    )
    return starlist.build(found, source, options, hdu=_number(hdu))


def _column(hdu: Any, name: str, source: Source) -> NDArray[np.float64]:
    """Return a column; of one with several numbers a star, such as the fluxes in several apertures, the first."""
    values = np.asarray(hdu.read_column(name))
    if values.ndim == 2 and values.shape[1]:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "buif":
        raise DataError(f"{source.shown}: column {name} of its table does not hold plain numbers: rename or convert it")
    return values.astype(np.float64)
