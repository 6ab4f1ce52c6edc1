"""The benchmarks run on tiny cases with stand-ins for the slow programs, and their statistics are right."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
sys.path.append(str(Path(__file__).parent / "solvehost"))

import cases
import comparison
import drawnfield
import measure
import overhead
import programs
import reporting
import solve_server
import truths
import vs_solve_field
from measure import Run
from truths import Place, Truth

from solvehost.formats import axy
from solvehost.indexes.index_set import IndexSet

HERE = Place(84.0, -3.0, 54.0, -1.0)
TRUTH = {"ra": 84.0, "dec": -3.0, "pixscale_arcsec": 54.0, "parity": -1, "size": [800, 600]}
RESULT = {
    "status": "solved",
    "calibration": {"ra": 84.0, "dec": -3.0, "pixscale": 54.0, "parity": -1.0},
    "hints": [
        {"kind": "scale", "low_arcsec": 50.0, "high_arcsec": 60.0},
        {"kind": "position", "ra": 84.0, "dec": -3.0, "radius": 5.0},
    ],
    "files": {"wcs": "wcs.fits"},
    "source": {"width": 800, "height": 600},
    "timing": {
        "total_s": 0.5,
        "engine_cpu_s": 0.25,
        "attempts": [
            {"outcome": "solved", "seconds": 0.2, "cpu_s": 0.2},
            {"outcome": "stopped", "seconds": 0.1, "cpu_s": 0.05},
            {"outcome": "no-index", "seconds": 0.0, "cpu_s": 0.0},
        ],
    },
}
WCSINFO = "ra_center 84.0\ndec_center -3.0\npixscale 54.0\ndet -0.0002\n"


def made_run(wall_s: float = 1.0, cpu_s: float = 1.0, exit_status: int = 0, *, timed_out: bool = False) -> Run:
    return Run(exit_status, wall_s, cpu_s, 4 * 800 * 600 * 3, "", "", timed_out)


def made_side(outcome: str, *walls_s: float) -> comparison.Side:
    return comparison.Side(tuple(programs.Trial(made_run(wall), outcome) for wall in walls_s))


@pytest.fixture
def made_program(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a function that writes a Python program that can be run by its path."""

    def make(name: str, source: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\nimport sys\n{source}\n")
        path.chmod(0o755)
        return path

    return make


# --- Running commands --------------------------------------------------------------------------------------------


def test_run_returns_output_and_exit_status() -> None:
    done = measure.run([sys.executable, "-c", "import sys; print(input()); sys.exit(3)"], 60, text_in="hello\n")
    assert (done.stdout, done.exit_status, done.timed_out) == ("hello\n", 3, False)
    assert done.peak_bytes > 1_000_000


def test_cpu_time_counts_descendants() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}], check=True)"
    assert measure.run([sys.executable, "-c", nested], 60).cpu_s >= 0.3


def test_run_that_exceeds_its_time_is_killed() -> None:
    done = measure.run(["sleep", "60"], 0.1)
    assert done.timed_out
    assert done.exit_status < 0


def test_run_kills_all_descendants(tmp_path: Path) -> None:
    """A process in the background holds a lock file open; once the run is over, it has been killed."""
    pipe = tmp_path / "pipe"
    measure.run(["sh", "-c", f"mkfifo {pipe}; sleep 600 > {pipe} & exec 3< {pipe}"], 60)
    with pytest.raises(OSError, match="No such device"):
        measure.os.open(pipe, measure.os.O_WRONLY | measure.os.O_NONBLOCK)


