"""Real pictures as the background of drawn stars: their gradients, clouds, horizons and trees, but not their stars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from draft import Draft
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from draft import Plane

ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
#: A median over so many pixels removes stars and keeps whatever is larger.
_STAR_PX = 9
#: A part counts as a foreground if its fine structure is so many times stronger than in most of the picture.
_BUSY, _MOST_OF_A_PIXEL = 4.0, 0.05


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)


def add_background(draft: Draft, path: Path) -> None:
    """Put the light of a real picture into a draft.

    The picture's own stars are removed.  Where it is full of fine structure, as in a tree, that structure stays and
    hides the drawn stars.
    """
    own = _brightness(path, (draft.width, draft.height))
    smooth = _median(own)
    fine = own - smooth
    # A few bright stars are no foreground, so that the strength of a pixel has a limit.
    strength = _mean_around(np.minimum(np.abs(fine), np.float32(_MOST_OF_A_PIXEL)))
    busy = (strength > _BUSY * max(1e-3, float(np.median(strength)))).astype(np.float32)
    soft = np.clip(_mean_around(busy) * 2 - 0.5, 0, 1)
    level = draft.sky_e / max(0.02, float(np.median(smooth)))
    red, green, blue = np.median(draft.light[::4, ::4], axis=(0, 1)) / draft.sky_e
    draft.cover(soft, level * own, (red, green, blue))
    draft.add((1 - soft) * (level * smooth - draft.sky_e), (red, green, blue))
    np.maximum(draft.light, 0, out=draft.light)


def _brightness(path: Path, size: tuple[int, int]) -> Plane:
    """Return a picture's brightness from 0 to 1, made linear, at another size."""
    with Image.open(path) as image:
        gray = image.convert("L").resize(size, Image.Resampling.LANCZOS)
    return (np.asarray(gray, np.float32) / np.float32(255)) ** np.float32(2.2)


def _median(values: Plane) -> Plane:
    """Return the median around each pixel, to 8 bits of the square root."""
    coded = Image.fromarray(np.asarray(np.rint(255 * np.sqrt(values)), np.uint8))
    return (np.asarray(coded.filter(ImageFilter.MedianFilter(_STAR_PX)), np.float32) / np.float32(255)) ** 2


def _mean_around(values: Plane, radius_px: float = 12) -> Plane:
    """Return the mean around each pixel, to 8 bits."""
    scale = max(1e-6, float(values.max()))
    coded = Image.fromarray(np.asarray(np.rint(255 * values / scale), np.uint8))
    return np.asarray(coded.filter(ImageFilter.BoxBlur(radius_px)), np.float32) * np.float32(scale / 255)
