"""The axy: its bytes stay the same, it is read back unchanged, and only known cards are taken from outside."""

from __future__ import annotations

import io
import math
import struct
import tracemalloc
from array import array
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from solvehost.errors import DataError, InputMissingError
from solvehost.formats import axy, fitsfile, star_table
from solvehost.formats.axy import Attempt, Range, Schedule, parse, to_bytes
from solvehost.formats.fitsfile import card, end_header, pad_data
from solvehost.formats.star_table import Stars

GOLDEN = Path(__file__).parents[1] / "golden"
STARS = Stars(array("f", [1.0, 250.5, 1000.0]), array("f", [1.0, 400.25, 800.0]), array("f", [900.0, 0.5, 0.0]))

FULL = Attempt(
    width=1000,
    height=800,
    stars=STARS,
    scales_arcsec_per_pixel=(Range(1.5, 2.5), Range(0.1, 180.0)),
    center_deg=(83.633, 22.0145),
    radius_deg=2.5,
    parity=1,
    tweak_order=3,
    crpix_center=True,
    depths=((1, 10), (11, 25)),
    code_tolerance=0.005,
    cpu_limit_s=30.0,
    odds_to_solve=1e9,
    position_error_px=1.0,
    quad_fraction=Range(0.15, 0.9),
    verify_uniformize=False,
    verify_wcs=(83.633, 22.0145, 500.5, 400.5, -0.0005, 0.0, 0.0, 0.0005),
    schedule=Schedule(2, 0.3, Range(60.0, 340.0), False, True, 1.5, "W by flux"),
)
PLAIN = Attempt(640, 480, STARS)
DEDUP = replace(PLAIN, verify_dedup=False)
CERTAIN = replace(PLAIN, odds_to_solve=1e13, odds_to_keep=1e13)


# --- Written ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "attempt"), [("full.axy", FULL), ("plain.axy", PLAIN), ("dedup.axy", DEDUP), ("sure.axy", CERTAIN)]
)
def test_the_bytes_of_the_format_stay_the_same(name: str, attempt: Attempt) -> None:
    """Deployed servers and stored jobs depend on them: golden files are added, never changed."""
    golden = (GOLDEN / name).read_bytes()
    assert to_bytes(attempt) == golden
    assert parse(golden) == attempt


def test_parity_is_the_sign_of_the_determinant() -> None:
    """The engine's NEG finds det(CD) > 0."""
    words = {parity: fitsfile.read_header(io.BytesIO(to_bytes(replace(PLAIN, parity=parity)))).get("ANPARITY")
             for parity in (1, -1, None)}  # fmt: skip
    assert words == {1: "NEG", -1: "POS", None: None}


def test_the_output_files_have_fixed_names() -> None:
    header = fitsfile.read_header(io.BytesIO(to_bytes(FULL)))
    paths = {k: header[k] for k in header if isinstance(header[k], str) and k not in ("ANPARITY", "NVLABEL")}
    assert paths == {"ANSOLVED": "solved", "ANWCS": "wcs.fits", "ANCORR": "corr.fits", "ANRDLS": "rdls.fits"}


@pytest.mark.parametrize(
    "change", [{"radius_deg": math.nan}, {"schedule": Schedule(label="ü")}, {"schedule": Schedule(label="x" * 70)}]
)
def test_a_value_that_fits_no_card_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="FITS"):
        to_bytes(replace(FULL, **change))  # type: ignore[arg-type]


# --- Written and read ---------------------------------------------------------------------------------------------


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_subnormal=False)


def ranges(low: float, high: float) -> st.SearchStrategy[Range]:
    return st.tuples(numbers(low, high), numbers(low, high)).map(lambda pair: Range(*sorted(pair)))