def test_fresh_state_is_empty_and_removed_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_INDEX", "elsewhere")
    with measure.fresh_state() as (folder, env):
        assert "NOVA_INDEX" not in env
        for variable in ("NOVA_JOBS", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TMPDIR"):
            assert Path(env[variable]).parent == folder
        assert not Path(env["NOVA_JOBS"]).exists()
    assert not folder.exists()


def test_warming_reads_every_byte(tmp_path: Path) -> None:
    for name, size in (("a", 10), ("b", 3_000_000)):
        (tmp_path / name).write_bytes(bytes(size))
    assert measure.warm(sorted(tmp_path.iterdir())) == 3_000_010


# --- Pairs and means ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("second_begins", "order"), [(False, "abba" + "ab"), (True, "baab" + "ba")])
def test_pairs_alternate_their_order(second_begins: bool, order: str) -> None:
    calls: list[str] = []
    first, second = (lambda name=name: calls.append(name) or name for name in "ab")
    got = measure.interleave(first, second, 3, second_begins=second_begins)
    assert "".join(calls) == order
    assert got == (["a"] * 3, ["b"] * 3)


def test_no_pair_follows_a_failed_one() -> None:
    got = measure.interleave(lambda: 1, lambda: 2, 5, goes_on=lambda a, b: a == b)
    assert got == ([1], [2])


def test_means() -> None:
    assert measure.geometric_mean([2, 8]) == pytest.approx(4)
    assert measure.median([5, 1, 3]) == 3
    assert math.isnan(measure.geometric_mean([]))
    assert math.isnan(measure.median([]))


# --- Truths ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "is_right"),
    [
        (HERE, True),
        (Place(84.0, -3.0 + 7 * 54 / 3600, 54.0, -1.0), True),
        (Place(84.0, -3.0 + 9 * 54 / 3600, 54.0, -1.0), False),
        (Place(84.0, -3.0, 54.5, -1.0), True),
        (Place(84.0, -3.0, 54.6, -1.0), False),
        (Place(84.0, -3.0, 54.0, 1.0), False),
    ],
)
def test_answer_is_right_within_one_percent(answer: Place, is_right: bool) -> None:
    assert truths.error(answer, Truth(HERE, 800)).is_small == is_right


def test_separation_across_the_pole() -> None:
    a, b = Place(0.0, 89.0, 1, 1), Place(180.0, 89.0, 1, 1)
    assert truths.separation_deg(a, b) == pytest.approx(2)


def test_corpus_yields_images_that_should_or_may_solve(tmp_path: Path) -> None:
    known = {"width": 800, "ra": 84.0, "dec": -3.0, "pixscale_arcsec": 54.0, "parity": -1.0}
    rows = [
        {"name": "a.fits", "expect": "solved", **known},
        {"name": "b.fits", "expect": "any", "width": None, "ra": None},
        {"name": "c.fits", "expect": "fail"},
        {"name": "d.jpg", "expect": "solved", **known},
    ]
    (tmp_path / "manifest.json").write_text(json.dumps(rows))
    a, b = cases.from_corpus(tmp_path, ".fits")
    assert a == cases.Case("a.fits", tmp_path / "a.fits", Truth(HERE, 800), source="a")
    assert (b.name, b.truth) == ("b.fits", None)


def test_drawn_fields_follow_the_seed(tmp_path: Path, made_program: Callable[[str, str], Path]) -> None:
    nova = made_program("nova", f"open(sys.argv[-1] + '.truth.json', 'w').write({json.dumps(TRUTH)!r})")
    once, again = (list(cases.drawn([str(nova)], tmp_path, 3, 7)) for _ in range(2))
    assert once == again
    assert len({case.about for case in once}) == 3
    assert all(case.truth == Truth(HERE, 800) for case in once)
    (other,) = cases.drawn([str(nova)], tmp_path, 1, 8)
    assert other.about != once[0].about


def test_failed_drawing_is_an_error(tmp_path: Path, made_program: Callable[[str, str], Path]) -> None:
    nova = made_program("nova", "sys.exit('no stars today')")
    with pytest.raises(RuntimeError, match=r"drawn-1-001\.fits could not be drawn: no stars today"):
        next(cases.drawn([str(nova)], tmp_path, 1, 1))


# --- What came of a run ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "answer", "truth", "outcome"),
    [
        (made_run(), HERE, Truth(HERE, 800), programs.RIGHT),
        (made_run(), HERE, None, programs.UNCHECKED),
        (made_run(), Place(0, 0, 54, -1), Truth(HERE, 800), programs.WRONG),
        (made_run(), None, None, programs.UNSOLVED),
        (made_run(exit_status=-9, timed_out=True), None, None, programs.UNSOLVED),
        (made_run(exit_status=66), None, None, programs.FAILED),
    ],
)
def test_outcomes(run: Run, answer: Place | None, truth: Truth | None, outcome: str) -> None:
    trial = programs.judged(run, answer, cases.Case("x", Path("x"), truth), honest=(0,))
    assert trial.outcome == outcome
    assert trial.solved == (outcome in ("right", "unchecked"))


