"""``remote.json``: written, read back, and what is not believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_jobs import make_job

from novacli.backends.ssh import remote_job
from novacli.backends.ssh.destinations import Place
from novacli.backends.ssh.packing import Packet
from novacli.errors import DataError

PLACE = Place("s1", "me@solve1")


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    job = make_job(tmp_path, "interrupted")
    assert remote_job.read_remote(job) is None
    record = remote_job.sending(PLACE, Packet("a-1", (1, 2, 5), b"")).sent_again("why")
    remote_job.write_remote(job, record)
    assert remote_job.read_remote(job) == record
    assert (record.times_sent, record.notes, record.packet.numbers) == (2, ("why",), (1, 2, 5))
    remote_job.forget_remote(job)
    assert remote_job.read_remote(job) is None


WRONG: list[dict[str, Any]] = [
    {"id": "../x"}, {"id": None}, {"destination": "-oProxyCommand=x"}, {"destination": 3}, {"numbers": []},
    {"numbers": [0]}, {"numbers": [17]}, {"numbers": "x"}, {"times_sent": "often"},
]  # fmt: skip


@pytest.mark.parametrize("change", WRONG, ids=json.dumps)
def test_a_damaged_record_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    job = make_job(tmp_path, "interrupted")
    remote_job.write_remote(job, remote_job.sending(PLACE, Packet("a-1", (1,), b"")))
    job.write_json("remote.json", {**(job.read_json("remote.json") or {}), **change})
    with pytest.raises(DataError, match=r"remote\.json: it is damaged"):
        remote_job.read_remote(job)
