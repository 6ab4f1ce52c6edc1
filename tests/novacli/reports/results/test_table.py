"""Results for people: the rows, and protection from hostile names."""

from __future__ import annotations

import dataclasses
import io
import os

import pytest

from novacli.records.diagnosis import Cause, Diagnosis, RejectedMatch
from novacli.records.hints import Hint
from novacli.records.result import Result
from novacli.records.status import FAILED, SOLVED, UNSOLVED
from novacli.reports.results import open_report
from novacli.reports.results.table import rows

from .test_schema import CALIBRATION, HINTS, MATCH

SOLUTION = Result.from_json(
    {
        "input": "m42.jpg", "status": SOLVED, "job": "a1", "calibration": CALIBRATION, "match": MATCH, "hints": HINTS,
        "timing": {"total_s": 1.0, "read_s": 0.25, "prepare_s": 0.25, "solve_s": 0.5},
        "notes": ["averaged 3 colour channels"],
    }
)  # fmt: skip
assert SOLUTION.calibration is not None
assert SOLUTION.match is not None
HOSTILE = "a\x1b[31m\nb\x07\u202e" + os.fsdecode(b"\xff") + ".fits"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(result: Result, stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    open_report("table", stream).add(result)
    return stream.getvalue()


def test_piped_output_is_plain_lines() -> None:
    assert shown(SOLUTION).splitlines() == [
        "m42.jpg: solved",
        "  Centre        RA 187.18000°  Dec +56.70000°",
        "                12:28:43.20  +56:42:00.0",
        "  Constellation Ursa Major",
        '  Pixel scale   169.7"/pixel',
        "  Field         33.9° × 23.9°",
        "  Orientation   up is 238.30° east of north",
        "  Parity        positive (det CD > 0)",
        "  Index         index-4117.fits",
        '  Match         47 stars, residual 115" RMS (0.68 pixel), log-odds 227',
        "  Corners       error below 4′ (1.41 pixel) with 90 % probability",
        "  Hints         PIXSCALE; --ra/--dec; CRVAL; parity",
        "  Time          1.00 s (0.25 s reading, 0.25 s finding stars, 0.50 s solving)",
        "  Job           a1",
        "  Note          averaged 3 colour channels",
    ]


def test_unknown_values_are_left_out() -> None:
    match = dataclasses.replace(SOLUTION.match, rms_arcsec=None, logodds=None)
    assert dict(rows(dataclasses.replace(SOLUTION, match=match)))["Match"] == "47 stars"


@pytest.mark.parametrize(("order", "text"), [(3, "SIP of order 3"), (0, None)])
def test_a_distortion_has_its_row(order: int, text: str | None) -> None:
    solution = dataclasses.replace(SOLUTION, match=dataclasses.replace(SOLUTION.match, sip_order=order))
    assert dict(rows(solution)).get("Distortion") == text


@pytest.mark.parametrize(("angle", "text"), [(359.998, "0.00°"), (0.0, "0.00°"), (359.99, "359.99°")])
def test_an_orientation_is_below_360_once_it_is_rounded(angle: float, text: str) -> None:
    solution = dataclasses.replace(SOLUTION, calibration=dataclasses.replace(SOLUTION.calibration, up_deg_e_of_n=angle))
    assert dict(rows(solution))["Orientation"] == f"up is {text} east of north"


@pytest.mark.parametrize(
    ("reason", "hints", "what", "remedy"),
    [
        ("exhausted", (), "no attempt found a match", "such as its width"),
        ("exhausted", SOLUTION.hints, "no attempt found a match", "check the hints"),
        ("time-limit", (), "the time limit passed", "--timeout"),
        ("no-stars", (), "too few stars", "check the image"),
        ("cancelled", (), "cancelled", "nova retry"),
    ],
)
def test_an_unsolved_image_has_reason_and_remedy(reason: str, hints: tuple[Hint, ...], what: str, remedy: str) -> None:
    found = dict(rows(Result("a.fits", UNSOLVED, reason=reason, hints=hints)))
    assert what in found["Unsolved"]
    assert remedy in found["To do"]
    assert "{" not in found["To do"]


def test_an_unsolved_image_has_a_diagnosis() -> None:
    match = RejectedMatch(83.2, -5.1, 12.0, 18.51, 29.93, "by peak (blind)")
    diagnosis = Diagnosis(9, (Cause.FEW_STARS, Cause.CLUSTERED), match, ((0.7, 3.0), (10.0, 180.0)))
    found = list(rows(Result("a.fits", UNSOLVED, reason="exhausted", diagnosis=diagnosis)))
    assert found[1:5] == [
        ("Stars", "9 in the longest list"),
        ("Perhaps", "few stars: expose longer, or try --downsample 1 for small stars, 4 for faint or blurred ones"),
        (
            "Best match",
            'RA 83.20°  Dec -5.10°, 12"/pixel, log-odds 18.5 of 29.9: not enough to believe it',
        ),
        ("Index files", "for fields 42′ to 3° and 10° to 180° wide"),
    ]


def test_a_rejected_match_of_clustered_sources_is_named_as_such() -> None:
    diagnosis = Diagnosis(60, (), RejectedMatch(83.2, -5.1, 12.0, 31.7, 29.93, "by peak (blind)"))
    text = dict(rows(Result("a.fits", UNSOLVED, reason="exhausted", diagnosis=diagnosis)))["Best match"]
    assert text.endswith("log-odds 31.7, by clustered sources: not enough to believe it")


def test_an_unknown_reason_is_shown_as_it_is() -> None:
    assert dict(rows(Result("a.fits", UNSOLVED, reason="clouds")))["Unsolved"] == "clouds"


def test_a_failed_input_has_no_table() -> None:
    """Its error is printed on stderr."""
    assert shown(Result("a.fits", FAILED)) == ""


def test_control_characters_in_names_and_notes_are_escaped() -> None:
    """In a pipe and on a terminal: no control character, no line of their own, no markup."""
    hostile = dataclasses.replace(SOLUTION, input=HOSTILE, notes=(HOSTILE, "[bold]x[/b]"))
    plain = shown(hostile)
    assert r"a\x1b[31m\x0ab\x07\u202e\xff.fits: solved" in plain
    assert len(plain.splitlines()) == len(shown(SOLUTION).splitlines()) + 1
    drawn = shown(hostile, Terminal())
    assert "[bold]x[/b]" in drawn
    for text in (plain, drawn):
        assert not set(text) & set("\x07\u202e\udcff")
        assert "\x1b[31m" not in text


def test_a_terminal_gets_colour_and_no_color_takes_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[36m" in shown(SOLUTION, Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown(SOLUTION, Terminal())
    assert "m42.jpg" in text
    assert "\x1b[3" not in text


def test_a_narrow_terminal_folds_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    text = "".join(shown(SOLUTION, Terminal()).replace("│", "").split())
    assert "averaged3colourchannels" in text