def maybe(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


single = st.floats(width=32, allow_nan=False, allow_infinity=False)
stars = st.lists(st.tuples(single, single, single), min_size=1, max_size=30).map(
    lambda rows: Stars(*(array("f", column) for column in zip(*rows, strict=True)))
)
schedules = st.builds(
    Schedule,
    rank=st.integers(0, 1000),
    delay_s=numbers(0, 3600),
    quads_arcmin=maybe(ranges(0, 1e5)),
    coarse_first=st.booleans(),
    parallel=st.booleans(),
    slice_s=maybe(numbers(0.01, 1e6)),
    label=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30).map(str.rstrip),
)
depths = st.tuples(st.integers(1, 1000), st.integers(1, 1000)).map(lambda pair: tuple(sorted(pair)))
placed = st.tuples(st.tuples(numbers(0, 360), numbers(-90, 90)), numbers(0, 360))
attempts = st.builds(
    lambda place, **others: Attempt(**others, center_deg=place and place[0], radius_deg=place and place[1]),
    place=maybe(placed),
    width=st.integers(1, 10**6),
    height=st.integers(1, 10**6),
    stars=stars,
    scales_arcsec_per_pixel=st.lists(ranges(0, 1e5), max_size=16).map(tuple),
    parity=st.sampled_from([1, -1, None]),
    tweak_order=st.integers(0, 9),
    crpix_center=st.booleans(),
    depths=st.lists(depths, max_size=32).map(tuple),
    code_tolerance=maybe(numbers(1e-6, 0.1)),
    cpu_limit_s=maybe(numbers(0, 1e6)),
    odds_to_solve=maybe(numbers(1, 1e100)),
    odds_to_keep=maybe(numbers(1, 1e100)),
    position_error_px=maybe(numbers(1e-3, 100)),
    quad_fraction=maybe(ranges(0, 1)),
    verify_uniformize=st.sampled_from([True, False, None]),
    verify_dedup=st.sampled_from([True, False, None]),
    verify_wcs=maybe(st.tuples(*[numbers(-1e9, 1e9)] * 8)),
    schedule=schedules,
)


@given(attempts)
@settings(max_examples=150, deadline=None)
def test_a_written_attempt_is_read_unchanged(attempt: Attempt) -> None:
    """Every number to its last bit; written again, it gives the same bytes."""
    written = to_bytes(attempt)
    assert len(written) % fitsfile.BLOCK == 0
    assert parse(written) == attempt
    assert to_bytes(parse(written)) == written


def test_a_file_is_written_and_read(tmp_path: Path) -> None:
    axy.write(FULL, tmp_path / "job.axy")
    assert axy.read(tmp_path / "job.axy") == FULL


def test_the_error_names_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "job.axy"
    with pytest.raises(InputMissingError, match=r"job\.axy: No such file"):
        axy.read(path)
    path.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"job\.axy: a FITS header ends"):
        axy.read(path)
    with pytest.raises(InputMissingError, match="Is a directory"):
        axy.read(tmp_path)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "job.axy"
    with path.open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(DataError, match="has more than 16777216 bytes"):
        axy.read(path)


# --- Primary headers from outside-----------------------------------------------------------------------------------


def foreign(*cards: bytes, table: bytes | None = None, width: int = 1000) -> bytes:
    """Return an axy with these cards, in this order, between the few that every axy has."""
    needed = [card("SIMPLE", True), card("BITPIX", 8), card("NAXIS", 0)]
    size = [card("IMAGEW", width), card("IMAGEH", 800)]
    return end_header([*needed, *cards, *size]) + (star_table.table_bytes(STARS) if table is None else table)


def raw(text: str) -> bytes:
    return text.encode("latin-1").ljust(80)[:80]


def cards_of(data: bytes) -> list[str]:
    """Return the header's cards as text, up to END."""
    lines = [data[i : i + 80].decode("latin-1") for i in range(0, len(data), 80)]
    return lines[: lines.index("END".ljust(80))]


PATH_CARDS = ("ANSOLVED", "ANWCS", "ANMATCH", "ANRDLS", "ANCORR", "ANSCAMP", "ANSOLVIN", "ANCANCEL")


