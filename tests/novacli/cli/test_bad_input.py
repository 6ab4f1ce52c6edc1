"""Bad input: one line that names the file and what to do, the right code, nothing half-written, the others solved."""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fitsio
import numpy as np
import pytest
from made_lines import read_lines
from made_sky import DrawnField, scattered, star_picture
from PIL import Image

from novacli.cli.main import main
from solvehost.formats import jobdir


@pytest.fixture
def picture(home: Path) -> Path:
    """A FITS image with stars that are in no catalogue."""
    path = home / "stars.fits"
    fitsio.write(str(path), star_picture(scattered(40, (300, 400)), (300, 400), flux=9000))
    return path


@pytest.fixture
def engine(home: Path, stand_in: Callable[[str], Path]) -> Path:
    """An engine that solves nothing, at once; in the test's own home, which forgets all settings when it is made."""
    return stand_in("exit 0")


def _missing(_path: Path) -> None:
    pass


def _empty(path: Path) -> None:
    path.touch()


def _directory(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _text(path: Path) -> None:
    path.write_text("Dear diary,\nit was cloudy again.\n")


def _junk(path: Path) -> None:
    path.write_bytes(bytes(range(1, 256)) * 40)


def _web_page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><body>404</body></html>")


def _truncated_fits(path: Path) -> None:
    fitsio.write(str(path), np.zeros((200, 300), np.float32))
    os.truncate(path, 100_000)


def _truncated_header(path: Path) -> None:
    path.write_bytes(b"SIMPLE  =                    T".ljust(80) + b"BITPIX  =")


def _truncated_jpeg(path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 300), np.uint8)
    Image.fromarray(noise).save(path, "JPEG")
    os.truncate(path, path.stat().st_size // 2)


def _all_nan(path: Path) -> None:
    fitsio.write(str(path), np.full((100, 120), np.nan, np.float32))


def _no_image(path: Path) -> None:
    fitsio.write(str(path), np.zeros(10, dtype=[("time", "f8")]))


def _too_large(path: Path) -> None:
    """A header that promises 10 gigapixels."""
    cards = ["SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    2",
             "NAXIS1  =               100000", "NAXIS2  =               100000", "END"]  # fmt: skip
    path.write_bytes("".join(card.ljust(80) for card in cards).encode().ljust(2880 * 100))


#: What the file is → (how it is made, exit code, what the line says).
REFUSED = {
    "missing.fits": (_missing, 66, "is not there: check the path"),
    "empty.fits": (_empty, 65, "is empty: make or download the file again"),
    "directory.fits": (_directory, 66, "is a folder: name the images in it"),
    "pipe.fits": (_fifo, 65, "is a pipe or a device.*give - and pipe"),
    "text.fits": (_text, 65, "is a text file, neither an image"),
    "junk.dat": (_junk, 65, "is neither an image nor a source list"),
    "page.jpg": (_web_page, 65, "is a web page.*get the image file itself"),
    "truncated.fits": (_truncated_fits, 65, "is truncated.*copy it again"),
    "header.fits": (_truncated_header, 65, "is truncated within its FITS header: copy it again"),
    "truncated.jpg": (_truncated_jpeg, 65, "is truncated.*copy it again"),
    "nan.fits": (_all_nan, 65, "every pixel is blank or not a number"),
    "table.fits": (_no_image, 65, "without an image and without a table of stars"),
    "huge.fits": (_too_large, 65, "100000 x 100000 pixels, above the limit.*bin or crop it first"),
}


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("name", REFUSED)
def test_each_is_one_line_with_its_name_and_what_to_do(name: str, nova, home: Path, jobs: Path) -> None:
    make, code, message = REFUSED[name]
    make(home / name)
    outputs = [f"--{option}={home / option}.out" for option in ("wcs", "new-fits")]
    before = _there(home)
    ran = nova("submit", *outputs, str(home / name))
    assert (ran.code, ran.out) == (code, "")
    assert re.fullmatch(rf"nova: {re.escape(str(home / name))}.*{message}.*\n", ran.err), ran.err
    assert _there(home) == before
    (line,) = read_lines(nova("submit", "--json", str(home / name)).out)
    assert (line["status"], line["error"]["exit_code"]) == ("failed", code)
    assert line["error"]["message"] in ran.err
    assert jobdir.list_jobs(jobs) == []


def _there(home: Path) -> list[Path]:
    """Return what lies in a home, the cache aside."""
    return sorted(path for path in home.iterdir() if path.name != ".cache")


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("value", [0, 255])
def test_a_picture_of_one_colour_is_unsolved_for_want_of_stars(value: int, nova, home: Path, jobs: Path) -> None:
    """Honestly tried, so 1; and it says so in one line that names it."""
    Image.fromarray(np.full((300, 400), value, np.uint8)).save(home / "plain.png")
    ran = nova("submit", str(home / "plain.png"))
    assert ran.code == 1
    assert ran.out.startswith(f"{home}/plain.png: unsolved\n  Unsolved      too few stars\n  To do         ")
    ran = nova("submit", "--json", str(home / "plain.png"))
    why = "no star was found, and a match takes 4: is this a picture of the night sky, well exposed?"
    assert ran.err == f"nova: {home}/plain.png: {why}\n"
    (line,) = read_lines(ran.out)
    assert line["notes"] == [why]
    assert (line["status"], line["reason"], line["job"]) == ("unsolved", "no-stars", None)
    assert jobdir.list_jobs(jobs) == []


@pytest.mark.usefixtures("engine")
def test_a_file_that_may_not_be_read_is_denied(nova, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in for the system's refusal: the tests may run as root, who may read everything."""
    real_open = os.open

    def refuse(path: object, *rest: object, **options: object) -> int:
        if path == str(picture):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real_open(path, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    ran = nova("submit", str(picture))
    assert (ran.code, ran.out) == (77, "")
    assert ran.err == f"nova: {picture} may not be read: check its permissions and those of its folder\n"


@pytest.mark.engine
def test_the_others_of_the_same_call_are_still_solved(drawn: DrawnField, nova, home: Path) -> None:
    """Each bad one in its place, and the largest code of a hard failure at the end."""
    good = str(drawn.write_fits(home / "good.fits"))
    names: list[str] = []
    for name, (make, _, _) in REFUSED.items():
        make(home / name)
        names.append(str(home / name))
    ran = nova("submit", "--json", *names[:6], good, *names[6:])
    lines = read_lines(ran.out)
    assert [line["input"] for line in lines] == [*names[:6], good, *names[6:]]
    assert [line["status"] for line in lines].count("solved") == 1
    assert lines[6]["status"] == "solved"
    assert ran.code == 66
    assert len(ran.err.splitlines()) == len(names)
    assert all(line.startswith("nova: ") for line in ran.err.splitlines())


#: Options that contradict each other or are out of range → what the line says.
WRONG_OPTIONS = {
    "-L 3 -H 2": "scale range 3 to 2 is upside down: its lower end comes first",
    "-L 0": "lower scale 0 is not above zero",
    "-H nan": "upper scale nan is not above zero",
    "--scale-est 2 -L 1": "--scale-est cannot go with --scale-low or --scale-high",
    "--scale-err 5": "--scale-err needs --scale-est",
    "--scale-est 2 --scale-err 100": "outside 0 to 100",
    "--ra 10 --dec 95": "declination '95' is outside -90 to 90",
    "--ra 400 --dec 5": "right ascension '400' is outside 0 to 360",
    "--ra 10": "--ra and --dec go together",
    "--ra abc --dec 5": "abc",
    "--ra 25:00:00 --dec 5": "25:00:00",
    "--radius 5": "--radius needs --ra and --dec",
    "--ra 1 --dec 1 --radius 0": "search radius 0 is outside",
    "--downsample 0": "downsample factor 0 is outside",
    "--objs 3": "3 stars are too few",
    "--timeout 0": "time-out 0 is not above zero: give a positive number",
    "--tweak-order 11": "tweak order 11 is outside",
    "--size 1280": "size '1280' is not understood: give it as 1024x768",
    "--size 0x5": "size '0x5' is not understood",
    "--to=-oProxyCommand=x": "'-oProxyCommand=x' is not an ssh destination: it begins with a hyphen",
    "--to ftp://nova.example.org": "the address of a web service begins with https:// or http://",
    "--to local,solve1": "local (local) and solve1 (ssh) cannot be combined",
    "--to solve1 --index /usr": "--index is about this machine",
    "--to solve1 --engine-config /a.cfg": "--engine-config is about this machine",
    "--detach": "--detach leaves jobs with a server: name one with --to",
    "--detach --to solve1 --wcs a.wcs": "--detach cannot write outputs",
    "--parity left": "'left' is not one of",
    "--scale-units inches": "'inches' is not one of",
    "--objs many": "'many' is not a valid integer",
    "--no-such-option": "No such option",
}


@pytest.mark.parametrize("options", WRONG_OPTIONS)
def test_wrong_options_end_the_call_with_2_before_anything_is_done(
    options: str, nova, picture: Path, jobs: Path
) -> None:
    ran = nova("submit", *options.split(), str(picture))
    assert (ran.code, ran.out) == (2, "")
    assert WRONG_OPTIONS[options] in ran.err
    assert "Traceback" not in ran.err
    assert not jobs.exists()


def test_no_image_at_all_is_a_usage_error(nova) -> None:
    ran = nova("submit")
    assert ran.code == 2
    assert "Missing argument 'IMAGE...'" in ran.err


@pytest.mark.usefixtures("engine")
def test_an_hdu_that_is_not_there_says_which_are(nova, picture: Path) -> None:
    for number in ("7", "-1"):
        ran = nova("submit", "--ext", number, str(picture))
        assert ran.code == 65
        assert ran.err == f"nova: {picture} has no image in HDU {number}: HDU 0 has one\n"


# --- Outputs -------------------------------------------------------------------------------------------------------


def test_update_of_a_jpeg_is_refused_before_it_is_solved(drawn: DrawnField, nova, home: Path, jobs: Path) -> None:
    picture = drawn.write_jpeg(home / "field.jpg")
    before = picture.read_bytes()
    ran = nova("submit", "--json", "--update", str(picture))
    assert ran.code == 2
    assert ran.err.startswith(f"nova: {picture} is a JPEG file, which --update cannot write into: use --new-fits FILE")
    assert jobdir.list_jobs(jobs) == []
    assert picture.read_bytes() == before


def test_a_text_file_named_like_a_fits_file_is_bad_data_with_and_without_update(nova: Any, home: Path) -> None:
    (home / "x.fits").write_text("this is no image\n")
    for options in ((), ("--update",)):
        assert nova("submit", *options, str(home / "x.fits")).code == 65
    assert "named like a FITS file" in nova("submit", "--update", str(home / "x.fits")).err


def test_a_list_of_stars_has_no_header_to_update(nova: Any, home: Path) -> None:
    (home / "stars.csv").write_text("x,y,flux\n1,2,3\n")
    ran = nova("submit", "--update", str(home / "stars.csv"), "--size", "9x9")
    assert (ran.code, "is a text file, which --update cannot write into: use --wcs FILE" in ran.err) == (2, True)


@pytest.mark.parametrize("option", ["--wcs", "--corr", "--rdls", "--axy", "--new-fits"])
def test_an_output_whose_directory_is_missing_is_named_before_anything_is_solved(
    option: str, nova, home: Path, jobs: Path, picture: Path
) -> None:
    target = home / "none" / "out.fits"
    ran = nova("submit", option, str(target), str(picture))
    assert (ran.code, ran.err) == (73, f"nova: {target}: there is no directory {target.parent}: make it first\n")
    assert not target.parent.exists()
    assert jobdir.list_jobs(jobs) == []


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
def test_an_output_that_is_a_directory_is_named_before_anything_is_solved(
    overwrite: tuple[str, ...], nova, home: Path, jobs: Path, picture: Path
) -> None:
    target = home / "taken"
    target.mkdir()
    ran = nova("submit", "--wcs", str(target), *overwrite, str(picture))
    assert (ran.code, ran.err) == (73, f"nova: --wcs {target}: this is a directory: give the name of a file\n")
    assert jobdir.list_jobs(jobs) == []


@pytest.mark.usefixtures("engine")
def test_an_unsolved_image_leaves_outputs_and_image_as_they_were(nova, home: Path, picture: Path) -> None:
    (home / "old.wcs").write_text("of another image")
    before = picture.read_bytes()
    assert nova("submit", "--overwrite", "--update", "--wcs", str(home / "old.wcs"), str(picture)).code == 1
    assert (home / "old.wcs").read_text() == "of another image"
    assert picture.read_bytes() == before


# --- The installation ----------------------------------------------------------------------------------------------


def test_without_an_engine_it_says_what_to_install(nova, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    ran = nova("submit", str(picture))
    assert (ran.code, ran.out) == (69, "")
    (line,) = ran.err.splitlines()
    assert line.startswith(
        "nova: astrometry-engine was not found: install it (Debian, Ubuntu: apt install astrometry.net"
    )


@pytest.mark.usefixtures("engine")
def test_without_an_index_file_it_says_where_it_looked_and_what_to_install(nova, home: Path, picture: Path) -> None:
    (home / "no-index").mkdir()
    ran = nova("submit", "--index", str(home / "no-index"), str(picture))
    assert (ran.code, ran.out) == (69, "")
    assert re.fullmatch(r"nova: no index file was found \(.*/no-index\): install some .*--index\n", ran.err)


@pytest.mark.usefixtures("engine")
def test_an_index_file_that_does_not_fit_says_which_fields_can_be_solved(nova, picture: Path) -> None:
    ran = nova("submit", "-L", "0.001", "-H", "0.002", "--no-fallback", str(picture))
    assert (ran.code, ran.out) == (69, "")
    (line,) = ran.err.splitlines()
    assert line.startswith(f"nova: {picture}: no installed index file fits a field 3.6″ to 7.2″ wide")
    assert "those here solve fields 20′ to 180° wide" in line


@pytest.mark.usefixtures("engine")
def test_a_damaged_index_file_is_a_note(nova, home: Path, picture: Path) -> None:
    (home / "indexes" / "index-4119.fits").write_bytes(b"SIMPLE  =                    T" + bytes(50))
    ran = nova("submit", "--index", str(home / "indexes"), str(picture))
    assert ran.code == 1
    assert f"  Note          index file {home}/indexes/index-4119.fits is left out: " in ran.out


@pytest.mark.usefixtures("engine")
def test_a_broken_configuration_is_named(nova, home: Path, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config.toml").write_text("timeout_s = 'soon'\n")
    monkeypatch.setenv("NOVA_CONFIG", str(home / "config.toml"))
    ran = nova("submit", str(picture))
    assert (ran.code, ran.out) == (78, "")
    assert ran.err == f"nova: {home}/config.toml: timeout_s = 'soon': could not convert string to float: 'soon'\n"


@pytest.mark.usefixtures("engine")
def test_a_jobs_directory_that_cannot_be_made_is_named(nova, home: Path, picture: Path) -> None:
    (home / "file").touch()
    ran = nova("submit", "--jobs-dir", str(home / "file" / "jobs"), str(picture))
    assert (ran.code, ran.out) == (73, "")
    (line,) = ran.err.splitlines()
    assert "a job directory cannot be made there" in line
    assert line.startswith((f"nova: {picture}: {home}/file/jobs: ", f"nova: {home}/file/jobs: "))


@pytest.mark.usefixtures("engine")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_jobs_directory_that_may_not_be_written_is_named(nova, home: Path, picture: Path) -> None:
    locked = home / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    ran = nova("submit", "--jobs-dir", str(locked), str(picture))
    assert ran.code == 73
    assert f"{locked}: Permission denied: a job directory cannot be made there" in ran.err


@pytest.mark.usefixtures("engine")
def test_slots_that_cannot_be_kept_fail_the_job_and_keep_its_star_lists(
    nova, home: Path, jobs: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").touch()
    monkeypatch.setenv("NOVA_SLOTS_DIR", str(home / "file" / "slots"))
    ran = nova("submit", "--json", str(picture))
    (line,) = read_lines(ran.out)
    assert (ran.code, line["error"]["retry_is_safe"]) == (73, True)
    assert "engine slots cannot be kept there" in ran.err
    assert [j.attempts() for j in jobdir.list_jobs(jobs)] == [[1]]


@pytest.mark.usefixtures("engine")
def test_hostile_names_in_messages_are_shown_not_obeyed(nova, home: Path) -> None:
    ran = nova("submit", str(home / "a\x1b[31m\nb\x07.fits"))
    assert ran.code == 66
    assert len(ran.err.splitlines()) == 1
    assert not set(ran.err) & set("\x1b\x07")


def test_nova_alone_shows_its_help(nova: Callable[..., Any]) -> None:
    ran = nova()
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: nova [OPTIONS] COMMAND")
    assert "  submit " in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("submit",), "nova: Missing argument 'IMAGE...': see nova submit --help\n"),
        (("frob",), "nova: No such command 'frob': see nova --help\n"),
        (("sumbit",), "nova: No such command 'sumbit'. Did you mean 'submit'? See nova --help\n"),
        (("hosts", "ad"), "nova: No such command 'ad'. Did you mean 'add'? See nova hosts --help\n"),
        (("doctor", "--frob"), "nova: No such option '--frob': see nova doctor --help\n"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(
    nova: Callable[..., Any], arguments: tuple[str, ...], said: str
) -> None:
    ran = nova(*arguments)
    assert (ran.code, ran.out, ran.err) == (2, "", said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("words", [("config", "show"), ("completion", "bash"), ("config", "show", "--json")])
def test_an_output_that_is_full_is_told_in_one_line(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "novacli", *words]
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 73
    assert ran.stderr == (
        "nova: the output cannot be written: No space left on device: free some space, and run the command again\n"
    )


def test_a_fault_of_ours_anywhere_is_one_line(nova, jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also outside of what is done for each image; NOVA_DEBUG shows where."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("novacli.jobs.store.JobStore.summaries", fail)
    ran = nova("jobs")
    assert ran.code == 70
    assert ran.err.startswith("nova: ZeroDivisionError: division by zero: a fault in nova itself; NOVA_DEBUG=1 shows")
    assert ran.err.count("\n") == 1
    monkeypatch.setenv("NOVA_DEBUG", "1")
    monkeypatch.setattr("sys.argv", ["nova", "jobs"])
    with pytest.raises(ZeroDivisionError):
        main()
