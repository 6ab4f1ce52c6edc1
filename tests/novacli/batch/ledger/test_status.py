"""What a person reads of a batch as a whole."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from novacli.batch.ledger.database import RunRecord
from novacli.batch.ledger.status import LedgerStatus, write_states
from novacli.batch.records import FATES


def shown(what: list[str], counts: dict[str, int]) -> str:
    run = RunRecord(1, 1e9, 2e9, 7, what, 9, "finished")
    stream = io.StringIO()
    write_states([LedgerStatus(Path("/l.sqlite"), run, "finished", counts)], stream)
    return stream.getvalue().splitlines()[0]


def test_fates_are_shown_in_words() -> None:
    every = shown(["/n"], dict.fromkeys(FATES, 2))
    assert every == (
        "/n: 2 solved, 2 unsolved, 2 failed, 2 failed and to be tried again, 2 waiting, 2 written by nova, 2 gone"
    )
    assert shown(["/n"], {}) == "/n: no frame yet"


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "/n/0"), (3, "/n/0 /n/1 /n/2"), (4, "/n/0 /n/1 /n/2 and 1 more"),
     (1203, "/n/0 /n/1 /n/2 and 1,200 more")],
)  # fmt: skip
def test_only_the_first_of_many_paths_are_shown(count: int, words: str) -> None:
    assert shown([f"/n/{n}" for n in range(count)], {"solved": 1}) == f"{words}: 1 solved"