@pytest.mark.parametrize("path", ["/etc/passwd", "../../x", "/dev/stdout", "%n%n%p", "a\\b"])
def test_no_path_from_outside_is_written_again(path: str) -> None:
    """The file that is written from the record equals the one without these cards."""
    attempt = parse(foreign(*(card(k, path) for k in PATH_CARDS)))
    rebuilt = to_bytes(attempt)
    assert path.encode() not in rebuilt
    assert rebuilt == to_bytes(parse(foreign()))
    assert set(attempt.dropped_cards) == {"ANMATCH", "ANSCAMP", "ANSOLVIN", "ANCANCEL"}


@pytest.mark.parametrize(
    "line",
    [
        "ANWCS\0\0\0= '/tmp/canary'",
        "anwcs   = '/tmp/canary'",
        "ANWCS        = '/tmp/canary'",
        "ANWCS   ='/tmp/canary'",
        "CONTINUE  '/tmp/canary'",
        "COMMENT ANWCS   = '/tmp/canary'",
        "HIERARCH ANWCS = '/tmp/canary'",
        "        = '/tmp/canary'",
        "X\n      = '/tmp/canary'",
        "\x1b[2J    = '/tmp/canary'",
        "ANFDU1  =           2147483647",
        "ANDISTR =                1E+09",
        "ANW2PIX1=                1E+09",
    ],
)
def test_no_spelling_of_an_unknown_card_is_written_again(line: str) -> None:
    """NULs, lower case, an equals sign elsewhere, continuations: everything that the engine would accept."""
    attempt = parse(foreign(raw(line)))
    assert to_bytes(attempt) == to_bytes(parse(foreign()))


def test_only_known_cards_are_written() -> None:
    known = {line[:8].rstrip() for line in cards_of(to_bytes(FULL))}
    odd = [raw(f"{name:<8}= 5") for name in ("ANDEPTH", "ANAPPDEF", "ANFDL1", "ANTLIM", "NVFOO", "ANAPPL17", "ANDPL33")]
    written = {line[:8].rstrip() for line in cards_of(to_bytes(parse(foreign(*odd))))}
    assert written <= known | {f"ANDP{end}{n}" for end in "LU" for n in range(1, 6)}


def test_the_first_of_repeated_cards_counts() -> None:
    assert parse(foreign(card("ANCTOL", 0.005), card("ANCTOL", 1e300))).code_tolerance == 0.005
    with pytest.raises(DataError, match="ANERAD"):
        parse(foreign(raw("ANERAD  = five"), card("ANERAD", 5.0)))


@pytest.mark.parametrize(
    ("line", "keyword"),
    [
        ("IMAGEW  = 0", "IMAGEW"),
        ("IMAGEW  = 10.5", "IMAGEW"),
        ("IMAGEW  = 1000001", "IMAGEW"),
        ("IMAGEW  = '1000'", "IMAGEW"),
        ("IMAGEW  = T", "IMAGEW"),
        ("ANERA   = 361", "ANERA"),
        ("ANEDEC  = 95", "ANEDEC"),
        ("ANERAD  = 1e300", "ANERAD"),
        ("ANERAD  = NaN", "ANERAD"),
        ("ANERAD  = -inf", "ANERAD"),
        ("ANERAD  = 5 degrees", "ANERAD"),
        ("ANERAD  =", "ANERAD"),
        ("ANPOSERR= 1e9", "ANPOSERR"),
        ("ANPARITY= 'LEFT'", "ANPARITY"),
        ("ANPARITY= 1", "ANPARITY"),
        ("ANPARITY= NEG", "ANPARITY"),
        ("ANTWEAK = 1", "ANTWEAK"),
        ("ANTWEAKO= 99", "ANTWEAKO"),
        ("ANTWEAKO= 2.5", "ANTWEAKO"),
        ("ANCRPIXC= 'T'", "ANCRPIXC"),
        ("ANCLIM  = -1", "ANCLIM"),
        ("ANCTOL  = 0.2", "ANCTOL"),
        ("ANODDSSL= 0.5", "ANODDSSL"),
        ("ANODDSKP= 1e200", "ANODDSKP"),
        ("ANW1CD11= 1e10", "ANW1CD11"),
        ("ANXCOL  = 5", "ANXCOL"),
        ("ANYCOL  = 'caf\xe9'", "ANYCOL"),
        ("NVRANK  = -1", "NVRANK"),
        ("NVDELAY = 1e9", "NVDELAY"),
        ("NVSLICE = 0", "NVSLICE"),
        ("NVCOARSE= 2", "NVCOARSE"),
        (f"NVLABEL = '{'x' * 61}'", "NVLABEL"),
        ("NVLABEL = '\x1b[2J'", "NVLABEL"),
        ("NVLABEL = 5", "NVLABEL"),
    ],
)
def test_the_error_names_a_known_card_that_is_malformed_or_out_of_range(line: str, keyword: str) -> None:
    with pytest.raises(DataError, match=f"axy card {keyword} "):
        parse(foreign(raw(line)))


