"""The objects in a field as a table for people, as JSON, CSV and ECSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from novacli.catalog.epoch import Epoch
from novacli.catalog.sky_object import FieldObject
from novacli.catalog.sources import SOURCES
from novacli.text.angles import format_dec_dms, format_ra_hms

#: Column of tables → (unit, description).  JSON objects have the same keys, with lists for names.
COLUMNS: dict[str, tuple[str | None, str]] = {
    "name": (None, "best known designation"),
    "common_names": (None, "common names, separated by semicolons"),
    "designations": (None, "all designations, separated by semicolons"),
    "type": (None, "kind of object"),
    "ra": ("deg", "right ascension, ICRS; of stars at the epoch"),
    "dec": ("deg", "declination, ICRS; of stars at the epoch"),
    "x": ("pix", "x in the image, FITS pixels"),
    "y": ("pix", "y in the image, FITS pixels"),
    "major_arcmin": ("arcmin", "major axis"),
    "minor_arcmin": ("arcmin", "minor axis"),
    "position_angle": ("deg", "direction of the major axis, east of north"),
    "magnitude": ("mag", "V, or B if V is not known"),
    "source": (None, "catalogue"),
    "inside": (None, "whether x and y are in the image"),
}
_TEXTS = {"name", "common_names", "designations", "type", "source"}


def to_json(job: str, epoch: Epoch, objects: Sequence[FieldObject]) -> dict[str, Any]:
    """Return the JSON object that ``nova objects --json`` prints."""
    return {
        "job": job,
        "epoch": epoch.year,
        "epoch_source": epoch.source,
        "sources": [dataclasses.asdict(source) for source in SOURCES],
        "objects": [object_to_json(found) for found in objects],
    }


def object_to_json(found: FieldObject) -> dict[str, Any]:
    """Return the JSON object of an object in a field; its keys are those of ``COLUMNS``."""
    sky = found.sky
    return {
        "name": sky.names[0],
        "common_names": list(sky.common_names),
        "designations": list(sky.names),
        "type": sky.kind.value,
        "ra": sky.ra_deg,
        "dec": sky.dec_deg,
        "x": found.x,
        "y": found.y,
        "major_arcmin": sky.major_arcmin,
        "minor_arcmin": sky.minor_arcmin,
        "position_angle": sky.position_angle_deg,
        "magnitude": sky.magnitude,
        "source": sky.source,
        "inside": found.inside,
    }


def json_text(job: str, epoch: Epoch, objects: Sequence[FieldObject]) -> str:
    """Return one line of JSON."""
    return json.dumps(to_json(job, epoch, objects), ensure_ascii=False)


def csv_text(job: str, epoch: Epoch, objects: Sequence[FieldObject]) -> str:
    """Return a CSV table."""
    del job, epoch
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for found in objects:
        table.writerow(_cell(value) for value in object_to_json(found).values())
    return out.getvalue().rstrip("\n")


def _cell(value: object) -> object:
    if isinstance(value, list):
        return ";".join(value)
    return str(value) if isinstance(value, bool) else value


def ecsv_text(job: str, epoch: Epoch, objects: Sequence[FieldObject]) -> str:
    """Return an ECSV table, which astropy reads with units and descriptions, sources and licences."""
    lines = ["%ECSV 1.0", "---", "delimiter: ','", "datatype:"]
    for name, (unit, description) in COLUMNS.items():
        datatype = "string" if name in _TEXTS else "bool" if name == "inside" else "float64"
        column = {"name": name, "datatype": datatype, "description": description}
        lines.append(f"- {json.dumps(column if unit is None else {**column, 'unit': unit})}")
    sources = [dataclasses.asdict(source) for source in SOURCES]
    lines.append(f"meta: {json.dumps({'job': job, 'epoch': epoch.year, 'sources': sources})}")
    return "\n".join([*(f"# {line}" for line in lines), csv_text(job, epoch, objects)])


def table_text(job: str, epoch: Epoch, objects: Sequence[FieldObject]) -> str:
    """Return a table for people."""
    del job, epoch
    heads = ("NAME", "TYPE", "RA", "DEC", "X", "Y", "SIZE", "MAG")
    rows = [heads, *map(_row, objects)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(heads))]
    left = {0, 1}
    return "\n".join(
        "  ".join(
            cell.ljust(width) if n in left else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _row(found: FieldObject) -> tuple[str, ...]:
    sky = found.sky
    names = (*sky.common_names[:1], sky.names[0]) if sky.kind.value == "star" else (sky.names[0], *sky.common_names[:1])
    axes = [f"{axis:.4g}'" for axis in (sky.major_arcmin, sky.minor_arcmin) if axis]
    return (
        ", ".join(names),
        sky.kind.value if found.inside else f"{sky.kind.value} (reaches in)",
        format_ra_hms(sky.ra_deg),
        format_dec_dms(sky.dec_deg),
        f"{found.x:.1f}",
        f"{found.y:.1f}",
        " × ".join(dict.fromkeys(axes)),
        "" if sky.magnitude is None else f"{sky.magnitude:.1f}",
    )


#: How the list can be written; "table" is for people.
FORMATS: dict[str, Callable[[str, Epoch, Sequence[FieldObject]], str]] = {
    "table": table_text,
    "json": json_text,
    "csv": csv_text,
    "ecsv": ecsv_text,
}
