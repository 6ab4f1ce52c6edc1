"""``nova submit``: its output, the files that it writes, and what remains after an interrupt."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fitsio
import pytest
from made_lines import read_lines
from made_sky import DrawnField, scattered, star_picture

from novacli import config
from solvehost.formats import jobdir

#: How long a test waits for what must happen, before it fails; no claim about speed.
PATIENCE_S = 60.0


def wait_until(happened: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := happened()):
        assert time.monotonic() < deadline, "what the test waits for did not happen"
        time.sleep(0.01)
    return found


@pytest.fixture
def picture(home: Path) -> Path:
    """A FITS image of stars at random places."""
    path = home / "stars.fits"
    fitsio.write(str(path), star_picture(scattered(40, (300, 400)), (300, 400), flux=9000))
    return path


@pytest.fixture
def start(home: Path) -> Callable[..., subprocess.Popen[bytes]]:
    """Return a function that starts ``nova`` as a process in its own session, with the test's environment."""

    def begin(*arguments: str | bytes, **options: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "novacli", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(command, start_new_session=True, cwd=home, **pipes)

    return begin


# --- Solved --------------------------------------------------------------------------------------------------------


@pytest.mark.engine
def test_piped_output_of_a_solved_image_is_a_plain_table(drawn: DrawnField, nova, home: Path) -> None:
    ran = nova("submit", str(drawn.write_fits(home / "field.fits")))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == f"{home}/field.fits: solved"
    for label in ("Centre", "Constellation", "Pixel scale", "Field", "Orientation", "Parity", "Index", "Match", "Job"):
        assert f"  {label} " in ran.out
    assert "\x1b" not in ran.out


@pytest.mark.engine
def test_results_come_as_json_lines_in_the_order_given(drawn: DrawnField, nova, jobs: Path, home: Path) -> None:
    """A picture, a missing file and a mirrored picture have a line each; the worst failure gives the exit code."""
    names = [str(drawn.write_fits(home / "a.fits")), str(home / "none.fits"), str(drawn.write_jpeg(home / "b.jpg"))]
    ran = nova("submit", "--json", *names)
    lines = read_lines(ran.out)
    assert [line["input"] for line in lines] == names
    assert [line["status"] for line in lines] == ["solved", "failed", "solved"]
    assert ran.code == 66
    assert ran.err.splitlines() == [f"nova: {names[1]} is not there: check the path"]
    drawn.assert_found(lines[0]["calibration"], parity=-1)
    drawn.assert_found(lines[2]["calibration"], parity=+1)
    assert {j.job_id for j in jobdir.list_jobs(jobs)} == {lines[0]["job"], lines[2]["job"]}


@pytest.mark.engine
def test_outputs_are_written_and_listed(drawn: DrawnField, nova, home: Path) -> None:
    """The copies equal the job's files."""
    picture = drawn.write_fits(home / "field.fits")
    before = picture.read_bytes()
    wanted = {name: home / f"out.{name}" for name in ("wcs", "corr", "rdls", "axy", "new_fits")}
    options = [f"--{name.replace('_', '-')}={path}" for name, path in wanted.items()]
    ran = nova("submit", "--json", str(picture), *options)
    (line,) = read_lines(ran.out)
    assert ran.code == 0
    assert {name: line["files"][name] for name in wanted} == {name: str(path) for name, path in wanted.items()}
    directory = Path(line["files"]["directory"])
    assert wanted["wcs"].read_bytes() == (directory / "wcs.fits").read_bytes()
    assert wanted["axy"].read_bytes() in {path.read_bytes() for path in directory.glob("*.axy")}
    assert fitsio.read_header(str(wanted["new_fits"]))["CTYPE1"].startswith("RA---TAN")
    assert picture.read_bytes() == before


@pytest.mark.engine
def test_update_puts_the_solution_into_the_image(drawn: DrawnField, nova, home: Path) -> None:
    picture = drawn.write_fits(home / "field.fits")
    assert nova("submit", "--update", str(picture)).code == 0
    assert fitsio.read_header(str(picture))["CTYPE1"].startswith("RA---TAN")
    assert (fitsio.read(str(picture)) == drawn.pixels).all()


@pytest.mark.engine
@pytest.mark.parametrize("options", [(), ("--tweak-order", "2")], ids=["fitted again", "the engine's own"])
def test_all_that_is_written_is_on_the_icrs(drawn: DrawnField, nova, home: Path, options: tuple[str, ...]) -> None:
    """The job's wcs.fits, its copy, the new file and the image itself, as astropy reads them without arguments."""
    from astropy.io import fits
    from astropy.wcs import WCS
    from astropy.wcs.utils import wcs_to_celestial_frame

    picture = drawn.write_fits(home / "field.fits")
    outputs = ["--wcs", str(home / "a.wcs"), "--new-fits", str(home / "a.fits"), "--update"]
    (line,) = read_lines(nova("submit", "--json", *options, *outputs, str(picture)).out)
    job = Path(line["files"]["directory"]) / "wcs.fits"
    for path in (job, home / "a.wcs", home / "a.fits", picture):
        header = fits.getheader(path)
        if path in (job, home / "a.wcs"):
            header["NAXIS"] = 2  # it has no image, but describes one of two axes
        assert (header["RADESYS"], "EQUINOX" in header) == ("ICRS", False), path
        assert wcs_to_celestial_frame(WCS(header)).name == "icrs"


@pytest.mark.engine
def test_standard_input_is_read(drawn: DrawnField, start, home: Path) -> None:
    with drawn.write_fits(home / "field.fits").open("rb") as stream:
        out, _ = start("submit", "--json", "-", stdin=stream).communicate(timeout=PATIENCE_S)
    (line,) = read_lines(out.decode())
    assert (line["input"], line["status"], line["source"]["path"]) == ("-", "solved", None)


NAMES = [
    b"a[1].fits", b"!x.fits", b"with space.fits", b"quo'te\".fits", b"new\nline.fits", b"-dash.fits", b"\xff\xfe.fits",
    b"esc\x1b[31m.fits", b"a[", b"[/b].fits", b"*?.fits", b"x.fits+1", b"mem:",
]  # fmt: skip


@pytest.mark.engine
def test_any_file_name_is_just_a_name(drawn: DrawnField, start, home: Path) -> None:
    """Names of any bytes are solved, and printed without what a terminal would obey."""
    data = drawn.write_fits(home / "plain.fits").read_bytes()
    for name in NAMES:
        path = home / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    process = start("submit", "--json", "--objs", "100", "--", *NAMES)
    out, err = process.communicate(timeout=PATIENCE_S * 2)
    lines = read_lines(out.decode("ascii"))
    assert [os.fsencode(line["input"]) for line in lines] == NAMES
    assert {line["status"] for line in lines} == {"solved"}
    assert (process.returncode, err) == (0, b"")


# --- Not solved ----------------------------------------------------------------------------------------------------


def test_an_unsolved_image_has_a_reason_a_remedy_and_exit_code_1(stand_in, nova, picture: Path) -> None:
    stand_in("exit 0")
    ran = nova("submit", str(picture))
    assert ran.code == 1
    assert "  Unsolved      no attempt found a match" in ran.out
    assert "  To do         give what you know" in ran.out


def test_json_has_the_reason_of_an_unsolved_image(stand_in, nova, picture: Path) -> None:
    stand_in("exit 0")
    (line,) = read_lines(nova("submit", "--json", str(picture)).out)
    assert (line["status"], line["reason"], line["error"]) == ("unsolved", "exhausted", None)


def test_the_time_limit_ends_the_attempts(stand_in, nova, picture: Path) -> None:
    stand_in("sleep 600")
    ran = nova("submit", "--json", "--timeout", "1", str(picture))
    (line,) = read_lines(ran.out)
    assert (ran.code, line["reason"]) == (1, "time-limit")
    assert {a["outcome"] for a in line["timing"]["attempts"]} == {"stopped"}


def test_an_engine_that_dies_is_an_internal_error_and_the_log_is_kept(
    stand_in, nova, jobs: Path, picture: Path
) -> None:
    stand_in("echo 'about to die'; kill -SEGV $$")
    ran = nova("submit", "--json", str(picture))
    (line,) = read_lines(ran.out)
    assert (ran.code, line["status"], line["error"]["retry_is_safe"]) == (70, "failed", True)
    assert "the engine failed on every attempt" in ran.err
    (job,) = jobdir.list_jobs(jobs)
    assert b"about to die" in job.log.read_bytes()


@pytest.mark.parametrize(
    ("codes", "worst"), [((0, 1), 1), ((0, 65, 1), 65), ((75, 1), 75), ((66, 65), 66), ((0, 0), 0)]
)
def test_the_worst_result_gives_the_exit_code(
    codes: tuple[int, ...], worst: int, nova, monkeypatch: pytest.MonkeyPatch
) -> None:
    from novacli.inputs import Input
    from novacli.pipeline.context import Solved
    from novacli.records.result import ErrorRecord, Result
    from novacli.records.status import FAILED, SOLVED, UNSOLVED

    def made(given: Input, *_rest: object) -> Solved:
        name = given.name
        code = int(name)
        error = ErrorRecord(f"{name}: no", code, retry_is_safe=False) if code > 1 else None
        status = {0: SOLVED, 1: UNSOLVED}.get(code, FAILED)
        return Solved(Result(name, status, error=error))

    monkeypatch.setattr("novacli.pipeline.solve.solve_input", made)
    assert nova("submit", *map(str, codes)).code == worst


# --- Progress and messages -----------------------------------------------------------------------------------------


def test_verbose_writes_each_step_to_stderr(stand_in, nova, picture: Path) -> None:
    stand_in("exit 0")
    said = nova("submit", "-v", str(picture)).err.splitlines()
    assert said[:2] == [f"nova: reading {picture}", "nova: looking for stars"]
    assert any(line.endswith("(blind)") for line in said[2:])


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")
@pytest.mark.parametrize("no_color", [False, True])
def test_a_terminal_shows_escape_sequences_in_names(
    stand_in, start, home: Path, picture: Path, monkeypatch: pytest.MonkeyPatch, no_color: bool
) -> None:
    """The progress line and the table show them; a name that looks like markup does no harm."""
    stand_in("exit 0")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    names = ["[/b].fits", "\x1b[35mred\n.fits"]
    (home / "[").mkdir()
    for name in names:
        (home / name).write_bytes(picture.read_bytes())
    ours, theirs = os.openpty()
    process = start("submit", *names, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    shown = _read_all(ours)
    assert process.wait(PATIENCE_S) == 1, shown.decode()
    text = shown.decode()
    assert "[/b].fits" in text
    assert r"\x1b[35mred\x0a.fits" in text
    assert "\x1b[35m" not in text
    assert "Traceback" not in text
    assert ("\x1b[36m" in text) is not no_color


def _read_all(terminal: int) -> bytes:
    parts = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux: the other side was closed
            break
        if not part:
            break
        parts.append(part)
    os.close(terminal)
    return b"".join(parts)


def test_a_reader_that_leaves_early_causes_no_traceback(stand_in, start, picture: Path) -> None:
    """As in ``nova submit … | head -c1``; the exit code says that results may be missing."""
    stand_in("exit 0")
    process = start("submit", "--json", *[str(picture)] * 3)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(1) == b"{"
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(PATIENCE_S) == 74
    assert err == b""


def test_an_ascii_locale_does_not_end_a_solve(stand_in, start, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in("exit 0")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii:strict")
    out, err = start("submit", str(picture), "nö.fits").communicate(timeout=PATIENCE_S)
    assert b"Traceback" not in err
    assert out.isascii()
    assert b"is not there" in err


# --- Interrupted ---------------------------------------------------------------------------------------------------


def _engines(pids: Path) -> list[int]:
    return [int(word) for word in pids.read_text().split()] if pids.exists() else []


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return not stat.parent.parent.joinpath("self").exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGINT)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()


@pytest.mark.parametrize(("end", "code"), [(_interrupt, 130), (_kill, -signal.SIGKILL)], ids=["Ctrl-C", "kill -9"])
def test_an_interrupt_leaves_no_engine_and_a_job_that_can_be_tried_again(
    end: Callable[[subprocess.Popen[bytes]], None], code: int, stand_in, start, nova, jobs: Path, home: Path,
    picture: Path,
) -> None:  # fmt: skip
    """The engines of this test would sleep for ten minutes."""
    if end is _kill and not sys.platform.startswith("linux"):
        pytest.skip("engines die with a killed nova on Linux alone")
    pids = home / "pids"
    stand_in(f"echo $$ >> '{pids}'\nexec sleep 600")
    process = start("submit", str(picture))
    wait_until(lambda: _engines(pids))
    end(process)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code
    assert (out, b"Traceback" in err) == (b"", False)
    if code == 130:
        assert err.decode().strip() == "nova: interrupted; unfinished jobs can be tried again with nova retry"
    wait_until(lambda: not any(map(_lives, _engines(pids))))
    (job,) = jobdir.list_jobs(jobs)
    assert job.state() == jobdir.INTERRUPTED
    (listed,) = (json.loads(line) for line in nova("jobs", "--json").out.splitlines())
    assert (listed["job"], listed["state"]) == (job.job_id, "interrupted")
    stand_in("exit 0")
    (again,) = read_lines(nova("retry", "--json", job.job_id).out)
    assert (again["job"], again["status"], again["reason"]) == (job.job_id, "unsolved", "exhausted")
    assert job.state() == "unsolved"


@pytest.mark.engine
def test_an_interrupted_job_is_solved_by_a_retry_without_its_picture(
    drawn: DrawnField, stand_in, start, nova, jobs: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in("exec sleep 600")
    picture = drawn.write_fits(home / "field.fits")
    process = start("submit", str(picture))
    wait_until(lambda: any(job.run_dirs() for job in jobdir.list_jobs(jobs)))
    _kill(process)
    process.communicate(timeout=PATIENCE_S)
    picture.unlink()
    for name in ("NOVA_ENGINE", "NOVA_INDEX"):
        monkeypatch.delenv(name)
    ran = nova("retry", "--json", "last")
    (line,) = read_lines(ran.out)
    assert ran.code == 0
    drawn.assert_found(line["calibration"], parity=-1)
    assert not jobdir.list_jobs(jobs)[0].run_dirs()


# --- Options -------------------------------------------------------------------------------------------------------


def test_options_reach_the_solve(stand_in, nova, jobs: Path, picture: Path) -> None:
    from solvehost.formats import axy

    stand_in("exit 0")
    ran = nova(
        "submit", "--json", "-L", "50", "-H", "70", "-u", "arcsecperpix", "--ra", "05:36:00", "--dec", "-03:00:00",
        "--radius", "4", "--parity", "neg", "--tweak-order", "3", "--crpix-center", "--objs", "30", "--no-fallback",
        str(picture),
    )  # fmt: skip
    (line,) = read_lines(ran.out)
    assert [h.get("source") for h in line["hints"]] == ["--scale-low/--scale-high", "--ra/--dec", None]
    (job,) = jobdir.list_jobs(jobs)
    attempt = axy.read(job.axy(1))
    assert attempt.scales_arcsec_per_pixel == ((50.0, 70.0),)
    assert attempt.center_deg == (pytest.approx(84.0), pytest.approx(-3.0))
    assert (attempt.parity, attempt.tweak_order, attempt.crpix_center, len(attempt.stars)) == (1, 3, True, 30)
    assert attempt.radius_deg == pytest.approx(4 + 250 * 70 / 3600)


def test_options_replace_the_environment(stand_in, nova, jobs: Path, home: Path, picture: Path) -> None:
    stand_in("exit 0")
    (line,) = read_lines(nova("submit", "--json", "--jobs-dir", str(home / "other"), str(picture)).out)
    assert Path(line["files"]["directory"]).parent == home / "other"
    assert not jobs.exists()
    assert config.load()["jobs_dir"] == jobs


def test_options_of_solve_field_are_understood(stand_in, nova, jobs: Path, picture: Path) -> None:
    """Its one-letter options have the same meaning."""
    from solvehost.formats import axy

    stand_in("exit 0")
    ran = nova(
        "submit", "--json", "-3", "05:36:00", "-4", "-03:00:00", "-5", "4", "-z", "2", "-t", "3", "-l", "60", "-p",
        "-O", "-N", "none", str(picture),
    )  # fmt: skip
    assert read_lines(ran.out)[0]["error"] is None
    (job,) = jobdir.list_jobs(jobs)
    attempt = axy.read(job.axy(1))
    assert attempt.center_deg == (pytest.approx(84.0), pytest.approx(-3.0))
    assert attempt.tweak_order == 3
    request = json.loads((job.path / jobdir.REQUEST).read_text())
    assert (request["timeout_s"], request["params"]["downsample"]) == (60, 2)
    assert not Path("none").exists()


def test_a_depth_is_refused_with_the_reason(nova) -> None:
    ran = nova("submit", "-d", "10", "a.fits")
    assert (ran.code, ran.out) == (2, "")
    assert "--depth is not supported, because each attempt has its own depth: limit the stars with --objs" in ran.err


def test_width_and_height_are_the_size_of_a_star_list(stand_in, nova, home: Path) -> None:
    stand_in("exit 0")
    (home / "stars.txt").write_text(
        "x y flux\n" + "".join(f"{n * 37 % 640} {n * 91 % 480} {n}\n" for n in range(1, 60))
    )
    (line,) = read_lines(nova("submit", "--json", "--width", "640", "--height", "480", str(home / "stars.txt")).out)
    assert (line["source"]["width"], line["source"]["height"]) == (640, 480)
    for words in (("--width", "640"), ("--width", "640", "--height", "480", "--size", "640x480")):
        assert nova("submit", *words, str(home / "stars.txt")).code == 2


# --- Outputs that would destroy a file -----------------------------------------------------------------------------

OUTPUTS = ("--wcs", "--corr", "--rdls", "--axy", "--new-fits")


def test_one_output_for_several_inputs_is_refused_before_anything_is_done(nova, jobs: Path) -> None:
    for option in (*OUTPUTS, "--out"):
        ran = nova("submit", option, "out.fits", "a.fits", "b.fits")
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith(f"nova: {option} names one file for 2 inputs: solve them one by one")


@pytest.mark.parametrize("option", OUTPUTS)
def test_an_image_is_never_replaced_by_an_output(
    option: str, nova, jobs: Path, picture: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the first of ``--wcs *.fits`` nor the image to solve is replaced, even with --overwrite."""
    monkeypatch.chdir(home)
    other = home / "f2.fits"
    other.write_bytes(picture.read_bytes())
    before = picture.read_bytes()
    for words in ([picture.name, "f2.fits"], ["f2.fits", "f2.fits"], ["./f2.fits", str(other)]):
        for overwrite in ([], ["--overwrite"]):
            if option == "--new-fits" and words[0] == picture.name and overwrite:
                continue  # an image may replace another if the user says so
            ran = nova("submit", *overwrite, option, *words)
            assert (ran.code, ran.out) in ((2, ""), (73, "")), words
            assert ran.err.startswith(f"nova: {option} {Path(words[0])}: ")
    assert picture.read_bytes() == other.read_bytes() == before
    assert not jobs.exists()


@pytest.mark.parametrize("option", OUTPUTS)
def test_an_output_that_exists_is_refused_before_anything_is_done(
    option: str, nova, jobs: Path, picture: Path, home: Path
) -> None:
    (home / "notes").write_text("mine")
    ran = nova("submit", option, str(home / "notes"), str(picture))
    assert (ran.code, ran.out) == (73, "")
    assert "notes: the file exists already: give another name, or --overwrite to replace it" in ran.err
    assert (home / "notes").read_text() == "mine"
    assert not jobs.exists()


def test_two_outputs_to_one_file_are_refused(nova, jobs: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    ran = nova("submit", "--wcs", "out.x", "--new-fits", str(home / "out.x"), "a.fits")
    assert (ran.code, ran.out) == (2, "")
    assert "--wcs and --new-fits would write two outputs to the same file" in ran.err


def test_outputs_named_after_two_images_of_one_name_are_refused(nova, home: Path) -> None:
    """``--dir`` would write a/x.fits and b/x.fits to one place."""
    ran = nova("submit", "--dir", str(home / "out"), "a/x.fits", "b/x.fits")
    assert (ran.code, ran.out) == (2, "")
    assert "--wcs would write two outputs to the same file" in ran.err


def test_update_of_what_is_not_a_fits_file_is_refused_before_it_is_solved(
    nova, jobs: Path, picture: Path, home: Path
) -> None:
    """No job is made, and no engine runs."""
    from PIL import Image

    Image.new("L", (30, 20)).save(home / "photo.jpg")
    ran = nova("submit", "--json", "--update", str(home / "photo.jpg"))
    (line,) = read_lines(ran.out)
    assert (ran.code, line["status"]) == (2, "failed")
    assert "photo.jpg is a JPEG file, which --update cannot write into: use --new-fits" in line["error"]["message"]
    assert not jobs.exists()


def test_outputs_that_need_a_file_are_refused_for_standard_input(nova, jobs: Path) -> None:
    for options, named in ((["--update"], "--update"), (["--new-fits", "x.fits"], "--new-fits")):
        ran = nova("submit", *options, "-")
        assert ran.code == 2
        assert f"- is not a file, which {named} needs: save it first, or use --wcs" in ran.err
    assert not jobs.exists()


@pytest.mark.engine
def test_dir_and_out_name_all_outputs(drawn: DrawnField, nova, home: Path) -> None:
    """``-D`` and ``-o`` write every table and the image; ``none`` leaves one out; ``-O`` replaces them."""
    picture = drawn.write_fits(home / "field.fits")
    words = ["submit", "--json", "-D", str(home / "out"), "-o", "base", "--rdls", "none", "--no-plots", str(picture)]
    (line,) = read_lines(nova(*words).out)
    names = sorted(path.name for path in (home / "out").iterdir())
    assert names == ["base.axy", "base.corr", "base.new.fits", "base.wcs"]
    assert line["files"]["new_fits"] == str(home / "out" / "base.new.fits")
    assert nova(*words).code == 73
    assert nova(*words, "-O").code == 0


def test_help_works_without_an_engine(nova, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    ran = nova("submit", "--help")
    assert ran.code == 0
    for option in ("--scale-low", "--parity", "--no-fallback", "--new-fits", "--update", "--jobs-dir", "--json"):
        assert option in ran.out
