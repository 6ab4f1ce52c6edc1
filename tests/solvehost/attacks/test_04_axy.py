"""Attack 4: star lists.  The engine gets a rewritten one, with known cards only, and with the server's output names."""

from __future__ import annotations

import os
import re
import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from attack_server import Server, each, request
from standin import make_attempt, make_stars

from solvehost.formats import axy, fitsfile
from solvehost.formats.axy import Attempt

OUTPUTS = ("ANWCS", "ANMATCH", "ANRDLS", "ANCORR", "ANSCAMP", "ANSOLVED")
INPUTS = ("ANSOLVIN", "ANCANCEL")
PATHS = ("ANAXY", "ANINDEX", "ANCFG")
ALLOWED = re.compile(
    r"SIMPLE|BITPIX|NAXIS|EXTEND|IMAGE[WH]|ANRUN|ANTAGALL|ANTWEAKO?|AND[PL]+U?\d+|ANDPU\d+|ANER?A|ANEDEC|ANERAD|"
    r"ANAPP[LU]\d+|ANPOSERR|ANPARITY|ANVER(UNI|DUP)|ANCLIM|ANODDSSL|ANCRPIXC|ANQSFM(IN|AX)|NV[A-Z]+"
)
OURS = {"ANSOLVED": "solved", "ANWCS": "wcs.fits", "ANCORR": "corr.fits", "ANRDLS": "rdls.fits"}


def card(keyword: str, value: str) -> bytes:
    return f"{keyword:<8}= {value}".ljust(80).encode("latin-1")[:80]


