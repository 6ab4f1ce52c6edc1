"""``--stellarium``: a ``textures.json`` that shows the picture on Stellarium's sky.

Stellarium stretches the picture between its four corners, which serves fields of a few degrees.

Source: Stellarium User Guide, "Deep-Sky Objects", section on textures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from novacli.exports.registry import Export, SolvedField

if TYPE_CHECKING:
    from novacli.wcs.tansip import TanSip

#: Fields wider than this are visibly bent between their corners, degrees.
_WIDEST_DEG = 5.0
#: The magnitude that Stellarium gives to the brightness of the picture: that of a faint nebula.
_MAX_BRIGHTNESS_MAG = 13.0
_PICTURES = (".png", ".jpg", ".jpeg")


def _write(field: SolvedField, target: Path) -> list[str]:
    from novacli.exports.linear import is_fits_like
    from novacli.files.atomic import write_file

    solution = field.solution.tan_sip
    name = Path(field.origin.path or field.origin.name).name
    tile = {
        "imageUrl": name,
        "worldCoords": [_corners(solution, is_fits_like=is_fits_like(field))],
        "textureCoords": [[[0, 0], [1, 0], [1, 1], [0, 1]]],
        "minResolution": round(solution.pixscale_arcsec / 3600, 8),
        "maxBrightness": _MAX_BRIGHTNESS_MAG,
    }
    content = {"shortName": Path(name).stem, "minResolution": 0.05, "alphaBlend": True, "subTiles": [tile]}
    write_file(target, (json.dumps(content, indent=1) + "\n").encode())
    return _remarks(target, solution, name)


def _corners(solution: TanSip, *, is_fits_like: bool) -> list[list[float]]:
    """Return RA and Dec of the corners of the displayed picture: bottom left, bottom right, top right, top left."""
    left, right, first, last = 0.5, solution.width + 0.5, 0.5, solution.height + 0.5
    bottom, top = (first, last) if is_fits_like else (last, first)
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    return [[round(angle, 7) for angle in solution.pixel_to_sky(x, y)] for x, y in corners]


def _remarks(target: Path, solution: TanSip, name: str) -> list[str]:
    width_deg = max(solution.width, solution.height) * solution.pixscale_arcsec / 3600
    notes = []
    if width_deg > _WIDEST_DEG:
        notes.append(f"{target}: Stellarium bends a picture of {width_deg:.0f}° between its corners: crop it to less")
    if not name.lower().endswith(_PICTURES):
        notes.append(
            f"{target}: Stellarium shows PNG and JPEG: save {name} as PNG beside it, and name that in imageUrl"
        )
    return notes


EXPORT = Export("stellarium", ".textures.json", "a textures.json for Stellarium", _write)