@pytest.mark.parametrize(
    ("low", "high"), [("ANAPPL1", "ANAPPU1"), ("ANDPL2", "ANDPU2"), ("ANQSFMIN", "ANQSFMAX"), ("NVQLO", "NVQHI")]
)
def test_the_error_names_a_range_that_is_reversed_or_too_wide(low: str, high: str) -> None:
    unit = 0.1 if low == "ANQSFMIN" else 1
    with pytest.raises(DataError, match=f"{low} and {high} have their bounds reversed"):
        parse(foreign(card(low, 2 * unit), card(high, 1 * unit)))
    with pytest.raises(DataError, match=f"axy card {high} is"):
        parse(foreign(card(low, 1 * unit), card(high, 1e9)))


def test_depths_are_whole_numbers_and_at_most_32() -> None:
    with pytest.raises(DataError, match=r"ANDPL1 is 1\.5: expected a whole number"):
        parse(foreign(card("ANDPL1", 1.5), card("ANDPU1", 3)))
    sixty = [c for n in range(1, 61) for c in (card(f"ANDPL{n}", n), card(f"ANDPU{n}", n))]
    assert len(parse(foreign(*sixty)).depths) == 32


@pytest.mark.parametrize("missing", ["ANERA", "ANEDEC", "ANERAD"])
def test_an_incomplete_position_is_ignored(missing: str) -> None:
    """The engine needs all three cards as well."""
    position = {"ANERA": 10.0, "ANEDEC": 20.0, "ANERAD": 5.0}
    attempt = parse(foreign(*(card(k, v) for k, v in position.items() if k != missing)))
    assert (attempt.center_deg, attempt.radius_deg) == (None, None)


def test_the_size_of_the_image_is_required() -> None:
    data = end_header([card("BITPIX", 8), card("NAXIS", 0), card("IMAGEW", 5)]) + star_table.table_bytes(STARS)
    with pytest.raises(DataError, match="no IMAGEW and IMAGEH"):
        parse(data)


def test_every_dropped_card_of_a_huge_header_is_listed() -> None:
    cards = [card(f"K{n:07d}", n) for n in range(36 * 3900)]
    assert len(parse(foreign(*cards)).dropped_cards) == len(cards)


# --- Tables from outside--------------------------------------------------------------------------------------------


def make_table(columns: list[tuple[str, str]], body: bytes, rows: int, **changes: fitsfile.CardValue) -> bytes:
    """Return a binary table with (name, TFORM) columns; ``changes`` replace cards."""
    sizes = {"E": 4, "D": 8, "I": 2, "J": 4, "K": 8, "B": 1, "L": 1}
    row = sum(sizes.get(form, 0) for _, form in columns)
    cards: dict[str, fitsfile.CardValue] = {
        "XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": row, "NAXIS2": rows, "PCOUNT": 0, "GCOUNT": 1,
        "TFIELDS": len(columns),
    }  # fmt: skip
    for n, (name, form) in enumerate(columns, 1):
        cards |= {f"TTYPE{n}": name, f"TFORM{n}": form}
    return end_header([card(k, v) for k, v in (cards | changes).items()]) + pad_data(body)


def one_row(columns: list[tuple[str, str]], layout: str, *values: float, **changes: fitsfile.CardValue) -> Stars:
    table = make_table(columns, struct.pack(">" + layout, *values), 1, **changes)
    return parse(foreign(table=table)).stars


