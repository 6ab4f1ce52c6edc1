"""Deep-sky objects: OpenNGC's database, which the package pyongc ships, with our corrections and common names.

The database is read directly, which takes a tenth of the time of importing pyongc.
"""

from __future__ import annotations

import csv
import functools
import importlib.util
import math
import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from novacli.catalog.sky_object import Kind, SkyObject
from novacli.catalog.sources import OPENNGC
from novacli.errors import UnavailableError

_DATA = Path(__file__).parent / "data"
_COLUMNS = (
    *("name", "type", "ra", "dec", "majax", "minax", "pa", "bmag", "vmag"),
    *("messier", "ngc", "ic", "identifiers", "commonnames"),
)
_KINDS = {
    "G": Kind.GALAXY, "GPair": Kind.GALAXY_GROUP, "GTrpl": Kind.GALAXY_GROUP, "GGroup": Kind.GALAXY_GROUP,
    "OCl": Kind.OPEN_CLUSTER, "*Ass": Kind.OPEN_CLUSTER, "GCl": Kind.GLOBULAR_CLUSTER,
    "Cl+N": Kind.CLUSTER_WITH_NEBULA, "Neb": Kind.NEBULA, "HII": Kind.NEBULA, "EmN": Kind.NEBULA, "RfN": Kind.NEBULA,
    "PN": Kind.PLANETARY_NEBULA, "SNR": Kind.SUPERNOVA_REMNANT, "DrkN": Kind.DARK_NEBULA,
}  # fmt: skip
#: Stars, pairs of stars and what is unidentified are listed only if they have a Messier number or a common name.
_MINOR_TYPES = {"*", "**", "Nova", "Other"}
_LEFT_OUT = {"Dup", "NonEx"}
_NUMBERED = re.compile(r"([A-Za-z]+) ?0*(\d.*)")
_PREFIXES = {"Mel": "Melotte", "Cl": "Collinder"}


def deep_sky_objects(low_dec_deg: float, high_dec_deg: float) -> tuple[SkyObject, ...]:
    """Return the objects between two declinations, degrees.

    Raises
    ------
    UnavailableError
        If the package pyongc is not installed.
    """
    query = f"SELECT {','.join(_COLUMNS)} FROM objects WHERE dec BETWEEN ? AND ?"  # noqa: S608 - constant columns
    strip = (math.radians(low_dec_deg), math.radians(high_dec_deg))
    # The database is never written to: no lock, and no journal beside it.
    connection = sqlite3.connect(f"{_database().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        rows = [dict(zip(_COLUMNS, row, strict=True)) for row in connection.execute(query, strip)]
    finally:
        connection.close()
    return tuple(found for row in rows if (found := _object_of(_corrected(row))) is not None)


def _database() -> Path:
    spec = importlib.util.find_spec("pyongc")
    if spec is None or spec.origin is None:
        raise UnavailableError("deep-sky objects are read from OpenNGC: pip install 'novacli[pictures]'")
    return Path(spec.origin).parent / "ongc.db"


def _rows_of(name: str) -> Iterator[dict[str, str]]:
    with (_DATA / name).open(encoding="utf-8", newline="") as text:
        yield from csv.DictReader(line for line in text if not line.startswith("#"))


@functools.cache
def _corrections() -> Mapping[str, dict[str, str | float | None]]:
    """Return the corrected columns of each entry."""
    found: dict[str, dict[str, str | float | None]] = {}
    for row in _rows_of("deep_sky_corrections.csv"):
        text = row["value"]
        value = float(text) if text and row["column"] not in ("type", "commonnames") else text or None
        found.setdefault(row["name"], {})[row["column"]] = value
    return found


@functools.cache
def _nicknames() -> Mapping[str, str]:
    return {row["name"]: row["nickname"] for row in _rows_of("nicknames.csv")}


def _corrected(row: dict[str, Any]) -> dict[str, Any]:
    row.update(_corrections().get(row["name"], {}))
    nickname = _nicknames().get(row["name"])
    if nickname is not None:
        others = [name for name in _listed(row["commonnames"]) if name != nickname]
        row["commonnames"] = ",".join([nickname, *others])
    return row


def _listed(text: str | None) -> list[str]:
    return [part.strip().removeprefix("the ") for part in (text or "").split(",") if part.strip()]


def _object_of(row: Mapping[str, Any]) -> SkyObject | None:
    """Return the object of a row; None for duplicates, for what does not exist, and for nameless stars."""
    kind, common = row["type"], _listed(row["commonnames"])
    if kind in _LEFT_OUT or row["ra"] is None or (kind in _MINOR_TYPES and not (row["messier"] or common)):
        return None
    magnitude = row["bmag"] if row["vmag"] is None else row["vmag"]
    return SkyObject(
        names=_designations(row),
        common_names=tuple(common),
        kind=_KINDS.get(kind, Kind.OTHER),
        ra_deg=math.degrees(row["ra"]) % 360,
        dec_deg=math.degrees(row["dec"]),
        magnitude=magnitude,
        major_arcmin=row["majax"],
        minor_arcmin=row["minax"],
        position_angle_deg=row["pa"],
        source=OPENNGC,
    )


def _designations(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return all designations without leading zeros, Messier's number first."""
    messier = [f"M {int(row['messier'])}"] if row["messier"] else []
    numbers = [f"{catalog} {n}" for catalog, key in (("NGC", "ngc"), ("IC", "ic")) for n in _listed(row[key])]
    given = [row["name"], *numbers, *_listed(row["identifiers"])]
    return tuple(dict.fromkeys([*messier, *map(_spelled, given)]))


def _spelled(designation: str) -> str:
    """Return a designation as it is usually written: NGC0224 → NGC 224."""
    match = _NUMBERED.fullmatch(designation)
    return f"{_PREFIXES.get(match[1], match[1])} {match[2]}" if match else designation
