from __future__ import annotations

import pytest

from novacli.text.quantities import angle_text, bytes_text, count_text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1 kB"), (94_208, "94.2 kB"), (999_600, "1 MB"),
     (298_000_000, "298 MB"), (84_400_000_000, "84.4 GB"), (2_000_000_000_000, "2 TB")],
)  # fmt: skip
def test_bytes_are_written_in_decimal_units(count: int, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("arcmin", "text"), [(0.5, "30″"), (2, "2′"), (22, "22′"), (60, "1°"), (85, "1.4°"), (2000, "33°"), (10800, "180°")]
)
def test_angles_are_written_in_the_unit_that_fits(arcmin: float, text: str) -> None:
    assert angle_text(arcmin) == text


def test_a_width_of_some_tenths_of_a_degree_stays_in_degrees() -> None:
    assert angle_text(44, degrees_from_arcmin=6) == "0.73°"


def test_angles_have_as_many_digits_as_are_asked_for() -> None:
    assert [angle_text(value, digits=3) for value in (0.6789, 12.345, 85, 7200)] == ["40.7″", "12.3′", "1.42°", "120°"]


def test_a_count_of_one_is_singular() -> None:
    assert [count_text(n, "job") for n in (0, 1, 20_000)] == ["0 jobs", "1 job", "20,000 jobs"]