@pytest.mark.parametrize(("form", "code"), [("E", "f"), ("D", "d"), ("I", "h"), ("J", "i"), ("1D", "d"), ("1E", "f")])
def test_coordinates_of_every_numeric_form_are_read(form: str, code: str) -> None:
    size = {"E": 4, "D": 8, "I": 2, "J": 4}[form[-1]]
    columns = [("X", form), ("Y", form), ("FLUX", form)]
    assert one_row(columns, code * 3, 11, 22, 33, NAXIS1=3 * size) == Stars(*(array("f", [v]) for v in (11, 22, 33)))


def test_columns_with_other_names_are_read() -> None:
    """SourceExtractor's, with other columns between and without flux; they are written as X, Y, FLUX."""
    columns = [("NUMBER", "J"), ("X_IMAGE", "D"), ("FLAGS", "I"), ("Y_IMAGE", "D"), ("OK", "B")]
    body = struct.pack(">idhdB", 1, 11.5, 3, 22.5, 1)
    cards = (card("ANXCOL", "X_IMAGE"), card("ANYCOL", "y_image"))
    attempt = parse(foreign(*cards, table=make_table(columns, body, 1)))
    assert attempt.stars == Stars(array("f", [11.5]), array("f", [22.5]), array("f", [0]))
    written = to_bytes(attempt)
    assert b"X_IMAGE" not in written
    assert parse(written).stars == attempt.stars


def test_columns_of_other_forms_are_skipped() -> None:
    """Strings, bits, arrays and array descriptors before the coordinates."""
    columns = [("NAME", "20A"), ("BITS", "11X"), ("VIGNET", "2E"), ("HEAP", "1PE(100)"), ("X", "E"), ("Y", "E")]
    body = b"n" * 20 + b"\1\2" + struct.pack(">ff", 5, 6) + b"p" * 8 + struct.pack(">ff", 11, 22)
    table = make_table(columns, body, 1, NAXIS1=len(body))
    assert parse(foreign(table=table)).stars.x == array("f", [11])


def test_rows_that_are_not_finite_are_left_out() -> None:
    rows = [(1, 2, 3), (math.nan, 2, 3), (1, math.inf, 3), (4, 5, math.nan), (1e300, 2, 3)]
    body = b"".join(struct.pack(">ddd", *row) for row in rows)
    found = parse(foreign(table=make_table([("X", "D"), ("Y", "D"), ("FLUX", "D")], body, len(rows)))).stars
    assert found == Stars(array("f", [1, 4]), array("f", [2, 5]), array("f", [3, 0]))


