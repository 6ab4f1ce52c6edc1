"""Lists of stars as CSV, ECSV, white-space text and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novacli.errors import DataError, NovaError
from novacli.inputs import FileInput, Limits, open_field
from novacli.records.field import StarList

X = [10.5, 20.0, 30.0, 40.0]
Y = [1.0, 2.0, 3.25, 400.0]
FLUX = [9.0, 8.0, 7.0, 6.0]
ROWS = list(zip(X, Y, FLUX, strict=True))


def read_stars(folder: Path, text: str, name: str = "stars.txt", **options: object) -> StarList:
    (folder / name).write_text(text, encoding="utf-8")
    field = open_field(FileInput(str(folder / name)), **options)  # type: ignore[arg-type]
    assert isinstance(field, StarList)
    return field


def lines(separator: str, *, columns: int = 3) -> str:
    return "".join(separator.join(str(value) for value in row[:columns]) + "\n" for row in ROWS)


@pytest.mark.parametrize("separator", [",", ", ", ";", "\t", " ", "   ", "|"])
@pytest.mark.parametrize("header", ["", "x{0}y{0}flux\n", "# a comment\n\nX_IMAGE{0}Y_IMAGE{0}FLUX_AUTO\n"])
def test_every_delimiter_is_read_with_and_without_names(tmp_path: Path, separator: str, header: str) -> None:
    """Without names the columns are x, y, flux; the order of the rows is kept."""
    stars = read_stars(tmp_path, header.format(separator) + lines(separator))
    assert (stars.x.tolist(), stars.y.tolist()) == (X, Y)
    assert stars.flux is not None
    assert stars.flux.tolist() == FLUX
    assert (stars.width, stars.height, stars.size_is_guessed) == (40, 400, True)
    assert (len(stars.x), stars.width, stars.height, stars.origin.format) == (4, 40, 400, "text")


@pytest.mark.parametrize("separator", [";", "\t", " "])
def test_decimal_commas_are_read(tmp_path: Path, separator: str) -> None:
    """As spreadsheets write them in many countries."""
    stars = read_stars(tmp_path, f"x{separator}y{separator}flux\n" + lines(separator).replace(".", ","))
    assert (stars.x.tolist(), stars.y.tolist()) == (X, Y)


def test_commas_between_thousands_are_not_decimal_commas(tmp_path: Path) -> None:
    """Such rows are dropped and counted, since 1,234 is not 1.234."""
    stars = read_stars(tmp_path, 'x,y,flux\n"1,234",5,6\n' + lines(","), size=(500, 500))
    assert (stars.x.tolist(), stars.notes) == (X, ("dropped 1 of 5 rows without finite numbers",))


def test_a_note_warns_of_further_columns_without_names(tmp_path: Path) -> None:
    rows = "".join(f"{x} {y} {flux} {flux}\n" for x, y, flux in ROWS)
    stars = read_stars(tmp_path, rows, size=(500, 500))
    assert stars.notes == ("took the first 3 of 4 columns without names as x, y and flux: name them in a first line",)


def test_two_columns_keep_the_order_of_the_list(tmp_path: Path) -> None:
    assert read_stars(tmp_path, lines(" ", columns=2)).flux is None


def test_columns_are_found_by_name_among_others(tmp_path: Path) -> None:
    """In any order and case, beside words and empty cells."""
    rows = "".join(f'"NGC {i}",,{y},{x}\n' for i, (x, y, _) in enumerate(ROWS))
    stars = read_stars(tmp_path, "Name,Note,yCentroid,xCentroid\n" + rows, "stars.csv", size=(500, 500))
    assert (stars.x.tolist(), stars.y.tolist()) == (X, Y)
    assert stars.notes == (
        "took xCentroid, yCentroid as FITS pixel coordinates (photutils counts from 0, FITS from 1)",
    )


def test_magnitudes_sort_the_brightest_first(tmp_path: Path) -> None:
    """The smallest magnitude is the brightest."""
    stars = read_stars(tmp_path, "x y MAG\n1 1 12\n2 2 9\n3 3 10\n4 4 11\n")
    assert stars.x.tolist() == [2, 3, 4, 1]
    assert stars.flux is not None
    assert np.all(np.diff(stars.flux) < 0)


def test_names_in_a_comment_as_numpy_writes_them(tmp_path: Path) -> None:
    """``numpy.savetxt(…, header="flux y x")``."""
    np.savetxt(tmp_path / "n.txt", np.array(ROWS)[:, ::-1], header="flux y x")
    stars = open_field(FileInput(str(tmp_path / "n.txt")))
    assert isinstance(stars, StarList)
    assert stars.x.tolist() == X


def test_names_in_comments_as_sextractor_writes_them(tmp_path: Path) -> None:
    """Its columns are numbered, and the first one, NUMBER, is not x."""
    head = "#   1 NUMBER     Running object number\n#   2 FLUX_AUTO  Flux  [count]\n"
    head += "#   3 X_IMAGE    Object position along x  [pixel]\n#   4 Y_IMAGE    Object position along y  [pixel]\n"
    body = "".join(f"  {i}  {f}  {x}  {y}\n" for i, (x, y, f) in enumerate(ROWS))
    stars = read_stars(tmp_path, head + body, "x.cat")
    assert (stars.x.tolist(), stars.y.tolist()) == (X, Y)


@pytest.mark.parametrize("delimiter", [" ", ","])
def test_an_ecsv_of_astropy_is_read_with_its_meta(tmp_path: Path, delimiter: str) -> None:
    """The size of the image is in it."""
    table = Table({"id": ["a b", "c", "d", "e"], "x": X, "y": Y, "flux": FLUX}, meta={"IMAGEW": 640, "IMAGEH": 480})
    table.write(tmp_path / "x.ecsv", format="ascii.ecsv", delimiter=delimiter)
    stars = open_field(FileInput(str(tmp_path / "x.ecsv")))
    assert isinstance(stars, StarList)
    assert (stars.x.tolist(), stars.width, stars.height, stars.size_is_guessed) == (X, 640, 480, False)


def test_the_size_is_read_from_a_comment(tmp_path: Path) -> None:
    """``# width = 640``."""
    stars = read_stars(tmp_path, "# width = 640, height = 480\n" + lines(","))
    assert (stars.width, stars.height, stars.notes) == (640, 480, ())


