"""When an image was taken."""

from __future__ import annotations

from pathlib import Path

import fitsio
import numpy as np
import pytest

from novacli.catalog.epoch import epoch_of, julian_year
from novacli.errors import UsageError
from novacli.records.field import Origin


@pytest.mark.parametrize(("text", "year"), [
    ("2000-01-01T12:00:00", 2000.0), ("2026:03:01 22:10:00", 2026.16), ("2023-02-30", None), ("", None),
    ("01/02/99", None),
])  # fmt: skip
def test_dates(text: str, year: float | None) -> None:
    assert julian_year(text) == (None if year is None else pytest.approx(year, abs=0.01))


def test_the_date_is_the_users_then_the_images_then_the_jobs(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    fitsio.write(path, np.zeros((5, 5), "f4"), header={"DATE-OBS": "2014-07-02T01:00:00"})
    here, gone = Origin(str(path), str(path), "FITS"), Origin("b.fits", str(tmp_path / "b.fits"), "FITS")
    assert epoch_of("2020-01-01", here, "2026-01-01").source == "--date"
    assert epoch_of(None, here, "2026-01-01").source == "DATE-OBS"
    assert epoch_of(None, here, "2026-01-01").year == pytest.approx(2014.5, abs=0.01)
    assert (epoch_of(None, gone, "2026-01-01").source, round(epoch_of(None, gone, "2026-01-01").year)) == ("job", 2026)


def test_what_is_no_date_is_refused() -> None:
    with pytest.raises(UsageError, match="--date soon is not a date"):
        epoch_of("soon", Origin("a", None, ""), None)
