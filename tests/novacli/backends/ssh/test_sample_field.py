"""The small job of a check: real stars if there are some, at a width that the index files of the server serve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from novacli import config
from novacli.backends.ssh.sample_field import make_sample
from novacli.indexes.series import LIKELY_INDEXES
from solvehost.formats.axy import Range
from solvehost.indexes import index_set, selection
from solvehost.indexes.index_file import IndexFile


def serving(low_arcmin: float, high_arcmin: float) -> IndexFile:
    return IndexFile(Path("index-1.fits"), 1, -1, 1, Range(low_arcmin, high_arcmin), 1, 1, 1)


@pytest.mark.parametrize("quads", [(10, 2000), (10, 16), (30, 42), (480, 680)])
def test_the_index_files_serve_the_width_of_the_field(
    quads: tuple[float, float], monkeypatch: Any, tmp_path: Any
) -> None:
    monkeypatch.setenv("NOVA_INDEX", str(tmp_path / "none"))
    sample = make_sample([serving(*quads)], config.load())
    assert not sample.is_sky
    assert selection.select(sample.attempt, [serving(*quads)])


@pytest.mark.parametrize("files", [[], [serving(0.1, 0.2)]])
def test_if_no_width_can_be_drawn_the_stars_are_random(files: list[IndexFile]) -> None:
    sample = make_sample(files, config.load())
    assert (sample.is_sky, sample.description) == (False, "a job of 20 random stars")


@pytest.mark.engine
def test_the_stars_of_an_installed_index_file_are_real(real_indexes: index_set.IndexSet) -> None:
    sample = make_sample(LIKELY_INDEXES, config.load())
    assert (sample.is_sky, sample.description) == (True, "a field of 100 stars")
    assert all(0.5 <= x <= 1000.5 for x in sample.attempt.stars.x)