XY = [("X", "E"), ("Y", "E")]
ROW = struct.pack(">ff", 11, 22)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"", "ends before its END card"),
        (make_table(XY, ROW, 1)[:2880], "cut short"),
        (make_table(XY, ROW, 1)[:1000], "ends before its END card"),
        (make_table(XY, ROW, 2_000_000_000), "cut short"),
        (make_table(XY, ROW, -5), "there are no stars"),
        (make_table(XY, ROW, 0), "there are no stars"),
        (make_table(XY, ROW, 1, NAXIS1=0), "there are no stars"),
        (make_table(XY, ROW, 1, NAXIS1=10**60), "cut short"),
        (make_table(XY, ROW, 1, NAXIS2="1"), "NAXIS2 is '1', but must be a whole number"),
        (make_table(XY, ROW, 1, NAXIS2=2e9), "NAXIS2"),
        (make_table(XY, ROW, 1, NAXIS1=4), "wider than its rows"),
        (make_table(XY, ROW, 1, TFIELDS=10**9), "column 3 has the form None"),
        (make_table(XY, ROW, 1, TFIELDS=-1), "no numeric column 'X'"),
        (make_table(XY, ROW, 1, TFORM1="99999999999999999999E"), "wider than its rows"),
        (make_table(XY, ROW, 1, TFORM1="2E"), "wider than its rows"),
        (make_table(XY, ROW, 1, TFORM1="Z"), "column 1 has the form 'Z'"),
        (make_table(XY, ROW, 1, TFORM1="-1E"), "column 1 has the form '-1E'"),
        (make_table(XY, ROW, 1, TFORM1=5), "column 1 has the form 5"),
        (make_table(XY, ROW, 1, TFORM1="4A"), "no numeric column 'X'"),
        (make_table(XY, ROW, 1, TSCAL1=2.0), "no numeric column 'X'"),
        (make_table(XY, ROW, 1, TZERO2=32768), "no numeric column 'Y'"),
        (make_table(XY, ROW, 1, XTENSION="IMAGE"), "no star table"),
        (make_table([("X", "E"), ("Z", "E")], ROW, 1), "no numeric column 'Y'"),
        (make_table(XY, struct.pack(">ff", math.nan, 1), 1), "no finite coordinates"),
    ],
)  # fmt: skip
def test_invalid_tables_are_refused(table: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse(foreign(table=table))


def test_a_form_with_non_ascii_digits_is_refused() -> None:
    """Python accepts a superscript two as a digit; FITS does not."""
    table = bytearray(make_table(XY, ROW, 1, TFORM1="?E"))
    table[table.index(b"?E")] = 0xB2
    with pytest.raises(DataError, match="column 1 has the form"):
        parse(foreign(table=bytes(table)))


def test_three_million_stars_are_cut_to_the_limit() -> None:
    """So many small rows are below the limit in bytes; the memory used stays a small multiple of the file's size."""
    body = struct.pack(">hh", 11, 22) * 3_000_000
    data = foreign(table=make_table([("X", "I"), ("Y", "I")], body, 3_000_000))
    tracemalloc.start()
    try:
        assert len(parse(data).stars) == star_table.MAX_STARS
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data)
    finally:
        tracemalloc.stop()


def test_more_bytes_than_the_limit_are_refused() -> None:
    with pytest.raises(DataError, match="more than 16777216 bytes"):
        parse(foreign().ljust(axy.MAX_BYTES + 1))


def test_a_primary_header_with_impossible_data_is_refused() -> None:
    for size in (10**12, 10**40):
        data = end_header([card("BITPIX", 8), card("NAXIS", 1), card("NAXIS1", size)]) + star_table.table_bytes(STARS)
        with pytest.raises(DataError, match=r"more data than a file can hold|ends before its END card"):
            parse(data)


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_damaged_files_are_read_or_refused(data: st.DataObject) -> None:
    """Bytes of a valid file are changed, removed or doubled: only DataError is raised, and a record that is returned
    can be written and read again."""
    damaged = bytearray(to_bytes(FULL))
    for at in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=8)):
        damaged[at] = data.draw(st.integers(0, 255))
    start, end = data.draw(st.tuples(st.integers(0, len(damaged)), st.integers(0, len(damaged))))
    kind = data.draw(st.sampled_from(["whole", "end lost", "start lost", "middle lost or doubled"]))
    first = {"whole": damaged, "start lost": b""}.get(kind, damaged[:end])
    cut = first + (damaged[start:] if kind in ("start lost", "middle lost or doubled") else b"")
    try:
        attempt = parse(bytes(cut))
    except DataError as exc:
        assert str(exc).isprintable()
        return
    again = parse(to_bytes(attempt))
    assert again == replace(attempt, dropped_cards=())


@given(st.sampled_from(cards_of(to_bytes(FULL))), st.text(st.characters(max_codepoint=255), max_size=70))
@example(cards_of(to_bytes(FULL))[4], "1" * 70)
@example("TFORM1  = ", "'\xb2E'")
@settings(max_examples=300, deadline=None)
def test_any_value_in_any_card_is_read_or_refused(line: str, value: str) -> None:
    """In the primary header and in the table."""
    changed = raw(f"{line[:8]}= {value}")
    try:
        parse(foreign(changed))
        parse(foreign(table=end_header([changed, *_table_cards()]) + pad_data(ROW)))
    except DataError as exc:
        assert str(exc)


def _table_cards() -> list[bytes]:
    return [line.encode("latin-1") for line in cards_of(make_table(XY, ROW, 1))]
