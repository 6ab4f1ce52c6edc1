"""``nova batch`` for people and for cron: its effects, its output on each stream, and its exit codes."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fitsio
import pytest
from made_lines import read_lines
from made_servers import HEIGHT, WIDTH, Servers, write_star_list
from made_sky import DrawnField, scattered, star_picture

from novacli import config
from novacli.batch.frames.output_paths import default_ledger
from novacli.batch.ledger.database import Ledger
from novacli.batch.ledger.lock import locked
from novacli.errors import InputMissingError

PATIENCE_S = 60.0


@pytest.fixture
def night(jobs: Path, stand_in, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two old frames of stars that no catalogue has, and a file that is not an image.

    The engine finds no solution, and adds a line to the file ``engines`` beside the folder at each start.
    """
    folder = jobs.parent / "night"
    folder.mkdir()
    for name in ("a.fits", "b.fits"):
        fitsio.write(str(folder / name), star_picture(scattered(40, (300, 400)), (300, 400), flux=9000))
    (folder / "junk.fits").write_text("no image\n")
    for path in folder.iterdir():
        os.utime(path, (1e9, 1e9))
    monkeypatch.chdir(folder.parent)
    stand_in(f"echo run >> {folder.parent}/engines; exit 0")
    return folder


def engines(night: Path) -> int:
    """Return the number of starts of the engine since the last call."""
    path = night.parent / "engines"
    count = len(path.read_text().splitlines()) if path.exists() else 0
    path.unlink(missing_ok=True)
    return count


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "novacli", "batch", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=home, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def wait_until(happened: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := happened()):
        assert time.monotonic() < deadline, "what the test waits for did not happen"
        time.sleep(0.01)
    return found


# --- What is shown -------------------------------------------------------------------------------------------------


def test_each_frame_has_a_line_and_the_run_a_summary(night: Path, nova) -> None:
    ran = nova("batch", "night")
    *lines, last = ran.out.splitlines()
    a, b, junk = sorted(lines)  # as they are done
    assert a.startswith(f"{night}/a.fits: unsolved (exhausted), ")
    assert b.startswith(f"{night}/b.fits: unsolved (exhausted), ")
    assert junk.startswith(f"{night}/junk.fits is a text file")
    assert last.startswith("nova: 3 frames: 2 unsolved, 1 failed, in ")
    assert (ran.code, ran.err) == (65, "")
    again = nova("batch", "night")
    assert (again.code, again.out) == (65, "nova: nothing to do; 3 frames had their result already.\n")


def test_json_lines_go_to_stdout_and_the_summary_to_stderr(night: Path, nova) -> None:
    ran = nova("batch", "--json", "night")
    lines = {Path(line["input"]).name: line["status"] for line in read_lines(ran.out)}
    assert all("total_s" in line["timing"] for line in read_lines(ran.out))
    assert lines == {"a.fits": "unsolved", "b.fits": "unsolved", "junk.fits": "failed"}
    assert ran.err.startswith("nova: 3 frames: 2 unsolved, 1 failed, in ")
    assert len(ran.err.splitlines()) == 1
    (night / "a.fits").write_bytes((night / "b.fits").read_bytes() + bytes(2880))
    os.utime(night / "a.fits", (1e9, 1e9))
    changed = read_lines(nova("batch", "--json", "night").out)
    assert [line["input"] for line in changed] == [f"{night}/a.fits"]


def test_a_quiet_run_reports_problems_once_in_one_paragraph(night: Path, nova) -> None:
    ran = nova("batch", "-q", "night")
    assert ran.out == ""
    (line,) = ran.err.splitlines()
    reasons = (
        f"{night}/",
        "fits: unsolved (exhausted) (and 1 more frame for the same reason).",
        "junk.fits is a text file",
    )
    for words in ("3 frames: 2 unsolved, 1 failed", *reasons, "All frames: nova batch report --ledger /"):
        assert words in line
    again = nova("batch", "-q", "night")
    assert (again.code, again.out, again.err) == (65, "", "")


