"""Which index files a field needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from novacli.errors import UsageError
from novacli.indexes.field_size import FieldSize, parse_field_size
from novacli.indexes.recommendation import Grade, recommend
from solvehost.formats.axy import Range
from solvehost.indexes.index_file import IndexFile


def _grades(width_deg: float, height_deg: float) -> dict[Grade, list[str]]:
    found = recommend(width_deg, height_deg, ())
    names = {grade: [f"{r.series[:2]}{r.scale.number:02d}" for r in found if r.grade is grade] for grade in Grade}
    return {grade: sorted(numbers) for grade, numbers in names.items() if numbers}


def test_a_field_of_one_and_a_half_degrees() -> None:
    assert _grades(1.5, 1.0) == {
        Grade.NEEDED: ["4108", "4109", "4110"],
        Grade.HELPFUL: ["4107", "4111", "5205", "5206"],
        Grade.RARELY: ["5203", "5204"],
    }


@pytest.mark.parametrize("width", [0.1, 0.5, 3.0, 20.0, 60.0])
def test_a_field_on_its_side_needs_the_same(width: float) -> None:
    assert _grades(width, width / 2) == _grades(width / 2, width)


def test_a_field_smaller_than_all_quads_gets_nothing() -> None:
    assert recommend(0.01, 0.01, ()) == []


def _file(index_id: int, low: float, high: float, healpix: int = -1, nside: int = 0) -> IndexFile:
    return IndexFile(Path(f"{index_id}-{healpix}"), index_id, healpix, nside, Range(low, high), 1, 1, 1)


def test_installed_files_count_whatever_series_they_are_of() -> None:
    """A whole sky, or all tiles of one series; the tiles of two series do not add up."""
    tiles = [_file(5206, 16, 22, n, 2) for n in range(48)]
    cases = {
        (): False,
        (_file(4206, 16, 22),): True,
        tuple(tiles): True,
        tuple(tiles[:47]): False,
        (*tiles[:47], _file(5006, 16, 22, 47, 2)): False,
        (_file(4107, 22, 30),): False,
    }
    for installed, wanted in cases.items():
        (found,) = (r for r in recommend(0.5, 0.5, installed) if r.scale.number == 6)
        assert found.is_installed is wanted


@pytest.mark.parametrize(("text", "size"), [
    ("1.5deg", (1.5, 1.5)), ("1.5", (1.5, 1.5)), ("90arcmin", (1.5, 1.5)), ("1.5x1deg", (1.5, 1)),
    ("90 x 60 arcmin", (1.5, 1)), ("30′", (0.5, 0.5)), ("1800arcsec", (0.5, 0.5)), ("2°", (2, 2)),
    ("3×2 degrees", (3, 2)),
])  # fmt: skip
def test_sizes_are_understood(text: str, size: tuple[float, float]) -> None:
    found = parse_field_size(text)
    assert (found.width_deg, found.height_deg) == pytest.approx(size)


@pytest.mark.parametrize("text", ["", "deg", "0deg", "-1", "1x", "200deg", "1 parsec", "1e3", "nan", "1x2x3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="of a field is not"):
        parse_field_size(text)


def test_the_size_of_pixels() -> None:
    assert FieldSize.of_pixels(3600, 1800, 2.0) == FieldSize(2.0, 1.0)
    assert FieldSize.of_pixels(3600, 1800, 2.0).text == "2° × 1°"