def test_bad_rows_are_dropped_and_counted(tmp_path: Path) -> None:
    """Short ones, words, missing values and infinities."""
    stars = read_stars(tmp_path, lines(",") + "5\nfive,5,5\nnan,5,5\n5,inf,5\n--,5,5\n", size=(50, 500))
    assert stars.x.tolist() == X
    assert stars.notes == ("dropped 5 of 9 rows without finite numbers",)


def test_a_note_counts_stars_outside_the_image(tmp_path: Path) -> None:
    """The size is probably wrong then, which would make the solution wrong."""
    assert read_stars(tmp_path, lines(","), size=(35, 500)).notes == ("1 stars lie outside 35 x 500 pixels",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Dear astronomer,\nthis is a letter.\n", "is a text file, neither an image nor a list of stars"),
        ("1\n2\n3\n4\n5\n", "no columns x and y"),
        ("ra,dec\n1,2\n3,4\n5,6\n7,8\n", "a table without columns x and y: it has ra, dec; rename the two"),
        (f"{','.join(f'col{n}' for n in range(9))}\n{'1,' * 8}1\n", "it has col0, .*, col7, ...; rename"),
        ("dear reader\nyours truly\n", "a list of stars: it has no columns x and y"),
        ("# only\n# comments\n", "without a line of data"),
        ("x,y\n1,2\n3,4\n", "lists 2 stars with finite x and y"),
        ("x,y\n" + "1,1e30\n" * 5, r"stars at x, y up to 1e\+30 pixels"),
    ],
)
def test_a_text_that_is_not_a_star_list_is_a_one_line_error(tmp_path: Path, text: str, message: str) -> None:
    """It contains the file's name and what is missing."""
    with pytest.raises(DataError, match=message):
        read_stars(tmp_path, text)