def test_outcome_uses_the_stated_place_and_error_the_solution() -> None:
    case, off = cases.Case("x", Path("x"), Truth(HERE, 800)), Place(84.0, -3.0 + 3 * 54 / 3600, 54.0, -1.0)
    trial = programs.judged(made_run(), HERE, case, honest=(0,), solution=off)
    assert trial.outcome == programs.RIGHT
    assert trial.error is not None
    assert trial.error.center_px == pytest.approx(3)


def test_cpu_time_of_a_killed_run_is_unknown() -> None:
    trials = tuple(programs.Trial(made_run(timed_out=out), programs.UNSOLVED) for out in (False, True))
    assert math.isnan(comparison.Side(trials).cpu_s)
    assert comparison.Side(trials[:1]).cpu_s == 1


def test_output_of_wcsinfo_is_parsed() -> None:
    assert programs.parse_wcsinfo(WCSINFO) == HERE
    assert programs.parse_wcsinfo("") is None


def test_hints_by_hand_become_options_of_solve_field() -> None:
    expected = "-L 50 -H 60 -u arcsecperpix --ra 84.000000 --dec -3.000000 --radius 5.000000"
    assert " ".join(programs.hints_by_hand(RESULT)) == expected
    assert programs.hints_by_hand({}) == []


def test_last_json_line_is_used() -> None:
    assert programs.last_json('noise\n{"status": "solved"}\n') == {"status": "solved"}
    assert programs.last_json("") == programs.last_json("words") == programs.last_json("[1]") == {}


def test_summary_has_ratios_only_for_images_that_both_solve() -> None:
    right, unsolved, wrong = programs.RIGHT, programs.UNSOLVED, programs.WRONG
    results = [
        comparison.Comparison("a", made_side(right, 1, 1, 9), made_side(right, 8, 8, 1)),
        comparison.Comparison("b", made_side(right, 1), made_side(right, 2)),
        comparison.Comparison("c", made_side(right, 2), made_side(right, 1)),
        comparison.Comparison("d", made_side(right, 1), made_side(unsolved, 60)),
        comparison.Comparison("e", made_side(unsolved, 60), made_side(right, 1)),
        comparison.Comparison("f", made_side(wrong, 1), made_side(right, 1)),
        comparison.Comparison("g", made_side(unsolved, 1), made_side(unsolved, 1)),
    ]
    s = comparison.summarise(results)
    assert (s.pictures, s.both, s.slow) == (7, 3, 1)
    assert s.wall_mean == pytest.approx((8 * 2 * 0.5) ** (1 / 3))
    assert (s.wall_worst, s.wall_worst_name, s.slow_wall_mean) == (0.5, "c", pytest.approx(8))
    assert s.slower_on == ("c",)
    assert (s.ours_alone, s.theirs_alone, s.neither) == (("d",), ("e", "f"), ("g",))
    assert (s.ours_wrong, s.theirs_wrong) == (("f",), ())


def test_image_that_solves_only_sometimes_is_not_solved() -> None:
    trials = tuple(programs.Trial(made_run(), outcome) for outcome in (programs.RIGHT, programs.UNSOLVED))
    side = comparison.Side(trials)
    assert side.is_unsteady
    assert not side.solved


# --- The whole programs ------------------------------------------------------------------------------------------


@pytest.fixture
def rivals(monkeypatch: pytest.MonkeyPatch, made_program: Callable[[str, str], Path], tmp_path: Path) -> Path:
    """Stand-ins for nova, solve-field and wcsinfo, and a picture with a truth; return the picture."""
    nova = made_program("nova", f"print({json.dumps(RESULT)!r})")
    made_program(
        "solve-field",
        "from pathlib import Path\n"
        "if '--version' in sys.argv: sys.exit(print('0.99'))\n"
        "assert Path(sys.argv[-1]).is_file()\n"
        "out = Path(sys.argv[sys.argv.index('-D') + 1], Path(sys.argv[-1]).stem)\n"
        "for suffix in ('.solved', '.wcs'): out.with_suffix(suffix).touch()",
    )
    made_program("wcsinfo", f"print({WCSINFO!r})")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(reporting, "installed_indexes", lambda: [nova])
    picture = tmp_path / "picture.fits"
    picture.touch()
    picture.with_name("picture.fits.truth.json").write_text(json.dumps(TRUTH))
    return picture


