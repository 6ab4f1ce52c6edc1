"""The image below a drawing: read in colour at a reduced size, stretched, and turned as it is displayed."""

from __future__ import annotations

from PIL import Image

from novacli.errors import UsageError
from novacli.inputs.kinds import FileInput
from novacli.inputs.reduced import ReducedImage, read_reduced
from novacli.pictures.stretch import to_display
from novacli.pictures.style import NIGHT
from novacli.pictures.viewport import Viewport
from novacli.records.field import Origin


def read_image(origin: Origin, longer_side: int) -> ReducedImage:
    """Return the image of a job at a reduced size.

    Raises
    ------
    UsageError
        If the job was not read from a file.
    NovaError
        If the image cannot be read.
    """
    if origin.path is None:
        raise UsageError(f"{origin.name} was not read from a file: name the image by --image")
    return read_reduced(FileInput(origin.path), longer_side, hdu=origin.hdu)


def displayed(image: ReducedImage, viewport: Viewport, *, is_stretched: bool) -> Image.Image:
    """Return the picture of an image, in colour, with the size of the viewport."""
    colours = to_display(image.values, image.white, is_stretched=is_stretched)
    picture = Image.fromarray(colours[:, :, 0] if colours.shape[2] == 1 else colours)
    # The last column and row may lie partly outside the image.
    area = (0.0, 0.0, image.full_width / image.step, image.full_height / image.step)
    picture = picture.resize((viewport.width, viewport.height), Image.Resampling.BICUBIC, box=area).convert("RGB")
    return picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if viewport.is_fits_like else picture


def plain(width: int, height: int) -> Image.Image:
    """Return the dark ground of a picture without an image."""
    return Image.new("RGB", (width, height), NIGHT)
