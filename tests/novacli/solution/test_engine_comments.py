from __future__ import annotations

from pathlib import Path

import made_results as made
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novacli.solution import engine_comments
from solvehost.formats.axy import Range
from solvehost.indexes.index_file import IndexFile


def listing(*paths: str) -> list[str]:
    """Index lines as the engine writes them, broken after 58 characters."""
    lines: list[str] = []
    for n, path in enumerate(paths):
        lines.append(f"Index({n}):")
        lines += [f"  {path[at : at + 58]}" for at in range(0, len(path), 58)]
    return lines


def test_the_match_is_read_from_the_comments() -> None:
    """Index file, its number, log-odds and number of matches."""
    quad = engine_comments.read((*made.INDEX_LINES, "Field name: job.axy", *made.QUAD_LINES))
    assert quad == engine_comments.QuadMatch("index-tycho2-17.littleendian.fits", True, 4117, -1, 226.735, 47)


@pytest.mark.parametrize(
    ("names", "index_id", "healpix", "name"),
    [
        (["index-4107.fits", "index-4108.fits"], 4108, -1, "index-4108.fits"),
        (["index-5205-11.fits", "index-5205-12.fits"], 5205, 12, "index-5205-12.fits"),
        (["index-219.fits", "index-218.fits"], 219, -1, "index-219.fits"),
        (["index-tycho2-07.fits", "index-tycho2-08.fits"], 4107, -1, "index-tycho2-07.fits"),
        (["mine.fits"], 99, -1, "mine.fits"),
        (["one.fits", "two.fits"], 99, -1, "index 99"),
        (["one.fits", "two.fits"], 5200, 7, "index 5200-07"),
    ],
)
def test_index_number_to_file(names: list[str], index_id: int, healpix: int, name: str) -> None:
    """The naming of each series is known; an unknown one is named by its number."""
    lines = [*listing(*(f"/nowhere/{n}" for n in names)), f"index id: {index_id}", f"index healpix: {healpix}"]
    assert engine_comments.read(lines).index == name


def test_files_with_other_names_are_identified_by_their_headers() -> None:
    """The headers of the index files that are known here; no listed path is opened."""
    known = [IndexFile(Path(f"/here/{name}"), number, -1, 1, Range(1, 2), 9, 9, 9) for name, number in NAMED]
    lines = [*listing("/there/a.fits", "/there/b.fits"), "index id: 8", "index healpix: -1"]
    assert engine_comments.read(lines, known).index == "b.fits"
    assert engine_comments.read(lines, known[:1]).index == "index 8"


NAMED = (("a.fits", 7), ("b.fits", 8), ("c.fits", 8))


def test_a_long_path_takes_several_lines() -> None:
    """Lines broken within a word are joined without, those broken at a space with a space."""
    deep = "/" + "d" * 80 + "/index-4110.fits"
    lines = ["Index(0):", "  " + "/" + "e" * 57, "  eee/dir with", "  space/index-4111 x.fits", *listing("/a", deep)]
    assert engine_comments.read(lines).index == "unknown"
    assert engine_comments.read([*lines, "index id: 4110"]).index == "index-4110.fits"
    assert engine_comments.read([*lines, "index id: 4111"]).index == "index-4111 x.fits"


def test_control_characters_do_not_reach_the_terminal() -> None:
    """A hostile name is shown with question marks for what is not printable."""
    assert engine_comments.read(["Index(0):", "  /x/\x1b[2Jevil\x07.fits"]).index == r"\x1b[2Jevil\x07.fits"


def test_a_very_long_number_in_a_name_is_not_an_error() -> None:
    """Python refuses to read one of more than 4300 digits."""
    lines = [*listing("/x/" + "1" * 5000, "/x/b.fits"), "index id: 8"]
    assert engine_comments.read(lines).index == "index 8"


@given(st.lists(st.text(max_size=80), max_size=30))
def test_prose_never_raises(lines: list[str]) -> None:
    """Any comments give a record."""
    quad = engine_comments.read([*lines, "Index(0):", *lines])
    assert quad.index.isprintable()
