#!/usr/bin/env python3
"""Draw nights of an invented observatory: two cameras, 4 to 20 degrees wide, and everything that goes wrong.

Halfway through a night the mount flips, so later images are rotated by 180 degrees.  One night becomes cloudy; some
files are not images; and one crashes every worker that opens it (see ``tests/made_cluster.py``).  Equal seeds give
equal nights.  ``nights.json`` beside the folders states the kind of each file and its true position.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

CLEAR, CLOUDED, NO_IMAGE, KILLER = "clear", "clouded", "no image", "killer"
#: Widths of the cameras' fields in each night, degrees.
WIDTHS_DEG = ((4.0, 12.0), (6.0, 16.0), (8.0, 20.0))
_CAMERAS = (("north camera", (1024, 768)), ("south camera", (1280, 960)))
_EVENING = datetime(2026, 3, 1, 20, tzinfo=UTC)
_APART = timedelta(minutes=2)
#: Number of frames in a row at one target, and the mount's drift between two of them, in field widths.
_AT_A_TARGET, _DITHER = 8, 0.02
#: One file in this many is not an image; the middle fifth of the last night is cloudy.
_NO_IMAGE_EVERY, _CLOUDED_NIGHT, _CLOUDED = 40, 2, (0.4, 0.6)


@dataclass(frozen=True, slots=True)
class Planned:
    """One file of a night: its kind and the image's parameters, angles in degrees; ``name`` is a relative path."""

    name: str
    kind: str
    camera: str
    width_px: int
    height_px: int
    width_deg: float
    ra_deg: float
    dec_deg: float
    rotation_deg: float
    date_obs: str
    seed: int


def plan(count: int, seed: int) -> list[Planned]:
    """Return the contents of ``count`` files, distributed over one night per width."""
    nights = len(WIDTHS_DEG)
    found: list[Planned] = []
    for night in range(nights):
        files = count // nights + (night < count % nights)
        found += _night(night, files, random.Random(f"{seed} {night}"))
    if len(found) >= _NO_IMAGE_EVERY:
        middle = found[len(found) // 2]
        found[len(found) // 2] = _as(middle, KILLER)
    return found


def _night(night: int, files: int, chance: random.Random) -> Iterator[Planned]:
    targets: list[tuple[float, float]] = []
    for number in range(files):
        lens = number % len(_CAMERAS)
        camera, (width_px, height_px) = _CAMERAS[lens]
        width_deg = WIDTHS_DEG[night][lens]
        if number % _AT_A_TARGET == 0:
            targets.append((360 * chance.random(), math.degrees(math.asin(chance.uniform(-0.9, 0.9)))))
        ra_deg, dec_deg = targets[-1]
        stray_deg = [chance.uniform(-1, 1) * _DITHER * width_deg for _ in range(2)]
        is_clouded = night == _CLOUDED_NIGHT and _CLOUDED[0] <= number / files < _CLOUDED[1]
        kind = NO_IMAGE if number % _NO_IMAGE_EVERY == _NO_IMAGE_EVERY - 1 else CLOUDED if is_clouded else CLEAR
        when = _EVENING + timedelta(days=night) + number * _APART
        yield Planned(
            name=f"night-{night + 1}/n{night + 1}-{number:03d}.fits",
            kind=kind,
            camera=camera,
            width_px=width_px,
            height_px=height_px,
            width_deg=width_deg,
            ra_deg=(ra_deg + stray_deg[0] / math.cos(math.radians(dec_deg))) % 360,
            dec_deg=dec_deg + stray_deg[1],
            rotation_deg=10.0 * lens + (180.0 if number >= files / 2 else 0.0),
            date_obs=when.strftime("%Y-%m-%dT%H:%M:%S"),
            seed=chance.randrange(2**31),
        )


def _as(planned: Planned, kind: str) -> Planned:
    name = f"{Path(planned.name).parent}/brings-its-worker-down.fits"
    return Planned(**{**asdict(planned), "kind": kind, "name": name})


def draw(planned: Sequence[Planned], folder: Path) -> None:
    """Draw files below a folder, and write ``nights.json`` with the truth; its pixel scales are those at the centres.

    Raises
    ------
    NovaError
        If no index file is installed, or a file cannot be written.
    """
    import reporting

    from novacli.demo import drawing, writer
    from novacli.demo.catalogue import Catalogue, find_index
    from novacli.demo.scene import Camera, Scene

    catalogue = Catalogue.open(find_index(reporting.installed_indexes()))
    rows = []
    for one in planned:
        path = folder / one.name
        path.parent.mkdir(parents=True, exist_ok=True)
        row = asdict(one)
        if one.kind in (NO_IMAGE, KILLER):
            path.write_text("The disk was full.\n")
        else:
            scene = Scene(
                ra_deg=one.ra_deg, dec_deg=one.dec_deg, width_deg=one.width_deg, width_px=one.width_px,
                height_px=one.height_px, rotation_deg=one.rotation_deg, clouds=1.0 if one.kind == CLOUDED else 0.0,
                seed=one.seed, date_obs=one.date_obs, camera=Camera(name=one.camera),
            )  # fmt: skip
            made = drawing.draw(scene, catalogue)
            path.write_bytes(writer.fits_bytes(made.pixels, scene))
            row |= {"pixscale_arcsec": made.truth.pixscale_arcsec, "parity": made.truth.parity}
        rows.append(row)
    (folder / "nights.json").write_text(json.dumps(rows, indent=1) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw nights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder for the nights")
    parser.add_argument("--frames", type=int, default=300, metavar="N", help="files of all nights together (300)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="equal seeds give equal nights (1)")
    parser.add_argument("--only", choices=[CLEAR, CLOUDED, NO_IMAGE, KILLER], help="draw only this kind of file")
    options = parser.parse_args(arguments)
    planned = plan(options.frames, options.seed)
    draw([one for one in planned if options.only in (None, one.kind)], options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
