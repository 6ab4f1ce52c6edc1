"""``--wtml``: a collection for WorldWide Telescope that shows the picture in its place.

WorldWide Telescope loads pictures from the web: ``Url`` is the picture's file name, to be replaced by the address under
which the picture is published.  It knows a scale, a rotation and a parity, and counts rows from the top.

Source: WorldWide Telescope, "WTML: data files", SkyImage projection.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from novacli.exports.registry import Export, SolvedField

if TYPE_CHECKING:
    from novacli.wcs.tansip import TanSip

#: Height of the view, in heights of the picture; a zoom level is six times the height in degrees.
_VIEW_HEIGHTS, _ZOOM_A_DEGREE = 1.7, 6
_FORM = """<?xml version="1.0" encoding="UTF-8"?>
<Folder Name={name} Group="Explorer">
  <Place Name={name} DataSetType="Sky" RA="{ra_h!r}" Dec="{dec!r}" ZoomLevel="{zoom!r}" Rotation="0.0">
    <ForegroundImageSet>
      <ImageSet Name={name} DataSetType="Sky" BandPass="Visible" Url={url} Projection="SkyImage" FileType={suffix}
        TileLevels="0" WidthFactor="2" Sparse="True" BottomsUp="{bottoms_up}" BaseDegreesPerTile="{scale!r}"
        CenterX="{ra_ref!r}" CenterY="{dec_ref!r}" OffsetX="{x!r}" OffsetY="{y!r}" Rotation="{rotation!r}"/>
    </ForegroundImageSet>
  </Place>
</Folder>
"""


def _write(field: SolvedField, target: Path) -> tuple[str, ...]:
    from novacli.exports.linear import LinearSolution, flipped, is_fits_like, loss_px, nearest_tan
    from novacli.files.atomic import write_file

    stored = field.solution.tan_sip
    # A picture of a FITS image has the rows in the opposite order.
    solution = flipped(stored) if is_fits_like(field) else stored
    tan = _without_shear(nearest_tan(solution).tan)
    write_file(target, _text(tan, Path(field.origin.path or field.origin.name)).encode(errors="backslashreplace"))
    return LinearSolution(tan, loss_px(tan, solution)).notes(target)


def _without_shear(tan: TanSip) -> TanSip:
    """Return the nearest solution with square pixels and right angles."""
    (cd11, cd12), (cd21, cd22) = tan.cd
    parity = tan.parity
    along, across = (parity * cd11 + cd22) / 2, (parity * cd12 - cd21) / 2
    return replace(tan, cd=((parity * along, parity * across), (-across, along)))


def _text(tan: TanSip, picture: Path) -> str:
    """Return the collection; ``tan`` has no shear, and counts rows from the top."""
    from xml.sax.saxutils import quoteattr  # imports urllib.request

    _, (cd21, cd22) = tan.cd
    scale = math.hypot(cd21, cd22)
    ra, dec = tan.pixel_to_sky(*tan.center_px)
    return _FORM.format(
        name=quoteattr(picture.stem), url=quoteattr(picture.name), suffix=quoteattr(picture.suffix.lower()),
        ra_h=ra / 15, dec=dec, zoom=tan.height * scale * _VIEW_HEIGHTS * _ZOOM_A_DEGREE,
        bottoms_up=tan.det_cd < 0, scale=scale, ra_ref=tan.crval[0], dec_ref=tan.crval[1],
        x=tan.crpix[0] - 0.5, y=tan.height - tan.crpix[1] + 0.5,
        rotation=tan.parity * math.degrees(math.atan2(cd21, -cd22)),
    )  # fmt: skip


EXPORT = Export("wtml", ".wtml", "a collection for WorldWide Telescope", _write)
