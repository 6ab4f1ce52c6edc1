"""The manifest: its record of the race, and of each file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from standin import make_attempt, make_job, make_terms, run_race

from solvehost.engine.manifest import build_manifest


def test_every_file_has_its_size_and_checksum(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("exhaust"), make_attempt("solve"))
    result = run_race(job, make_terms(tmp_path, count=1))
    manifest = build_manifest(job, result, engine="/usr/bin/astrometry-engine", client="nova1")
    assert set(manifest["files"]) == {"backend.log", "corr.fits", "rdls.fits", "wcs.fits"}
    for name, described in manifest["files"].items():
        data = (job.path / name).read_bytes()
        assert described == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_the_manifest_records_the_race(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("exhaust"), make_attempt("solve"))
    result = run_race(job, make_terms(tmp_path, count=1))
    manifest = json.loads(json.dumps(build_manifest(job, result, engine="/e", client="nova1")))
    assert manifest["format"] == 1
    assert (manifest["id"], manifest["client"], manifest["engine"]) == (job.job_id, "nova1", "/e")
    assert (manifest["status"], manifest["reason"], manifest["winner"]) == ("solved", "none", 2)
    assert [(a["number"], a["label"], a["outcome"]) for a in manifest["attempts"]] == [
        (1, "exhaust", "exhausted"),
        (2, "solve", "solved"),
    ]
    assert manifest["indexes"] == {"loaded": ["index-one.fits"], "failed": []}
    assert manifest["cpu_s"] == result.cpu_s
    assert manifest["seconds"] == result.seconds


def test_an_unsolved_job_has_only_its_log(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("exhaust"))
    result = run_race(job, make_terms(tmp_path))
    manifest = build_manifest(job, result, engine="/e")
    assert set(manifest["files"]) == {"backend.log"}
    assert (manifest["status"], manifest["reason"], manifest["winner"]) == ("unsolved", "exhausted", None)
