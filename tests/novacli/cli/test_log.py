from __future__ import annotations

from pathlib import Path

import pytest
from made_jobs import make_job


@pytest.mark.parametrize("options", [(), ("-f",), ("--follow",)])
def test_the_log_of_a_finished_job_is_printed_and_the_command_ends(nova, jobs: Path, options: tuple[str, ...]) -> None:
    make_job(jobs).log.write_bytes(b"Field 1: solved\x07\n")
    ran = nova("log", "last", *options)
    assert (ran.code, ran.out, ran.err) == (0, "Field 1: solved\\x07\n", "")


def test_a_missing_log_is_a_missing_input(nova, jobs: Path) -> None:
    make_job(jobs)
    ran = nova("log", "last")
    assert ran.code == 66
    assert "it has no log" in ran.err
