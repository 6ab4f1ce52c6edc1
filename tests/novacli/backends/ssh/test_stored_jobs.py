"""The reference of a job on a server: read from ``remote.json``, which may be damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_jobs import make_job

from novacli.backends.ssh.destinations import SshHost
from novacli.backends.ssh.stored_jobs import Reference, reference_of
from novacli.errors import DataError
from novacli.jobs.remote import new_remote

REFERENCE = Reference(SshHost("s1", "me@solve1"), "a-1", (1, 2, 5))


def test_a_reference_comes_back_as_it_was_written(tmp_path: Path) -> None:
    remote = new_remote(make_job(tmp_path, "interrupted"), "ssh", "s1", REFERENCE.to_json())
    assert reference_of(remote) == REFERENCE


WRONG: list[dict[str, Any]] = [
    {"id": "../x"}, {"id": None}, {"destination": "-oProxyCommand=x"}, {"destination": 3}, {"numbers": []},
    {"numbers": [0]}, {"numbers": [25]}, {"numbers": "x"}, {"numbers": None},
]  # fmt: skip


@pytest.mark.parametrize("change", WRONG, ids=json.dumps)
def test_a_damaged_reference_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    remote = new_remote(make_job(tmp_path, "interrupted"), "ssh", "s1", {**REFERENCE.to_json(), **change})
    with pytest.raises(DataError, match=r"remote\.json: it is damaged"):
        reference_of(remote)
