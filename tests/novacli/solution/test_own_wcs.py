"""``wcs.fits`` written anew: the same solution, and no byte of the file that was read."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import made_results as made
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novacli.solution.engine_comments import QuadMatch, read
from novacli.solution.own_wcs import refit_history, wcs_file, without_wrong_inverse
from novacli.solution.reading import read_solution
from solvehost.formats import fitsfile

SOLVED = made.solution_of(made.wcs_fits())
QUAD = QuadMatch("index-4117.fits", True, 4117, -1, 226.735, 47)
NO_QUAD = QuadMatch("unknown", False, None, None, None, 0)


@pytest.mark.parametrize("sip", [True, False])
def test_the_file_reads_back_as_the_same_solution_and_match(sip: bool) -> None:
    """To the last bit of each number."""
    solution = made.solution_of(made.wcs_fits(sip=sip))
    written = wcs_file(solution, QUAD)
    assert made.solution_of(written) == solution
    header = fitsfile.read_header(io.BytesIO(written))
    assert read(header.comments) == QUAD
    assert header["RADESYS"] == "ICRS"
    assert header.size == len(written)


@given(st.binary(max_size=80).filter(lambda card: not card.startswith(b"END")))
def test_no_other_card_is_copied(card: bytes) -> None:
    """A card of any bytes in front of END changes nothing in what is written, or is the index file's name."""
    honest = made.wcs_fits(comments=("log odds: 9",))
    end = honest.index(b"END     ")
    content = fitsfile.end_header([honest[:end], card.ljust(80)])
    comments = fitsfile.read_header(io.BytesIO(content)).comments
    quad = replace(read(comments), index="unknown", is_index_named=False)
    assert wcs_file(made.solution_of(content), quad, refit_history(content)) == wcs_file(
        made.solution_of(honest), replace(NO_QUAD, logodds=9.0)
    )


@pytest.mark.parametrize(
    "name",
    ["../../x.fits", "a/b.fits", "x" * 59, "b\u00e9.fits", "\x1b[2J", "'index'", "LIAR!.fits", " i.fits", ""],
)
def test_only_plain_names_of_index_files_are_written(name: str) -> None:
    assert wcs_file(SOLVED, replace(QUAD, index=name)) == wcs_file(SOLVED, replace(QUAD, is_index_named=False))


def test_the_history_of_a_fit_is_kept() -> None:
    """The text that nova wrote itself, and no other."""
    fitted = fitsfile.end_header([b"HISTORY Fitted again by nova: SIP 3, radial, 41 stars".ljust(80)])
    text = refit_history(fitted)
    assert text == "Fitted again by nova: SIP 3, radial, 41 stars"
    assert b"HISTORY " + text.encode() in wcs_file(SOLVED, QUAD, text)
    for other in (b"HISTORY Fitted again by nova: x! , 4 stars", b"HISTORY made by me"):
        assert refit_history(fitsfile.end_header([other.ljust(80)])) is None


def test_inverse_polynomials_that_contradict_the_others_are_left_out() -> None:
    """Programs that use them would show other positions than nova reports."""
    wrong = replace(SOLVED, ap=((2, 0, 1e-4), (0, 2, 2e-5)))
    assert without_wrong_inverse(SOLVED) == SOLVED
    assert without_wrong_inverse(wrong) == replace(SOLVED, ap=(), bp=())
    assert b"AP_" not in wcs_file(without_wrong_inverse(wrong), QUAD)


def test_a_solution_holds_the_new_file(tmp_path: Path) -> None:
    """Exports read this content; the file on the disk is replaced by it when the job is finished."""
    (tmp_path / "wcs.fits").write_bytes(made.wcs_fits(WCSNAME="theirs"))
    solution = read_solution(tmp_path, is_fits_like=True)
    assert b"theirs" not in solution.files.wcs
    assert made.solution_of(solution.files.wcs) == solution.tan_sip
