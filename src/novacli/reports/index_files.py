"""Tables of index files: those that are installed, and those that a field needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from novacli.indexes.recommendation import Grade, Recommendation
from novacli.indexes.series import parse_name
from novacli.text.columns import write_aligned
from novacli.text.printable import printable_line
from novacli.text.quantities import angle_text, bytes_text, count_text
from solvehost.indexes.index_file import IndexFile
from solvehost.indexes.index_set import IndexSet

_HEADINGS = ("SERIES", "SCALE", "QUADS", "SKY", "FILES", "SIZE", "FOLDER")
_OTHER = "other"
_MEANINGS = {
    Grade.NEEDED: "needed",
    Grade.HELPFUL: "helpful, if few stars are found",
    Grade.RARELY: "rarely needed",
}


def file_to_json(file: IndexFile) -> dict[str, Any]:
    """Return the JSON object of ``nova index list --json`` of a file that loads."""
    name = parse_name(file.path.name)
    return {
        "file": str(file.path),
        "series": None if name is None else name.series,
        "scale": None if name is None else name.scale,
        "index_id": file.index_id,
        "quads_arcmin": list(file.quads_arcmin),
        "healpix": file.healpix,
        "nside": file.nside,
        "stars": file.stars,
        "quads": file.quads,
        "bytes": file.size_bytes,
        "problem": None,
    }


def damaged_to_json(path: Path, problem: str) -> dict[str, Any]:
    """Return the JSON object of a file that does not load; what its header would state is null."""
    keys = ("series", "scale", "index_id", "quads_arcmin", "healpix", "nside", "stars", "quads", "bytes")
    return {"file": str(path), **dict.fromkeys(keys), "problem": problem}


def write_list(found: IndexSet, stream: TextIO) -> None:
    """Write a line for each scale of each series that is installed, then the files that do not load."""
    groups: dict[tuple[str, str, str], list[IndexFile]] = {}
    for file in found.files:
        name = parse_name(file.path.name)
        series, scale = (_OTHER, "") if name is None else (name.series, f"{name.scale:02d}")
        groups.setdefault((series, scale or str(file.index_id), str(file.path.parent)), []).append(file)
    if groups:
        write_aligned([_HEADINGS, *(_cells(key, files) for key, files in groups.items())], stream)
    for path, reason in found.damaged:
        stream.write(f"damaged: {printable_line(f'{path}: {reason}')}\n")


def _cells(key: tuple[str, str, str], files: Sequence[IndexFile]) -> tuple[str, ...]:
    series, scale, folder = key
    quads, size = files[0].quads_arcmin, sum(file.size_bytes for file in files)
    return (
        series, scale, f"{angle_text(quads.low)} to {angle_text(quads.high)}", _sky_text(files), str(len(files)),
        bytes_text(size), printable_line(folder),
    )  # fmt: skip


def _sky_text(files: Sequence[IndexFile]) -> str:
    if any(file.healpix < 0 for file in files):
        return "whole"
    tiles = {file.healpix for file in files}
    return f"{len(tiles)} of {12 * max(files[0].nside, 1) ** 2} tiles"


def recommendation_to_json(found: Recommendation) -> dict[str, Any]:
    """Return the JSON object of ``nova index recommend --json``."""
    return {
        "grade": found.grade.value,
        "series": found.series,
        "scale": found.scale.number,
        "quads_arcmin": list(found.quads_arcmin),
        "files": found.scale.tiles,
        "bytes": round(found.scale.size_mb * 1e6),
        "package": found.package,
        "installed": found.is_installed,
    }


def write_recommendations(found: Sequence[Recommendation], stream: TextIO) -> None:
    """Write what a field needs, by grade, and how to get what is missing: Debian's packages first."""
    for grade in Grade:
        chosen = [r for r in found if r.grade is grade]
        if chosen:
            stream.write(f"{_MEANINGS[grade].capitalize()}:\n")
            write_aligned([_recommendation_cells(r) for r in chosen], stream)
    for grade in (Grade.NEEDED, Grade.HELPFUL):
        for line in _advice([r for r in found if r.grade is grade and not r.is_installed]):
            stream.write(f"To get what is {grade.value}: {line}\n")


def _recommendation_cells(found: Recommendation) -> tuple[str, ...]:
    size = bytes_text(round(found.scale.size_mb * 1e6))
    files = count_text(found.scale.tiles, "file")
    state = "installed" if found.is_installed else ""
    quads = f"{angle_text(found.quads_arcmin.low)} to {angle_text(found.quads_arcmin.high)}"
    return f"  {found.series}", f"scale {found.scale.number:02d}", quads, files, size, state


def _advice(missing: Sequence[Recommendation]) -> Iterator[str]:
    """Yield the commands that install what is missing, each of which is enough for what it names."""
    packages = list(dict.fromkeys(r.package for r in missing if r.package is not None))
    if packages:
        yield f"apt install {' '.join(packages)} (Debian, Ubuntu)"
    by_series: dict[str, list[int]] = {}
    for r in missing:
        by_series.setdefault(r.series, []).append(r.scale.number)
    for series, scales in by_series.items():
        total_mb = sum(r.scale.size_mb for r in missing if r.series == series)
        command = f"nova index get {series} --scales {','.join(f'{n:02d}' for n in sorted(scales))}"
        yield f"{command} ({bytes_text(round(total_mb * 1e6))})"


def inspection_to_json(path: Path, problem: str | None, proofs: Sequence[str]) -> Mapping[str, Any]:
    """Return the JSON object of ``nova index verify --json``."""
    return {"file": str(path), "ok": problem is None, "problem": problem, "checksums": list(proofs)}
