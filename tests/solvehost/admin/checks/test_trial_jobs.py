"""Trial jobs pass with a real server, and fail with a harmful one or a wrong solution."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

import pytest

from admin import made_keys
from solvehost.admin import programs, synthetic_field
from solvehost.admin.checks import trial_jobs
from solvehost.admin.programs import ProgramResult
from solvehost.admin.records import Finding
from solvehost.admin.synthetic_field import FieldGeometry
from solvehost.formats import axy, fitsfile
from solvehost.formats.star_table import Stars
from solvehost.indexes import index_file, index_set
from solvehost.wire import write_reply

PROGRAM = (os.path.abspath(sys.executable), "-I", "-m", "solvehost")
GEOMETRY = FieldGeometry(1000, 800, 30.0, (120.0, 35.0))
ATTEMPT = axy.Attempt(1000, 800, Stars.from_bytes(*[bytes(16)] * 3))


def look(files: tuple[index_file.IndexFile, ...], home: Path, *flags: str) -> dict[str, Finding]:
    checks = trial_jobs.check(made_keys.account(home), files, PROGRAM, ["--config", os.devnull, "--allow-root", *flags])
    return {check.name: check for check in checks}


@pytest.fixture
def files(real_indexes: index_set.IndexSet) -> tuple[index_file.IndexFile, ...]:
    if programs.find("query-starkd") is None or synthetic_field.find_catalogue(real_indexes.files) is None:
        pytest.skip("query-starkd or an index file with magnitudes is missing (Debian: astrometry-data-tycho2)")
    return real_indexes.files


@pytest.mark.engine
def test_a_real_server_passes(
    files: tuple[index_file.IndexFile, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    folder = tempfile.mkdtemp(dir="/tmp")
    os.chmod(folder, 0o755)
    monkeypatch.setattr(trial_jobs, "_FOLDER", folder)
    found = look(files, tmp_path, "--state", "/not/used", "--log", "/not/used/either", "--client", "a")
    assert found[trial_jobs.SOLVES].ok, found
    assert found[trial_jobs.HARMLESS].ok, found
    Path(folder).rmdir()  # fails unless the directory is empty


@pytest.mark.engine
def test_the_message_of_a_failing_server_is_quoted(files: tuple[index_file.IndexFile, ...], tmp_path: Path) -> None:
    found = look(files, tmp_path, "--engine", "/none/astrometry-engine")
    assert (found[trial_jobs.SOLVES].ok, found[trial_jobs.SOLVES].exit_code) == (False, 69)
    assert "/none/astrometry-engine" in found[trial_jobs.SOLVES].detail
    assert found[trial_jobs.HARMLESS].ok is None


def test_without_a_catalogue_the_result_is_unknown(tmp_path: Path) -> None:
    found = look((), tmp_path)
    assert found[trial_jobs.SOLVES].ok is None
    assert "not proven" in found[trial_jobs.SOLVES].detail


def test_without_query_starkd_the_result_is_unknown(
    files: tuple[index_file.IndexFile, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(programs, "find", lambda _: None)
    found = look(files, tmp_path)
    assert found[trial_jobs.SOLVES].ok is None
    assert "not proven: query-starkd was not found" in found[trial_jobs.SOLVES].detail


# --- Harm is found --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", ["write", "truncate", "remove", "link", "beside", "touch"])
def test_a_changed_canary_file_is_found(harm: str, tmp_path: Path) -> None:
    """In every way in which a server that obeys the paths can change a file."""

    def serve(data: bytes) -> ProgramResult:
        header = fitsfile.read_header(io.BytesIO(data))
        path = Path(str(header["ANWCS"]))
        assert path.read_bytes() == b"untouched\n"
        if harm in ("remove", "link"):
            path.unlink()
        if harm == "link":
            path.symlink_to(header["ANCORR"])  # type: ignore[arg-type]
        elif harm == "beside":
            path.with_name("new").write_bytes(b"")
        elif harm == "touch":
            os.utime(path, (1, 1))
        elif harm in ("write", "truncate"):
            path.write_bytes(b"overwritten" if harm == "write" else b"")
        return ProgramResult(0, b"", b"")

    with trial_jobs._Scratch(made_keys.account(tmp_path)) as scratch:
        found = trial_jobs.check_harmless(scratch, serve, ATTEMPT)
    assert found.ok is False
    assert ("new" if harm == "beside" else "ANWCS") in found.detail
    assert not scratch.state.exists()


def test_a_poisoned_star_list_has_the_paths_in_its_cards() -> None:
    canaries = {name: Path("/none") / name for name in trial_jobs._PATH_CARDS}
    data = trial_jobs.poisoned(ATTEMPT, canaries)
    assert len(data) % fitsfile.BLOCK == 0
    header = fitsfile.read_header(io.BytesIO(data))
    assert {name: header[name] for name in canaries} == {name: str(path) for name, path in canaries.items()}
    assert axy.parse(data).stars == ATTEMPT.stars


# --- A wrong solution is found ----------------------------------------------------------------------------------


def answer(center: tuple[float, float] | None) -> ProgramResult:
    """Return the output of a server with a solution at ``center``, or without one."""
    files = {}
    if center is not None:
        cards = {"CRVAL1": center[0], "CRVAL2": center[1], "CRPIX1": 500.5, "CRPIX2": 400.5, "CD1_1": 30 / 3600,
                 "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 30 / 3600}  # fmt: skip
        files["wcs.fits"] = fitsfile.end_header([fitsfile.card(key, value) for key, value in cards.items()])
    import hashlib

    manifest = {
        "format": 1, "id": trial_jobs._JOB_ID, "client": "a", "status": "solved" if files else "unsolved",
        "reason": "none" if files else "exhausted", "winner": 1 if files else None, "attempts": [],
        "indexes": {"loaded": [], "failed": []}, "engine": "e", "version": "0", "seconds": 0.1, "cpu_s": 0.1,
        "files": {n: {"size": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in files.items()},
    }  # fmt: skip
    return ProgramResult(0, b"".join(write_reply(manifest, files)), b"")


def test_a_solution_with_the_true_centre_passes() -> None:
    found = trial_jobs.check_solves(answer((120.0, 35.0)), GEOMETRY)
    assert found.ok
    assert "0.0 arcsec off" in found.detail


@pytest.mark.parametrize(("center", "code", "said"), [((120.0, 35.1), 70, "wrong"), (None, 69, "did not solve")])
def test_a_wrong_or_missing_solution_fails(center: tuple[float, float] | None, code: int, said: str) -> None:
    found = trial_jobs.check_solves(answer(center), GEOMETRY)
    assert (found.ok, found.exit_code) == (False, code)
    assert said in found.detail


def test_only_exit_codes_of_solvehost_are_passed_on() -> None:
    assert trial_jobs.check_solves(ProgramResult(73, b"", b"the disk is full\n"), GEOMETRY).exit_code == 73
    assert trial_jobs.check_solves(ProgramResult(127, b"", b"sh: not found\n"), GEOMETRY).exit_code == 70
