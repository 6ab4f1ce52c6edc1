"""The image below a drawing: read in colour at a reduced size, stretched, and turned as it is displayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from novacli.errors import UsageError
from novacli.inputs.kinds import FileInput
from novacli.inputs.reduced import ReducedImage, read_reduced
from novacli.pictures.stretch import to_display
from novacli.pictures.style import NIGHT
from novacli.pictures.viewport import Viewport
from novacli.records.field import Origin

if TYPE_CHECKING:
    from numpy.typing import NDArray


#: An image is enlarged by up to the inverse of this, so that it can be averaged in larger boxes, or decoded at a half,
#: a quarter or an eighth of its size.
_LEAST_SIZE = 0.8


def read_image(origin: Origin, longer_side: int) -> ReducedImage:
    """Return the image of a job at a reduced size, for a picture whose longer side has ``longer_side`` pixels.

    Raises
    ------
    UsageError
        If the job was not read from a file.
    NovaError
        If the image cannot be read.
    """
    if origin.path is None:
        raise UsageError(f"{origin.name} was not read from a file: name the image by --image")
    return read_reduced(FileInput(origin.path), max(1, round(_LEAST_SIZE * longer_side)), hdu=origin.hdu)


def displayed(image: ReducedImage, viewport: Viewport, *, is_stretched: bool) -> Image.Image:
    """Return the picture of an image, in colour, with the size of the viewport."""
    # The last column and row may lie partly outside the image.
    area = (0.0, 0.0, image.full_width / image.step, image.full_height / image.step)
    values = image.values
    if values.shape[1] > viewport.width:
        # The stretch is applied to the smaller of both sizes.
        values = np.stack([_resized(values[:, :, n], viewport, area) for n in range(values.shape[2])], axis=2)
        area = (0.0, 0.0, float(viewport.width), float(viewport.height))
    colours = to_display(values, image.white, is_stretched=is_stretched)
    picture = Image.fromarray(colours[:, :, 0] if colours.shape[2] == 1 else colours)
    picture = picture.resize((viewport.width, viewport.height), Image.Resampling.BICUBIC, box=area).convert("RGB")
    return picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if viewport.is_fits_like else picture


def _resized(
    values: NDArray[np.float32], viewport: Viewport, area: tuple[float, float, float, float]
) -> NDArray[np.float32]:
    """Return one colour at the size of the viewport; masked pixels count as black."""
    whole = Image.fromarray(np.nan_to_num(values, nan=0.0))
    return np.asarray(whole.resize((viewport.width, viewport.height), Image.Resampling.BILINEAR, box=area))


def plain(width: int, height: int) -> Image.Image:
    """Return the dark ground of a picture without an image."""
    return Image.new("RGB", (width, height), NIGHT)