@pytest.mark.parametrize("hints", vs_solve_field.HINTS)
def test_the_comparison_runs(
    hints: str, rivals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever its folder: the picture is named by a relative path."""
    monkeypatch.chdir(rivals.parent)
    options = ["--nova", str(rivals.with_name("nova")), "--pairs", "2", "--json", "r.json", "--markdown", "r.md"]
    assert vs_solve_field.main(["picture.fits", "--hints", hints, *options]) == 0
    report = json.loads(Path("r.json").read_text())
    (picture,) = report["pictures"]
    assert report["summary"]["both"] == 1
    assert picture["nova"]["center_error_px"] == picture["solve_field"]["center_error_px"] == 0
    assert picture["nova"]["outcomes"] == picture["solve_field"]["outcomes"] == ["right", "right"]
    assert report["setting"]["engine"] == "0.99"
    assert "| picture.fits |" in Path("r.md").read_text()
    assert "both solve" in capsys.readouterr().out


def test_overhead_excludes_the_engine() -> None:
    c = overhead.cost_of("x", [made_run(1.5, 1.0)], [RESULT], helper_cpu_s=0.02)
    assert c.engines == 2
    assert c.engine_cpu_s == pytest.approx(0.25 - 2 * 0.02)
    assert c.outside_cpu_s == pytest.approx(1.0 - 0.25 + 2 * 0.02)
    assert c.outside_wall_s == pytest.approx(1.5 - 0.2)
    assert c.peak_per_image == pytest.approx(3)


def test_import_times_are_parsed() -> None:
    text = "import time: self [us] | cumulative | imported package\nimport time:  500 |  500 |   inner\nwords\n"
    text += "import time: 1000 | 1500 | outer\n"
    assert overhead.parse_import_times(text) == [
        overhead.ImportTime("outer", 1.0, 1.5),
        overhead.ImportTime("inner", 0.5, 0.5),
    ]


def test_cost_of_starting_the_engine_is_measured_with_the_real_helper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert overhead.becoming_cpu_s() >= 0
    monkeypatch.setattr(overhead.shutil, "which", lambda _name: "/no/such/program")
    with pytest.raises(RuntimeError, match="ended with 127"):
        overhead.becoming_cpu_s()


@pytest.mark.engine
@pytest.mark.sshd
def test_the_benchmark_of_the_solve_server_runs(
    real_indexes: IndexSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each way solves the same star list; here of a picture that solves fast."""
    deepest = max(real_indexes.files, key=lambda file: file.stars)
    stars = drawnfield.draw(deepest.path, parity=1)
    axy.write(axy.Attempt(drawnfield.WIDTH, drawnfield.HEIGHT, stars), tmp_path / "field.axy")
    report = tmp_path / "s.json"
    assert solve_server.main(["--axy", str(tmp_path / "field.axy"), "--pairs", "1", "--json", str(report)]) == 0
    found = json.loads(report.read_text())
    assert [trip["name"] for trip in found["trips"]] == ["field"]
    assert found["costs"][0]["whole_run_s"] > 0
    assert "solvehost over the engine" in capsys.readouterr().out


def test_the_overhead_benchmark_runs(rivals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, words = tmp_path / "o.json", tmp_path / "o.md"
    options = ["--nova", str(rivals.with_name("nova")), "--runs", "1", "--json", str(report), "--markdown", str(words)]
    assert overhead.main(["--image", str(rivals), *options]) == 0
    (cost,) = json.loads(report.read_text())["costs"]
    assert (cost["status"], cost["pixels"]) == ("solved", 480_000)
    assert "### Start-up" in words.read_text()
    assert "Cost beside the engine" in capsys.readouterr().out
