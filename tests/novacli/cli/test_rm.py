from __future__ import annotations

import sys
from pathlib import Path

import pytest
from made_jobs import make_job

from solvehost.formats import jobdir

DAY_S = 86400


def kept(root: Path) -> set[str]:
    return {job.job_id for job in jobdir.list_jobs(root)}


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch):
    """A terminal, and a function that sets the answer typed there."""

    def answer(text: str) -> None:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt="": text)

    return answer


def test_named_jobs_are_removed_and_the_freed_space_is_printed(nova, jobs: Path) -> None:
    gone, stays = make_job(jobs), make_job(jobs)
    ran = nova("rm", gone.job_id)
    assert ran.code == 0
    assert ran.out.startswith("removed 1 job: ")
    assert ran.out.endswith("came free\n")
    assert kept(jobs) == {stays.job_id}


def test_a_job_that_is_named_twice_is_removed_once(nova, jobs: Path) -> None:
    job = make_job(jobs)
    assert nova("rm", job.job_id, "last").out.startswith("removed 1 job: ")


def test_without_a_terminal_old_jobs_are_removed_without_a_question(nova, jobs: Path) -> None:
    for days in (31, 40, 50):
        make_job(jobs, age_s=days * DAY_S)
    young = make_job(jobs, age_s=29 * DAY_S)
    assert nova("rm", "--older-than", "30d").out.startswith("removed 3 jobs: ")
    assert kept(jobs) == {young.job_id}


def test_new_jobs_can_be_selected(nova, jobs: Path) -> None:
    old = make_job(jobs, age_s=2 * DAY_S)
    make_job(jobs, age_s=60)
    assert nova("rm", "--newer", "1h").out.startswith("removed 1 job: ")
    assert kept(jobs) == {old.job_id}


def test_jobs_can_be_selected_by_state(nova, jobs: Path) -> None:
    solved = make_job(jobs)
    make_job(jobs, "failed")
    nova("rm", "--state", "failed")
    assert kept(jobs) == {solved.job_id}


def test_a_running_job_is_refused_and_the_others_are_removed(nova, jobs: Path) -> None:
    running, other = make_job(jobs, "running"), make_job(jobs)
    with running.locked():
        ran = nova("rm", running.job_id, other.job_id)
    assert ran.code == 75
    assert f"job {running.job_id} is being worked on" in ran.err
    assert kept(jobs) == {running.job_id}


def test_filters_never_select_running_jobs(nova, jobs: Path) -> None:
    running = make_job(jobs, "running", age_s=DAY_S)
    with running.locked():
        ran = nova("rm", "--older-than", "1h")
    assert (ran.code, ran.out) == (0, "removed 0 jobs: 0 bytes came free\n")
    assert kept(jobs) == {running.job_id}


def test_a_name_that_no_job_has_does_not_stop_the_others(nova, jobs: Path) -> None:
    job = make_job(jobs)
    ran = nova("rm", "nosuch", job.job_id)
    assert ran.code == 66
    assert kept(jobs) == set()


@pytest.mark.parametrize(
    "arguments", [(), ("last", "--older-than", "1d"), ("--state", "running"), ("--older-than", "x")]
)
def test_a_usage_error_removes_nothing(nova, jobs: Path, arguments: tuple[str, ...]) -> None:
    job = make_job(jobs, age_s=2 * DAY_S)
    assert nova("rm", *arguments).code == 2
    assert kept(jobs) == {job.job_id}


@pytest.mark.parametrize(("answer", "left"), [("n", 2), ("", 2), ("y", 0)])
def test_on_a_terminal_nova_asks_before_it_removes_several_jobs(
    nova, jobs: Path, terminal, answer: str, left: int
) -> None:
    made = [make_job(jobs).job_id for _ in range(2)]
    terminal(answer)
    assert nova("rm", *made).code == 0
    assert len(kept(jobs)) == left


def test_a_name_that_no_job_has_keeps_its_exit_code_when_the_question_is_declined(nova, jobs: Path, terminal) -> None:
    made = [make_job(jobs).job_id for _ in range(2)]
    terminal("n")
    ran = nova("rm", "nosuch", *made)
    assert (ran.code, ran.out) == (66, "nothing was removed\n")
    assert "there is no job 'nosuch'" in ran.err
    assert kept(jobs) == set(made)


def test_with_yes_nova_does_not_ask(nova, jobs: Path, terminal) -> None:
    made = [make_job(jobs).job_id for _ in range(2)]
    terminal("n")
    assert nova("rm", "--yes", *made).code == 0
    assert kept(jobs) == set()
