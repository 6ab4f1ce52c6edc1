from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_jobs import make_job


def test_without_jobs_nothing_is_printed(nova, jobs: Path) -> None:
    assert (nova("jobs").code, nova("jobs").out) == (0, "")


def test_a_list_that_is_piped_is_aligned_plain_text(nova, jobs: Path) -> None:
    solved = make_job(jobs, age_s=60, input="/data/m31.fits")
    make_job(jobs, "failed")
    ran = nova("jobs")
    heading, failed, line = ran.out.splitlines()
    assert line.startswith(solved.job_id)
    assert heading.index("INPUT") == line.index("/data/m31.fits") == failed.index("field.fits (the disk is full)")
    assert '187.1955° +56.7023°  170.4"/px' in line
    assert "\x1b" not in ran.out
    assert ran.err == ""


def test_control_characters_in_a_name_are_escaped(nova, jobs: Path) -> None:
    make_job(jobs, input="\x1b[2J\nevil\udcff.fits")
    assert nova("jobs").out.endswith("\\x1b[2J\\x0aevil\\xff.fits\n")


def test_json_output_has_one_object_a_line(nova, jobs: Path) -> None:
    job = make_job(jobs)
    make_job(jobs, "unsolved", age_s=60)
    first, second = map(json.loads, nova("jobs", "--json").out.splitlines())
    assert list(first) == ["job", "state", "input", "created", "ra", "dec", "pixscale", "reason", "error"]
    assert (first["job"], first["state"], first["ra"], first["reason"]) == (job.job_id, "solved", 187.1955, None)
    assert (second["state"], second["ra"], second["reason"]) == ("unsolved", None, "exhausted")


def test_filters_select_jobs(nova, jobs: Path) -> None:
    for hours, state in enumerate(("solved", "unsolved", "failed", "interrupted")):
        make_job(jobs, state, age_s=hours * 3600 + 60, input=f"{state}.fits")

    def states(*options: str) -> list[str]:
        return [json.loads(line)["state"] for line in nova("jobs", "--json", *options).out.splitlines()]

    assert states("--state", "failed", "--state", "solved") == ["solved", "failed"]
    assert states("--newer", "90m") == ["solved", "unsolved"]
    assert states("--older-than", "2h") == ["failed", "interrupted"]
    assert states("--text", "SOLVED.") == ["solved", "unsolved"]


def test_a_limit_reports_how_many_jobs_are_left_out(nova, jobs: Path) -> None:
    for minutes in range(5):
        make_job(jobs, age_s=minutes * 60)
    ran = nova("jobs", "--limit", "2")
    assert len(ran.out.splitlines()) == 3
    assert ran.err == "nova: 3 more: see them with --limit 5\n"


@pytest.mark.parametrize("options", [("--newer", "soon"), ("--limit", "0"), ("--state", "lost"), ("extra",)])
def test_wrong_options_are_usage_errors(nova, jobs: Path, options: tuple[str, ...]) -> None:
    ran = nova("jobs", *options)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err


def test_an_option_names_another_jobs_directory(nova, jobs: Path, tmp_path: Path) -> None:
    job = make_job(tmp_path / "elsewhere")
    assert job.job_id in nova("jobs", "--jobs-dir", str(tmp_path / "elsewhere")).out


def test_the_list_does_not_load_the_rooms_that_solve(home: Path) -> None:
    """Users and scripts call it often, so it has to start fast."""
    program = (
        "import sys\nfrom novacli.cli.main import main\nsys.argv = ['nova', 'jobs']\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    rooms = {name.split(".")[1] for name in ran.stderr.split() if name.startswith("novacli.")}
    assert "jobs" in rooms
    assert rooms & {"backends", "demo", "exports", "extraction", "inputs", "pipeline", "solution", "strategy"} == set()