def test_a_terminal_shows_a_bar_and_lines_for_problems(night: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "novacli", "batch", "night"]
    run = subprocess.Popen(command, cwd=night.parent, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux, once the other end is closed
            piece = b""
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert run.wait() == 65
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert "2 unsolved, 1 failed; " in text
    assert "3/3" in text
    assert text.rstrip().splitlines()[-1].startswith("nova: 3 frames: 2 unsolved, 1 failed, in ")


# --- What is done again ----------------------------------------------------------------------------------------------


def test_final_failures_are_tried_again_only_on_request(night: Path, nova) -> None:
    nova("batch", "night")
    first = engines(night)
    assert first >= 2
    nova("batch", "night", "--timeout", "100")
    assert engines(night) == 0
    assert len(read_lines(nova("batch", "--json", "--retry", "failed", "night").out)) == 1
    assert engines(night) == 0
    assert len(read_lines(nova("batch", "--json", "--retry", "unsolved", "night").out)) == 2
    assert engines(night) == first
    assert len(read_lines(nova("batch", "--json", "-L", "1", "-H", "90", "night").out)) == 3
    assert engines(night) > 0


def test_a_touched_frame_is_not_solved_again(night: Path, nova) -> None:
    nova("batch", "night")
    engines(night)
    os.utime(night / "a.fits", (1.1e9, 1.1e9))
    ran = nova("batch", "night")
    assert "1 frame: 1 unchanged" in ran.out
    assert engines(night) == 0
    assert "nothing to do; 3 frames" in nova("batch", "night").out


def test_one_job_is_kept_for_each_frame_that_was_not_solved(night: Path, nova, jobs: Path) -> None:
    for _ in range(2):
        nova("batch", "--force", "night")
        listed = nova("jobs").out.splitlines()
        assert len(listed) == 3  # and the headings
        assert [p.name for p in jobs.iterdir() if p.name.startswith(".batch")] == []
    nova("batch", "--force", "--keep", "none", "night")
    assert nova("jobs").out == ""


def test_frames_come_from_lists_and_by_pattern_and_by_date(night: Path, nova, monkeypatch: pytest.MonkeyPatch) -> None:
    (night.parent / "list").write_text("night/a.fits\n\nnight/b.fits\n")
    assert len(read_lines(nova("batch", "--json", "--from", "list").out)) == 2
    assert len(read_lines(nova("batch", "--json", "--pattern", "j*", "night").out)) == 1
    os.utime(night / "b.fits", (1.2e9, 1.2e9))
    (line,) = read_lines(nova("batch", "--json", "--newer", "2007-01-01", "night").out)
    assert line["input"] == f"{night}/b.fits"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"night/a.fits\0night/junk.fits\0")))
    assert len(read_lines(nova("batch", "--json", "--from", "-").out)) == 2


def test_a_frame_that_is_still_being_written_waits_for_the_next_run(night: Path, nova) -> None:
    (night / "c.fits").write_bytes(b"SIMPLE  =")
    run = start(night.parent, "night", "--settle", "0.5", "--json")
    try:
        while run.poll() is None:
            with (night / "c.fits").open("ab") as stream:
                stream.write(b"    T")
            time.sleep(0.02)
    finally:
        run.kill()
    out, err = run.communicate(timeout=PATIENCE_S)
    assert len(read_lines(out)) == 3
    # Which of the two words it gets depends on how far the run was when it looked.
    assert re.search(
        r"c\.fits: it (is still being|was) written( to while it was being solved)?; left for the next run", err
    )
    assert run.returncode == 75
    os.utime(night / "c.fits", (1e9, 1e9))
    assert [line["input"] for line in read_lines(nova("batch", "--json", "night").out)] == [f"{night}/c.fits"]


