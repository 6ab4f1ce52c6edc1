"""``nova rigs``, and what one ``nova submit`` learns for the next."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_sky import DrawnField

from novacli.rigs.store import SOURCE

CAMERA = {"TELESCOP": "Refractor", "INSTRUME": "ASI 533"}


@pytest.fixture
def rigs_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    return home / "state" / "nova" / "rigs.json"


@pytest.fixture
def submit(nova: Callable[..., Any], jobs: Path, rigs_file: Path) -> Callable[..., dict[str, Any]]:
    """Submit and return the result."""

    def run(*arguments: str) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(nova("submit", "--json", *arguments).out)
        assert result["status"] == "solved", result
        return result

    return run


def learned(result: dict[str, Any]) -> list[str]:
    return [hint["kind"] for hint in result["hints"] if hint.get("source") == SOURCE]


@pytest.mark.engine
@pytest.mark.usefixtures("real_indexes")
def test_the_second_frame_is_solved_by_hints_from_the_first(
    submit: Callable[..., dict[str, Any]], nova: Callable[..., Any], drawn: DrawnField, home: Path
) -> None:
    first, second = (str(drawn.write_fits(home / name, **CAMERA)) for name in ("a.fits", "b.fits"))
    assert learned(submit(first)) == []
    result = submit(second)
    assert learned(result) == ["scale", "position"]
    assert SOURCE in result["match"]["attempt"]
    drawn.assert_found(result["calibration"], parity=-1)
    (rig,) = map(json.loads, nova("rigs", "list", "--json").out.splitlines())
    assert (rig["name"], rig["frames"]) == ("Refractor ASI 533", 2)
    assert rig["pixscale_arcsec"] == pytest.approx(drawn.pixscale_arcsec, rel=0.01)
    assert rig["key"][:8] in nova("rigs", "list").out


@pytest.mark.engine
@pytest.mark.usefixtures("real_indexes")
def test_a_frame_of_a_changed_telescope_is_solved_blindly(
    submit: Callable[..., dict[str, Any]], drawn: DrawnField, home: Path, rigs_file: Path
) -> None:
    """Every value of the rig is wrong; the frame is solved all the same and replaces them."""
    path = str(drawn.write_fits(home / "a.fits", **CAMERA))
    submit(path)
    value = json.loads(rigs_file.read_text())
    value["rigs"][0] |= {"pixscale_arcsec": 1.7, "parity": 1, "ra_deg": 200.0, "dec_deg": 60.0, "frames": 40}
    rigs_file.write_text(json.dumps(value))
    result = submit(path)
    assert learned(result) == ["scale", "position"]
    drawn.assert_found(result["calibration"], parity=-1)
    (rig,) = json.loads(rigs_file.read_text())["rigs"]
    assert (rig["frames"], rig["parity"]) == (1, -1)
    assert rig["pixscale_arcsec"] == pytest.approx(drawn.pixscale_arcsec, rel=0.01)


@pytest.mark.engine
@pytest.mark.usefixtures("real_indexes")
@pytest.mark.parametrize("options", [["--blind"], ["--no-learn"]])
def test_learning_can_be_switched_off(
    options: list[str], submit: Callable[..., dict[str, Any]], drawn: DrawnField, home: Path, rigs_file: Path
) -> None:
    """A blind solve uses no hints of the rig, but updates it; with --no-learn it does neither."""
    path = str(drawn.write_fits(home / "a.fits", **CAMERA))
    submit(path)
    before = json.loads(rigs_file.read_text())["rigs"][0]["frames"]
    assert learned(submit(*options, path)) == []
    assert json.loads(rigs_file.read_text())["rigs"][0]["frames"] - before == (options == ["--blind"])


def write_rigs(rigs_file: Path, *keys: str) -> None:
    rig = {"name": "Lens \x1b[2J", "width": 10, "height": 10, "pixscale_arcsec": 2.0, "parity": 1, "frames": 3,
           "ra_deg": 1.0, "dec_deg": 2.0, "solved_s": 1.8e9}  # fmt: skip
    rigs_file.parent.mkdir(parents=True)
    rigs_file.write_text(json.dumps({"format": 1, "rigs": [{**rig, "key": key} for key in keys]}))


def test_a_rig_is_forgotten_by_the_beginning_of_its_id(nova: Callable[..., Any], rigs_file: Path) -> None:
    write_rigs(rigs_file, "aa11", "ab22")
    assert nova("rigs", "forget", "aa").out == "forgot 1 rig\n"
    assert [json.loads(line)["key"] for line in nova("rigs", "list", "--json").out.splitlines()] == ["ab22"]
    assert nova("rigs", "forget", "--all").out == "forgot 1 rig\n"
    assert nova("rigs", "list").out == ""


def test_escape_sequences_of_headers_do_not_reach_the_terminal(nova: Callable[..., Any], rigs_file: Path) -> None:
    write_rigs(rigs_file, "aa11")
    assert "\x1b" not in nova("rigs", "list").out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "name a rig, or give --all"),
        (["aa", "--all"], 2, "name a rig, or give --all"),
        (["a"], 2, "rig 'a' could be aa11, ab22: give more characters of its id"),
        (["zz"], 66, "there is no rig 'zz': see nova rigs list"),
    ],
)
def test_a_rig_that_cannot_be_told_is_an_error(
    arguments: list[str], code: int, message: str, nova: Callable[..., Any], rigs_file: Path
) -> None:
    write_rigs(rigs_file, "aa11", "ab22")
    ran = nova("rigs", "forget", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
