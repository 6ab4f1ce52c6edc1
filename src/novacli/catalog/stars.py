"""Stars of the Hipparcos catalogue, with proper motion, and their names."""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from novacli.catalog.sky_object import Kind, SkyObject
from novacli.catalog.sources import HIPPARCOS
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_DATA = Path(__file__).parent / "data"
_MAS_PER_DEGREE = 3_600_000
#: Magnitudes from this on mean that none is known.
_NO_MAGNITUDE = 30.0
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@record(eq=False)
class Stars:
    """Stars as arrays of shape (n,): HIP numbers, ICRS positions at an epoch in degrees, V magnitudes."""

    hip: NDArray[np.uint32]
    ra_deg: Floats
    dec_deg: Floats
    magnitude: Floats


def stars_at(year: float) -> Stars:
    """Return all stars, moved by their proper motion to a Julian year, such as 2025.4."""
    with np.load(_DATA / "hipparcos.npz", allow_pickle=False) as file:
        hip, ra, dec, pm_ra, pm_dec, magnitude = (file[n] for n in ("hip", "ra", "dec", "pmra", "pmdec", "vmag"))
    years = year - 2000
    dec_deg = dec / _MAS_PER_DEGREE
    # The motion in right ascension is given along the parallel.  Hipparcos has no star closer than 0.2° to a pole.
    ra_deg = ra / _MAS_PER_DEGREE + pm_ra * (years / _MAS_PER_DEGREE) / np.cos(np.radians(dec_deg))
    return Stars(hip, ra_deg % 360, dec_deg + pm_dec * (years / _MAS_PER_DEGREE), magnitude / 1000)


@functools.cache
def names_by_hip() -> Mapping[int, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return HIP number → (name of the IAU or none, designations) of stars with a name, a letter or a number."""
    found = {}
    with (_DATA / "star_names.csv").open(encoding="utf-8", newline="") as text:
        for row in csv.DictReader(line for line in text if not line.startswith("#")):
            constellation = row["constellation"]
            bayer = row["bayer"][:1] + row["bayer"][1:].translate(_SUPERSCRIPTS)
            words = [f"{word} {constellation}".strip() for word in (bayer, row["flamsteed"]) if word]
            if row["hd"]:
                words.append(f"HD {row['hd']}")
            name = (row["name"],) if row["name"] else ()
            found[int(row["hip"])] = (name, (*words, f"HIP {row['hip']}"))
    return found


def star_object(stars: Stars, row: int) -> SkyObject:
    """Return one of the stars as an object."""
    hip = int(stars.hip[row])
    names, designations = names_by_hip().get(hip, ((), (f"HIP {hip}",)))
    magnitude = float(stars.magnitude[row])
    return SkyObject(
        names=designations,
        common_names=names,
        kind=Kind.STAR,
        ra_deg=float(stars.ra_deg[row]),
        dec_deg=float(stars.dec_deg[row]),
        magnitude=magnitude if magnitude < _NO_MAGNITUDE else None,
        major_arcmin=None,
        minor_arcmin=None,
        position_angle_deg=None,
        source=HIPPARCOS,
    )