# --- How it ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 0, "Usage:"),
        (["none"], 66, "none is not there: check the path or the mount"),
        (["-"], 2, "--from - reads a list of paths from standard input"),
        (["night", "--newer", "soon"], 2, "it is neither an age nor a date nor a file"),
        (["night", "--pattern", "a/b"], 2, "has a slash"),
        (["night", "--report", "x.doc"], 2, "the report's format is unknown"),
        (["night", "--max-time", "long"], 2, "age 'long' is not understood"),
        (["night", "--ledger", "night/junk.fits"], 65, "night/junk.fits: "),
        (["night", "--to", "-o"], 2, "-o"),
        (["night", "--parity", "up"], 2, "parity"),
        (["report"], 2, "name the batch by its paths"),
        (["status", "night"], 66, "there is no ledger: run nova batch first"),
    ],
)
def test_errors_are_reported_in_one_line(night: Path, nova, arguments: list[str], code: int, words: str) -> None:
    ran = nova("batch", *arguments)
    assert ran.code == code
    shown = ran.out if code == 0 else ran.err
    assert words in shown
    if code:
        assert ran.out == ""
        assert len(shown.splitlines()) == 1
    assert engines(night) == 0


def test_without_an_engine_no_frame_is_solved(night: Path, nova, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_ENGINE", "no-such-engine")
    ran = nova("batch", "night")
    assert (ran.code, ran.out) == (69, "")
    assert "no-such-engine was not found" in ran.err
    first, second, _ = nova("batch", "status").out.splitlines()
    assert first == f"{night}: 3 waiting"
    assert "no-such-engine was not found" in second


def test_a_folder_that_lost_all_frames_counts_as_an_unmounted_disk(night: Path, nova) -> None:
    nova("batch", "night")
    for path in night.iterdir():
        path.unlink()
    ran = nova("batch", "night")
    assert ran.code == 75
    assert "it has no frame, although the ledger has 3 frames: check the mount" in ran.err


def test_a_second_run_waits_or_ends(night: Path, nova) -> None:
    ledger = default_ledger(["night"], None)
    with locked(ledger, wait=False, until_s=0, say=print):
        ran = nova("batch", "--no-wait", "night")
        assert (ran.code, ran.out) == (75, "")
        assert "another run" in ran.err
        assert "try again later" in ran.err
        quiet = nova("batch", "-q", "--no-wait", "night")
        assert (quiet.code, quiet.out, quiet.err) == (75, "", "")
        second = start(night.parent, "night")
        try:
            assert second.stderr is not None
            assert second.stderr.readline().startswith("nova: waiting for another run")
        except BaseException:
            second.kill()
            raise
    out, _ = second.communicate(timeout=PATIENCE_S)
    assert "3 frames: " in out


def test_status_and_report_take_the_same_paths(night: Path, nova) -> None:
    nova("batch", "night")
    expected = {"solved": 0, "unsolved": 2, "failed": 1, "retriable": 0, "waiting": 0, "ours": 0, "gone": 0}
    (state,) = [json.loads(line) for line in nova("batch", "status", "--json", str(night)).out.splitlines()]
    assert (state["frames"], state["state"], state["paths"]) == (expected, "finished", [str(night)])
    assert Path(state["ledger"]).exists()
    assert nova("batch", "status").out.splitlines()[0] == f"{night}: 2 unsolved, 1 failed"
    lines = nova("batch", "report", "./night").out.splitlines()
    assert [line.split()[0].rstrip(":") for line in lines] == [f"{night}/{n}.fits" for n in ("a", "b", "junk")]
    assert len(read_lines(nova("batch", "report", "--json", "night").out)) == 3
    assert nova("batch", "report", "night", "--report", "r.csv").code == 0
    assert len((night.parent / "r.csv").read_text().splitlines()) == 4
    assert nova("batch", "night", "--report", "r.jsonl").code == 65
    assert len((night.parent / "r.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("options", "ledger"), [(["--out", "solved"], "solved/.nova-batch.sqlite"), (["--ledger", "my.db"], "my.db")]
)
def test_status_lists_ledgers_elsewhere_until_they_are_removed(
    night: Path, nova, options: list[str], ledger: str
) -> None:
    elsewhere = (night.parent / ledger).resolve()

    def states() -> dict[Path, str]:
        lines = nova("batch", "status", "--json").out.splitlines()
        return {Path(state["ledger"]): state["state"] for state in map(json.loads, lines)}

    nova("batch", "night", *options)
    nova("batch", "night")
    home = default_ledger(["night"], None)
    assert states() == {home: "finished", elsewhere: "finished"}
    with Ledger.open(elsewhere) as opened:
        opened.begin_run()
    assert states() == {home: "finished", elsewhere: "killed"}
    with locked(elsewhere, wait=False, until_s=0, say=print):
        assert states() == {home: "finished", elsewhere: "running"}
    elsewhere.unlink()
    ran = nova("batch", "status")
    assert (ran.code, ran.err, len(ran.out.splitlines())) == (0, "", 3)


def test_the_report_marks_renamed_frames(night: Path, nova) -> None:
    """Two rows of one content, and one of them is current."""
    nova("batch", "night")
    (night / "a.fits").rename(night / "c.fits")
    (night / "junk.fits").unlink()
    nova("batch", "night")
    lines = nova("batch", "report", "night").out.splitlines()
    assert [Path(line.split()[0].rstrip(":")).name for line in lines] == ["a.fits", "b.fits", "c.fits", "junk.fits"]
    assert [line.endswith("; the file does not exist any more") for line in lines] == [True, False, False, True]
    nova("batch", "report", "night", "--report", "r.csv")
    rows = [row.split(",")[:3] for row in (night.parent / "r.csv").read_text().splitlines()]
    assert [row[2] for row in rows] == ["present", "no", "yes", "yes", "no"]


def test_the_report_shows_a_damaged_line_of_the_ledger(night: Path, nova) -> None:
    nova("batch", "night")
    with Ledger.open(default_ledger([str(night)], None)) as ledger:
        for name in ("a.fits", "junk.fits"):
            entry = ledger.entry(str(night / name))
            assert entry is not None
            ledger.put(replace(entry, line="{"))
    first, second, third = nova("batch", "report", "night").out.splitlines()
    damaged = "its line in the ledger is damaged: solve it again with --force"
    assert (first, third) == (f"{night}/a.fits: {damaged}", f"{night}/junk.fits: {damaged}")
    assert second.startswith(f"{night}/b.fits: unsolved")


def test_a_damaged_ledger_hides_no_other_one(night: Path, nova) -> None:
    nova("batch", "night")
    empty = default_ledger(["night"], None).with_name("a-first.sqlite")
    empty.touch()
    ran = nova("batch", "status")
    assert ran.code == 66
    assert ran.out.startswith(f"{night}: 2 unsolved, 1 failed\n")
    assert ran.err.startswith(f"nova: {empty}: there is no ledger")
    assert len(ran.err.splitlines()) == 1
    assert [json.loads(line)["paths"] for line in nova("batch", "status", "--json").out.splitlines()] == [[str(night)]]


def test_a_signal_ends_the_run_and_the_next_one_goes_on(night: Path, nova, stand_in) -> None:
    stand_in(f"echo run >> {night.parent}/engines; exec sleep 60")
    run = start(night.parent, "night")
    try:
        wait_until(lambda: engines(night))
        run.send_signal(signal.SIGTERM)
        out, err = run.communicate(timeout=PATIENCE_S)
    finally:
        run.kill()
    assert (run.returncode, err) == (143, "")
    assert "It stopped before the end: it was interrupted." in out
    stand_in("exit 0")
    done = read_lines(nova("batch", "--json", "night").out)
    assert {line["input"] for line in done} >= {f"{night}/a.fits", f"{night}/b.fits"}


def test_a_report_in_place_of_a_frame_is_refused_before_anything_is_solved(home: Path, nova) -> None:
    stars = write_star_list(home / "a.csv")
    before = stars.read_bytes()
    ran = nova("batch", "--report", str(stars), "--size", f"{WIDTH}x{HEIGHT}", str(stars))
    assert (ran.code, ran.out) == (2, "")
    assert "which the report would replace" in ran.err
    assert stars.read_bytes() == before


def test_the_time_of_a_run_is_limited(night: Path, nova, stand_in) -> None:
    ran = nova("batch", "--max-time", "0", "night")
    assert ran.code == 75
    assert "3 frames: 3 left for the next run" in ran.out
    assert "the time limit passed" in ran.out


def test_after_kill_9_nothing_is_left_behind_and_the_next_run_goes_on(night: Path, nova, stand_in, jobs: Path) -> None:
    stand_in(f"echo $PPID >> {night.parent}/workers; exec sleep 60")
    run = start(night.parent, "night", "--workers", "2")
    try:
        wait_until(lambda: len(set(lines_of(night.parent / "workers"))) == 2)
    finally:
        run.kill()
    run.communicate(timeout=PATIENCE_S)
    for pid in map(int, set(lines_of(night.parent / "workers"))):
        wait_until(lambda pid=pid: not is_alive(pid))
    assert nova("batch", "status").out.splitlines()[1].endswith(", killed")
    stand_in("exit 0")
    nova("batch", "night")
    assert nova("batch", "status").out.startswith(f"{night}: 2 unsolved, 1 failed\n")
    assert len([p for p in jobs.iterdir() if p.is_dir()]) == 2


def lines_of(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- Solved for real -----------------------------------------------------------------------------------------------


@pytest.fixture
def sky(drawn: DrawnField, jobs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the current one with two pictures of a field that can be solved, old ones."""
    folder = jobs.parent / "sky"
    (folder / "deep").mkdir(parents=True)
    drawn.write_fits(folder / "a.fits")
    shutil.copy(folder / "a.fits", folder / "deep" / "b.fits")
    for path in folder.rglob("*.fits"):
        os.utime(path, (1e9, 1e9))
    monkeypatch.chdir(folder.parent)
    return folder


@pytest.mark.engine
@pytest.mark.parametrize(
    ("options", "written"),
    [
        ([], []),
        (["--update"], []),
        (["--wcs", "--corr", "--rdls", "--axy"],
         [f"sky/{n}.{s}" for n in ("a", "deep/b") for s in ("axy", "corr", "rdls", "wcs")]),
        (["--new-fits"], ["sky/a.new.fits", "sky/deep/b.new.fits"]),
        (["--out", "solved"], ["solved/sky/a.fits", "solved/sky/deep/b.fits"]),
        (["--out", "sky/solved", "--wcs"], ["sky/solved/sky/a.wcs", "sky/solved/sky/deep/b.wcs"]),
    ],
)  # fmt: skip
def test_a_second_run_does_nothing(sky: Path, nova, options: list[str], written: list[str]) -> None:
    before = files_below(sky.parent)
    ran = nova("batch", "--json", "sky", *options)
    assert (ran.code, [line["status"] for line in read_lines(ran.out)]) == (0, ["solved"] * 2)
    assert sorted(files_below(sky.parent) - before) == sorted(written)
    is_updated = "CRVAL1" in fitsio.read_header(str(sky / "a.fits"))
    assert is_updated == ("--update" in options)
    again = nova("batch", "--json", "sky", *options)
    assert (again.code, again.out) == (0, "")
    assert "nothing to do; 2 frames had their result already" in again.err
    assert nova("batch", "-q", "sky", *options).err == ""


def files_below(folder: Path) -> set[str]:
    """All files but hidden ones, and those of the home that nova keeps its own in."""
    kept = ("jobs", "slots")
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(p) for p in paths if p.parts[0] not in kept and not any(part.startswith(".") for part in p.parts)}


@pytest.mark.engine
def test_a_further_output_is_written_by_a_later_run(sky: Path, nova) -> None:
    nova("batch", "-q", "sky")
    assert len(read_lines(nova("batch", "--json", "--wcs", "sky").out)) == 2
    assert (sky / "a.wcs").exists()
    assert nova("batch", "--json", "sky").out == ""


#: A prefix of commands by which permissions apply to a process of root, too.
_NO_ROOT = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"] if os.geteuid() == 0 else []


@pytest.mark.engine
@pytest.mark.skipif(bool(_NO_ROOT) and shutil.which("setpriv") is None, reason="root may write everywhere")
@pytest.mark.parametrize(
    ("locked", "remedy"),
    [("deep/b.fits", "make it writable, or use --wcs or --out DIR in place of --update"),
     ("deep", "make it and its folder writable, or use --out DIR in place of --update")],
)  # fmt: skip
def test_a_read_only_frame_is_reported_once_and_done_once_it_may_be_written(
    sky: Path, locked: str, remedy: str
) -> None:
    def cron(*options: str) -> tuple[int, str]:
        command = [*_NO_ROOT, sys.executable, "-m", "novacli", "batch", "-q", *options, "sky"]
        ran = subprocess.run(command, cwd=sky.parent, capture_output=True, text=True, check=False)
        assert ran.stdout == ""
        return ran.returncode, ran.stderr

    mode = (sky / locked).stat().st_mode
    (sky / locked).chmod(mode & ~0o222)
    code, said = cron("--update")
    assert (code, len(said.splitlines())) == (73, 1)
    assert "2 frames: 1 solved, 1 failed" in said
    assert f"{sky}/deep/b.fits: " in said
    assert remedy in said
    assert "another file name" not in said
    assert cron("--update") == (73, "")
    if locked != "deep":
        assert cron("--wcs") == (0, "")
        assert (sky / "deep" / "b.wcs").exists()
    (sky / locked).chmod(mode)
    assert cron("--update") == (0, "")
    assert "CRVAL1" in fitsio.read_header(str(sky / "deep" / "b.fits"))


@pytest.mark.engine
def test_only_own_outputs_are_replaced_unless_overwrite_is_given(sky: Path, nova) -> None:
    """A user's file stops its own frame, and nothing that the batch wrote stops a later run."""
    notes = sky / "a.wcs"
    notes.write_text("notes")
    would = f"--wcs would replace {notes}, which this batch did not write: "
    assert f"{sky}/a.fits: refuse: {would}" in nova("batch", "--dry-run", "--wcs", "sky").out
    first = nova("batch", "-q", "--wcs", "sky")
    assert (first.code, would in first.err, notes.read_text()) == (73, True, "notes")
    assert (sky / "deep" / "b.wcs").exists()
    second = nova("batch", "-q", "--wcs", "sky")
    assert (second.code, second.out, second.err) == (73, "", "")
    notes.rename(sky / "notes")
    assert nova("batch", "-q", "--wcs", "sky").code == 0
    for frame in (sky / "a.fits", sky / "deep" / "b.fits"):
        frame.write_bytes(frame.read_bytes() + bytes(2880))
        os.utime(frame, (1e9, 1e9))
    again = nova("batch", "--json", "--wcs", "sky")
    assert (again.code, len(read_lines(again.out))) == (0, 2)
    notes.unlink()
    default_ledger(["sky"], None).unlink()
    notes.write_text("notes")
    assert nova("batch", "-q", "--wcs", "sky").code == 73
    assert nova("batch", "-q", "--wcs", "--overwrite", "sky").code == 0
    assert fitsio.read_header(str(notes))["CRVAL1"]


@pytest.mark.engine
def test_a_killed_run_and_its_rerun_give_the_results_of_one_run(sky: Path, home: Path, nova) -> None:
    for n in range(6):
        shutil.copy2(sky / "a.fits", sky / f"c{n}.fits")
    run = start(home, "sky", "--update", "--wcs")
    ledger = default_ledger(["sky"], None)
    try:
        wait_until(lambda: has_solved(ledger, 2))
    finally:
        run.kill()
        run.communicate(timeout=PATIENCE_S)
    before = counts(ledger)["solved"]
    again = nova("batch", "--json", "sky", "--update", "--wcs")
    assert again.code == 0
    assert len(read_lines(again.out)) == 8 - before
    assert counts(ledger) == {"solved": 8}
    assert all("CRVAL1" in fitsio.read_header(str(path)) for path in sky.rglob("*.fits"))
    assert nova("batch", "--json", "sky", "--update", "--wcs").out == ""
    assert not list(sky.rglob(".nova-*"))


def has_solved(ledger: Path, count: int) -> bool:
    """Return True if a run has recorded this many solved frames; its ledger may not exist yet."""
    try:
        return counts(ledger).get("solved", 0) >= count
    except InputMissingError:
        return False


def counts(ledger: Path) -> dict[str, int]:
    with Ledger.read(ledger) as opened:
        return opened.counts()


def test_a_wrong_setting_is_an_error_before_frames_are_listed(
    night: Path, nova, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOVA_TIMEOUT", "soon")
    ran = nova("batch", "night")
    assert (ran.code, ran.out) == (78, "")
    monkeypatch.delenv("NOVA_TIMEOUT")
    assert list((config.load().folders.state / "batches").glob("*")) == []


def test_what_a_killed_quiet_run_found_is_reported_by_the_next_run(night: Path, nova, stand_in) -> None:
    stand_in("exec sleep 60")
    ledger = default_ledger(("night",), None)
    run = start(night.parent, "-q", "--sequence", "off", "--workers", "3", "night")

    def has_failed() -> bool:
        try:
            with Ledger.read(ledger) as reader:
                return reader.counts().get("failed", 0) > 0
        except InputMissingError:
            return False

    wait_until(has_failed)
    run.kill()
    assert run.communicate() == ("", "")
    stand_in("exit 0")
    shown = nova("batch", "-q", "night")
    assert f"An earlier run, which was cut off, found: {night}/junk.fits is a text file" in shown.err
    assert (shown.code, nova("batch", "-q", "night").err) == (65, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_do_not_change_the_exit_code(night: Path, closed: str) -> None:
    command = [sys.executable, "-m", "novacli", "batch", "-q", "night"]
    script = f'exec "$@" {closed}'
    done = subprocess.run(["sh", "-c", script, "sh", *command], cwd=night.parent, check=False, capture_output=True)
    assert done.returncode == 65


def test_a_dry_run_shows_a_line_for_each_frame(night: Path, nova) -> None:
    ran = nova("batch", "--dry-run", "night")
    assert ran.out.splitlines() == [f"{night}/{name}.fits: solve: it is new" for name in ("a", "b", "junk")]
    assert (ran.code, ran.err, engines(night)) == (0, "", 0)
    first = json.loads(nova("batch", "--dry-run", "--json", "--wcs", "night").out.splitlines()[0])
    files = {"wcs": f"{night}/a.wcs"}
    assert first == {"input": f"{night}/a.fits", "action": "solve", "reason": "it is new", "files": files}
    assert nova("batch", "--dry-run", "--watch", "night").code == 2


# --- On servers ----------------------------------------------------------------------------------------------------


def test_frames_are_solved_on_a_server_by_the_same_workers(home: Path, jobs: Path, nova, servers: Servers) -> None:
    servers.replies("solve1")
    names = [str(write_star_list(home / f"{n}.csv")) for n in ("a", "b")]
    arguments = ["batch", "--json", "--settle", "0", "--size", f"{WIDTH}x{HEIGHT}", "--to", "solve1", "--wcs", *names]
    ran = nova(*arguments)
    lines = read_lines(ran.out)
    assert ran.code == 0
    assert {line["input"] for line in lines} == set(names)
    assert {(line["status"], line["server"]) for line in lines} == {("solved", "solve1")}
    assert (home / "a.csv.wcs").exists()
    calls = servers.calls()
    assert (calls.count("solve1 solve"), nova(*arguments).out) == (2, "")
    assert servers.calls() == calls


def test_without_a_server_no_frame_is_solved(home: Path, jobs: Path, nova, servers: Servers) -> None:
    servers.add("solve1", info="echo Permission denied >&2; exit 77")
    name = str(write_star_list(home / "a.csv"))
    ran = nova("batch", "--json", "--settle", "0", "--size", f"{WIDTH}x{HEIGHT}", "--to", "solve1", name)
    assert (ran.code, ran.out) == (77, "")
    assert len(ran.err.splitlines()) == 1