def hostile(*cards: bytes, base: bytes | None = None, label: str = "echo") -> bytes:
    """Return an axy that begins with these cards, without its own cards of the same keywords or of outputs."""
    data = base if base is not None else axy.to_bytes(make_attempt(label))
    old = [data[at : at + 80] for at in range(0, len(data), 80)]
    end = next(n for n, c in enumerate(old) if c.startswith(b"END "))
    size = -(-(end + 1) * 80 // 2880) * 2880
    new = {c[:8] for c in cards} | {k.ljust(8).encode() for k in (*OUTPUTS, *INPUTS)}
    first, kept = ([c for c in some if c[:8] not in new] for some in (old[:4], old[4:end]))
    return fitsfile.end_header([*first, *cards, *kept]) + data[size:]


@pytest.fixture
def places() -> Iterator[dict[str, str]]:
    """Paths of a canary file in every form that fits into a card; the file is unchanged afterwards."""
    with tempfile.TemporaryDirectory(prefix="c", dir="/tmp") as name:
        folder = Path(name)
        (folder / "canary").write_text("precious\n")
        (folder / "link").symlink_to("canary")
        os.mkfifo(folder / "fifo")
        before = look(folder)
        yield {
            "absolute": f"{name}/canary", "parents": f"{'../' * 12}{name[1:]}/canary", "link": f"{name}/link",
            "new": f"{name}/new", "beside": "../../canary", "stdout": "/dev/stdout", "fifo": f"{name}/fifo",
            "printf": f"{name}/%n%n%p%s",
        }  # fmt: skip
        assert look(folder) == before


def look(folder: Path) -> list[tuple[object, ...]]:
    found = [(p, p.lstat().st_mode, p.lstat().st_mtime_ns, p.lstat().st_size) for p in [folder, *folder.iterdir()]]
    return [*sorted(found), (folder / "canary").read_text()]


def assert_echoed_is_ours(log: bytes) -> list[str]:
    """Return the cards that the engine got; check that they are known ones, with paths of the server's."""
    cards = [line.removeprefix("CARD ") for line in log.decode().splitlines() if line.startswith("CARD ")]
    assert cards
    for text in cards:
        keyword = text[:8].rstrip()
        if keyword in ("END", ""):
            continue
        assert ALLOWED.fullmatch(keyword) or keyword in OURS, text
        if keyword in OURS:
            assert text[10:].strip() == f"'{OURS[keyword]:<8}'"
    return cards


@pytest.mark.parametrize("keyword", [*OUTPUTS, *INPUTS, *PATHS])
def test_paths_of_a_client_do_not_reach_the_engine(server: Server, places: dict[str, str], keyword: str) -> None:
    """There is one attempt for each form of path."""
    attempts = [hostile(card(keyword, f"'{place}'")) for place in places.values()]
    _, files = server.assert_served(server.run(request(*attempts)))
    assert_echoed_is_ours(files["backend.log"])
    assert files["backend.log"].count(b"== echo") == len(places)
    assert not [place for place in places.values() if place.encode() in files["backend.log"]]


@pytest.mark.engine
@pytest.mark.parametrize("form", ["absolute", "parents", "link", "new", "beside", "stdout", "fifo", "printf"])
def test_the_real_engine_solves_and_obeys_no_path(
    real_server: Server, drawn_axy: bytes, places: dict[str, str], form: str
) -> None:
    poisoned = hostile(*(card(k, f"'{places[form]}'") for k in (*OUTPUTS, *INPUTS, *PATHS)), base=drawn_axy)
    manifest, files = real_server.assert_served(real_server.run(request(poisoned)))
    assert manifest["status"] == "solved"
    assert set(files) == {"backend.log", "corr.fits", "rdls.fits", "wcs.fits"}


ODD = [
    ("NUL in the keyword", b"ANWCS\0\0\0= '/tmp/nova-canary-of-the-tests'".ljust(80)),
    ("lower case", card("anwcs", "'/tmp/nova-canary-of-the-tests'")),
    ("mixed case", card("AnWcs", "'/tmp/nova-canary-of-the-tests'")),
    ("= in column 15", b"ANWCS         = '/tmp/nova-canary-of-the-tests'".ljust(80)),
    ("no blank after =", b"ANWCS   ='/tmp/nova-canary-of-the-tests'".ljust(80)),
    ("HIERARCH", b"HIERARCH ANWCS = '/tmp/nova-canary-of-the-tests'".ljust(80)),
    ("blank before", b" ANWCS  = '/tmp/nova-canary-of-the-tests'".ljust(80)),
    ("CONTINUE", card("ANWCS", "'/tmp/nova-canary&'") + b"CONTINUE  '-of-the-tests'".ljust(80)),
    ("twice", card("ANWCS", "'wcs.fits'") + card("ANWCS", "'/tmp/nova-canary-of-the-tests'")),
    ("line feed", card("ANWCS", "'x'\nANCORR = '/tmp/nova-canary-of-the-tests'")),
    ("unclosed", card("ANWCS", "'/tmp/nova-canary-of-the-tests")),
    ("high bytes", card("ANW\xe9S", "'/tmp/nova-canary-of-the-tests'")),
    ("END that is none", b"END      = '/tmp/nova-canary-of-the-tests'".ljust(80)),
    ("escape in the keyword", b"\x1b[2JAB  = 1".ljust(80)),
    ("path in a comment", b"COMMENT ANWCS = '/tmp/nova-canary-of-the-tests'".ljust(80)),
    ("ANFDU1 of 2**31 - 1", card("ANFDL1", "1") + card("ANFDU1", "2147483647")),
    ("ANDISTR", card("ANDISTR", "1E9")),
    ("sixty depths", b"".join(card(f"ANDPL{n}", "1") + card(f"ANDPU{n}", "1000") for n in range(1, 61))),
    ("indices of other places", card("ANADDPTH", "'/etc'") + card("ANINDX1", "'/etc/passwd'")),
    ("a thousand unknown cards", b"".join(card(f"XX{n}", f"'{'x' * 60}'") for n in range(1000))),
]  # fmt: skip


@pytest.mark.parametrize("cards", **each(ODD))
def test_unknown_and_malformed_cards_do_not_reach_the_engine(server: Server, cards: bytes) -> None:
    done = server.run(request(hostile(*(cards[at : at + 80] for at in range(0, len(cards), 80)))))
    _, files = server.assert_served(done)
    assert len(done.stderr) < 50_000
    echoed = assert_echoed_is_ours(files["backend.log"])
    assert b"canary" not in files["backend.log"]
    assert len([c for c in echoed if c.startswith("ANDPL")]) <= 32


@pytest.mark.engine
@pytest.mark.parametrize(
    "cards", **each([case for case in ODD if case[0].startswith(("NUL", "=", "CONT", "ANF", "AND"))])
)
def test_the_real_engine_solves_despite_malformed_cards(real_server: Server, drawn_axy: bytes, cards: bytes) -> None:
    poisoned = hostile(*(cards[at : at + 80] for at in range(0, len(cards), 80)), base=drawn_axy)
    manifest, _ = real_server.assert_served(real_server.run(request(poisoned)))
    assert manifest["status"] == "solved"
    assert not os.path.lexists("/tmp/nova-canary-of-the-tests")


OUT_OF_RANGE = [
    (f"{keyword} {value}", card(keyword, value), keyword)
    for keyword, value in (
        ("ANPOSERR", "1E9"), ("ANPOSERR", "-1."), ("ANPOSERR", "NaN"), ("ANERAD", "1E300"), ("ANERAD", "1D999"),
        ("ANERA", "INF"), ("ANEDEC", "91."), ("ANODDSSL", "0."), ("ANODDSSL", "1E-300"), ("ANCLIM", "-1"),
        ("ANDPL1", "-1"), ("ANDPL1", "2147483647"), ("ANDPL1", "1.5"), ("ANAPPL1", "-1."), ("ANTWEAKO", "99"),
        ("IMAGEW", "0"), ("IMAGEW", "-5"), ("IMAGEW", "1E300"), ("IMAGEW", "'wide'"), ("IMAGEH", "2147483648"),
        ("ANPARITY", "'SIDEWAYS'"), ("ANPARITY", "'POS\nNEG'"), ("ANPARITY", "7"), ("ANTWEAK", "'yes'"),
        ("ANQSFMIN", "2."), ("ANXCOL", "'\x1b[2J'"), ("ANXCOL", "7"), ("NVLABEL", "'\x1b[31m'"), ("NVDELAY", "1E9"),
        ("NVRANK", "-1"), ("NVSLICE", "0."),
    )
]  # fmt: skip


@pytest.mark.parametrize(("bad", "keyword"), **each(OUT_OF_RANGE))
def test_known_cards_out_of_range_are_refused_by_name(server: Server, bad: bytes, keyword: str) -> None:
    pair = {"ANERA": ("ANEDEC", "ANERAD"), "ANEDEC": ("ANERA", "ANERAD"), "ANAPPL1": ("ANAPPU1",)}.get(keyword, ())
    axy_bytes = hostile(bad, *(card(k, "10.") for k in pair))
    server.assert_refused(server.run(request(axy_bytes)), 65, keyword)


def table(rows: int | str, form: str = "E", data: bytes | None = None, width: int = 12) -> bytes:
    """Return an axy with any number of rows and any format in the header of its table."""
    primary = hostile()
    end = primary.index(b"XTENSION")
    cards = [card("XTENSION", "'BINTABLE'"), card("BITPIX", "8"), card("NAXIS", "2"), card("NAXIS1", str(width)),
             card("NAXIS2", str(rows)), card("PCOUNT", "0"), card("GCOUNT", "1"), card("TFIELDS", "3"),
             *(c for n, name in enumerate(("X", "Y", "FLUX"), 1)
               for c in (card(f"TTYPE{n}", f"'{name}'"), card(f"TFORM{n}", f"'{form}'")))]  # fmt: skip
    body = array("f", range(36)).tobytes() if data is None else data
    return primary[:end] + fitsfile.end_header(cards) + fitsfile.pad_data(body)


NAN = b"\x7f\xc0\0\0" * 36
NO_HEADER = hostile()
TABLES = [
    ("two thousand million rows", table(2_000_000_000), "cut short"),
    ("more rows than 64 bits", table(2**70), "cut short"),
    ("minus five rows", table(-5), "-5 rows"),
    ("no rows", table(0), "no stars"),
    ("rows that are a word", table("'many'"), "whole number"),
    ("rows of no bytes", table(12, width=0), "no stars"),
    ("rows of a negative width", table(12, width=-12), "no stars"),
    ("wider columns than rows", table(12, "D"), "wider than its rows"),
    ("forms that are none", table(12, "%n%n"), "cannot be read"),
    ("forms of a thousand million", table(12, "999999999E"), "wider than its rows"),
    ("text for numbers", table(12, "4A"), "no numeric column"),
    ("not a number anywhere", table(12, data=NAN), "no finite coordinates"),
    ("a header alone", NO_HEADER[: NO_HEADER.index(b"XTENSION")], "job.axy"),
    ("half a header", NO_HEADER[:1000], "job.axy"),
    ("an empty file", b"", "job.axy"),
    ("noise", b"\xff\x00\x1b[2J" * 2000, "job.axy"),
    ("a header without end", card("SIMPLE", "T") * 36 * 5000, "job.axy"),
    ("an axis of 2**62", hostile(card("NAXIS", "1") + card("NAXIS1", str(2**62))), "job.axy"),
    ("minus one axis", hostile(card("NAXIS", "-1")), "job.axy"),
    ("a thousand million axes", hostile(card("NAXIS", "1000000000")), "job.axy"),
    ("3 million stars", table(3_000_000, data=bytes(36_000_000)), "bytes, more than the"),
]


@pytest.mark.parametrize(("axy_bytes", "why"), **each(TABLES))
def test_tables_with_wrong_headers_are_refused(server: Server, axy_bytes: bytes, why: str) -> None:
    server.assert_refused(server.run(request(axy_bytes)), 65, why)


def test_stars_with_invalid_coordinates_are_left_out(server: Server) -> None:
    """Those with NaN or infinite coordinates; the others are kept."""
    x = array("f", [float("nan"), 5.0, float("inf"), 7.0, 8.0])
    stars = axy.Stars(x, array("f", [1.0, float("-inf"), 3.0, 4.0, 5.0]), array("f", [1.0] * 5))
    attempt = make_attempt("echo")
    sent = axy.to_bytes(Attempt(1000, 800, stars, schedule=attempt.schedule))
    _, files = server.assert_served(server.run(request(sent)))
    assert b"TABLE NAXIS2  =                    2\n" in files["backend.log"]


def test_a_million_stars_are_cut(server: Server) -> None:
    attempt = Attempt(1000, 800, make_stars(1_300_000), schedule=make_attempt("echo").schedule)
    _, files = server.assert_served(server.run(request(axy.to_bytes(attempt))))
    assert b"TABLE NAXIS2  =                10000\n" in files["backend.log"]