def test_the_error_about_too_many_stars_names_the_limit(tmp_path: Path) -> None:
    """By their number, and by the size of the text before it is read."""
    with pytest.raises(DataError, match=r"more than 3 stars, the limit \(max_stars\)"):
        read_stars(tmp_path, lines(","), limits=Limits(max_stars=3))
    with pytest.raises(DataError, match=r"more than 5 stars, the limit \(max_stars\)"):
        read_stars(tmp_path, "1,1\n" * 4 + "#" * 5000, limits=Limits(max_stars=5))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    """Spreadsheets write them."""
    (tmp_path / "x.csv").write_bytes(("x,y,flux,Größe\n" + lines(",")).encode(encoding))
    stars = open_field(FileInput(str(tmp_path / "x.csv")))
    assert isinstance(stars, StarList)
    assert stars.x.tolist() == X


@pytest.mark.parametrize(
    "document",
    [
        {"x": X, "y": Y, "flux": FLUX},
        [list(row) for row in ROWS],
        [{"x": x, "y": y, "flux": f, "name": "a"} for x, y, f in ROWS],
        {"X_IMAGE": X, "Y_IMAGE": Y, "flux": FLUX, "names": ["a"]},
    ],
)
def test_every_shape_of_json(tmp_path: Path, document: object) -> None:
    """Lists by column, a list of rows, a list of objects."""
    stars = read_stars(tmp_path, json.dumps(document))
    assert (stars.x.tolist(), stars.y.tolist(), stars.origin.format) == (X, Y, "JSON")
    assert stars.flux is not None
    assert stars.flux.tolist() == FLUX


def test_json_has_size_and_header_entries(tmp_path: Path) -> None:
    """What is not a list is a header entry."""
    stars = read_stars(tmp_path, json.dumps({"x": X, "y": Y, "mag": FLUX, "width": 640, "height": 480, "RA": 10.5}))
    assert (stars.width, stars.height, stars.size_is_guessed, stars.header["RA"]) == (640, 480, False, 10.5)
    assert stars.x.tolist() == X[::-1]


def test_json_values_that_are_not_numbers_are_dropped(tmp_path: Path) -> None:
    """Null, truth values, lists, and integers beyond a float."""
    bad = [[None, 1], [True, 1], [[], 1], [10**400, 1], ["x", 1], [float("nan"), 1]]
    stars = read_stars(tmp_path, json.dumps([list(row[:2]) for row in ROWS] + bad))
    assert stars.x.tolist() == X


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("{}", "is JSON, but not a list of stars"),
        ("[]", "is JSON, but not a list of stars"),
        ('[1, [2, 3], {"x": 4}]', "is JSON, but not a list of stars"),
        ('{"x": 1, "y": 2}', "is JSON, but not a list of stars"),
        ('{"x": [1, 2, 3, 4, 5], "y": [1, 2]}', "its lists x, y differ in length"),
    ],
)
def test_json_that_is_not_a_star_list_is_a_one_line_error(tmp_path: Path, text: str, message: str) -> None:
    """It contains the file's name."""
    with pytest.raises(DataError, match=message):
        read_stars(tmp_path, text, "stars.json")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(min_size=1), st.sampled_from(["", "x,y\n", "x y mag\n", "[", '{"x": [', "# %ECSV 1.0\n"]))
def test_any_text_is_a_list_or_a_one_line_error(tmp_path: Path, text: str, start: str) -> None:
    """No other error is raised."""
    (tmp_path / "any.txt").write_text(start + text, encoding="utf-8")
    try:
        assert isinstance(open_field(FileInput(str(tmp_path / "any.txt"))), StarList)
    except NovaError as exc:
        assert "\n" not in str(exc)
        assert "any.txt" in str(exc)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(min_value=1, max_value=5000)] * 3), min_size=4, max_size=20),
    st.sampled_from([",", ";", " ", "\t"]),
)
def test_numbers_are_read_exactly(tmp_path: Path, rows: list[tuple[float, float, float]], separator: str) -> None:
    """To the last bit."""
    text = "".join(separator.join(map(repr, row)) + "\n" for row in rows)
    stars = read_stars(tmp_path, text)
    assert stars.flux is not None
    assert list(zip(stars.x.tolist(), stars.y.tolist(), stars.flux.tolist(), strict=True)) == rows
