#!/usr/bin/env python3
"""Convert a FITS image to an 8-bit JPEG: ``as_jpeg.py IN.fits OUT.jpg``.

This is a separate program, so that programs that measure memory stay small (see measure.py).
"""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image

from novacli.inputs import FileInput, open_field
from novacli.records.field import Image as Picture


def main(source: str, target: str) -> None:
    field = open_field(FileInput(source))
    if not isinstance(field, Picture):
        sys.exit(f"{source}: this is no picture")
    pixels = field.pixels
    black, white = np.percentile(pixels[::4, ::4], (5, 99.7))
    grey = np.clip((pixels - black) * (255 / (white - black)), 0, 255).astype(np.uint8)
    Image.fromarray(grey).save(target, quality=92)


if __name__ == "__main__":
    main(*sys.argv[1:])
