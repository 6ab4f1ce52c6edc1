"""Inputs of any format → ``Field``: the pixels of an image or a list of stars, with their header.

The first step of the flow.  ``kinds`` defines a file, a URL and a stream, ``opening`` opens them, ``registry``
recognises the format, and one module for each format reads it, imported when needed.  ``arrays`` takes an array
instead; ``limits`` bounds sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from novacli.inputs import registry
from novacli.inputs.kinds import FileInput, Input, StreamInput, UrlInput, parse_input
from novacli.inputs.limits import DEFAULT_LIMITS, Limits
from novacli.inputs.opening import open_input
from novacli.inputs.source import ReadOptions
from novacli.records.field import Field, Image

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "DEFAULT_LIMITS",
    "FileInput",
    "Input",
    "Limits",
    "StreamInput",
    "UrlInput",
    "from_array",
    "open_field",
    "parse_input",
]


def open_field(
    given: Input,
    *,
    hdu: int | None = None,
    size: tuple[int, int] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Field:
    """Read an image or a source list.

    Parameters
    ----------
    given
        A file, a URL or a stream; ``parse_input`` makes one from what a user typed.
    hdu
        0-based FITS HDU; None for the first that holds an image.  Other formats ignore it.
    size
        (width, height) in pixels of the image that a source list was made from; replaces the size in the list.
    limits
        Bounds on sizes and download times.

    Returns
    -------
    Field
        ``Image`` or ``StarList``.

    Raises
    ------
    DataError
        It is neither an image nor a source list, is damaged, or exceeds a limit.
    InputMissingError, DeniedError
        It does not exist, is a folder, or may not be read.
    TransferError, RetryLaterError
        A download broke off, or the server is busy.
    UnavailableError
        Its format needs an optional package that is not installed.
    OutputError
        There is no space for a temporary copy.
    """
    with open_input(given, limits) as source:
        chosen = registry.choose(source)
        return chosen.reader().read(source, ReadOptions(word=chosen.word, hdu=hdu, size=size, limits=limits))


def from_array(
    array: ArrayLike,
    header: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None,
    mask: ArrayLike | None = None,
) -> Image:
    """Return an ``Image`` from an array in memory; row 0 is y = 1.

    Parameters
    ----------
    array
        Shape (height, width), or colour (height, width, 3 or 4) or (3, height, width); any real type; masked
        elements, NaN and infinities are masked.  It is copied.
    header
        FITS keywords: a mapping, such as an ``astropy.io.fits.Header``, or (keyword, value) pairs.
    mask
        Truth values, True where a pixel must not be used: shape (height, width), or that of ``array``.

    Raises
    ------
    DataError
        The array does not hold an image.
    ParameterError
        ``header`` or ``mask`` cannot be used.
    """
    from novacli.inputs.arrays import image_from_array

    return image_from_array(array, header, mask)
