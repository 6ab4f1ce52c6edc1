"""The command ``nova demo``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import fitsio
import pytest
from click.testing import CliRunner, Result

from novacli.cli.commands.demo import command
from novacli.demo.scene import random_place
from novacli.errors import NovaError, OutputError, UnavailableError, UsageError


@pytest.fixture
def nova_demo(sky_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Return a function that calls ``nova demo --size 80x60 …`` in an empty directory, with the invented sky."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOVA_INDEX", str(sky_index))

    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(command, ["--size", "80x60", *arguments], standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return result

    return call


def test_demo_draws_and_suggests_the_next_command(nova_demo, tmp_path: Path) -> None:
    result = nova_demo("field.fits")
    assert result.output.startswith("field.fits: 80 x 60 pixels, 10 deg wide around RA 84.0000, Dec -3.0000")
    assert result.output.endswith("try: nova submit field.fits\n")
    assert fitsio.read("field.fits").shape == (60, 80)


def test_json_prints_the_truth(nova_demo, tmp_path: Path) -> None:
    arguments = ["--ra", "5:36:00", "--dec", "-12 30 00", "--width", "3", "--rotate", "40", "--mirror", "--seed", "9"]
    result = nova_demo("field.fits", *arguments, "--distortion", "1", "--limit", "8", "--trail", "--json")
    truth = json.loads(result.output)
    assert truth == json.loads(Path("field.fits.truth.json").read_text())
    values = [truth[k] for k in ("ra", "dec", "width_deg", "rotation_deg", "parity", "seed", "limit_mag", "trail")]
    assert values == [84.0, -12.5, 3.0, 40.0, 1, 9, 8.0, True]
    assert "A_3_0" in truth["wcs"]


def test_seed_determines_the_random_position(nova_demo) -> None:
    truth = json.loads(nova_demo("field.fits", "--random", "--seed", "7", "--json").output)
    assert (truth["ra"], truth["dec"]) == random_place(7)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (["field.jpg"], UsageError, r"field\.jpg.*ends in \.fits"),
        (["a.fits", "--ra", "10"], UsageError, "--ra and --dec go together"),
        (["a.fits", "--ra", "10", "--dec", "95"], UsageError, "declination '95' is outside"),
        (["a.fits", "--ra", "10", "--dec", "5", "--random"], UsageError, "--random cannot be combined with"),
        (["a.fits", "--size", "big"], UsageError, "size 'big' is not understood"),
        (["a.fits", "--width", "500"], UsageError, "--width"),
        (["none/a.fits"], OutputError, "none/a.fits.*make its directory first"),
        (["a.fits", "--index", "none.fits"], UnavailableError, r"none\.fits.*install"),
    ],
)
def test_bad_input_gives_a_one_line_error(
    nova_demo, tmp_path: Path, arguments: list[str], error: type[NovaError], match: str
) -> None:
    with pytest.raises(error, match=match) as caught:
        nova_demo(*arguments)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_demo_overwrites_only_with_the_option(nova_demo) -> None:
    nova_demo("field.fits")
    with pytest.raises(OutputError, match="--overwrite"):
        nova_demo("field.fits")
    nova_demo("field.fits", "--overwrite")


def test_command_is_imported_without_slow_packages() -> None:
    slow = ["numpy", "fitsio", "astropy", "requests"]
    code = f"import sys, novacli.cli.commands.demo; print([m for m in {slow} if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert printed.stdout.strip() == "[]"
