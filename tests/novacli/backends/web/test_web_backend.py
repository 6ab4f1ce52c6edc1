"""Solving at a web service that misbehaves, and what leaves this machine."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import made_nova
import pytest
from astropy.table import Table
from made_nova import KEY, MadeNova
from made_servers import HEIGHT, STARS, WIDTH, solved_files, write_star_list

from novacli import backends, config
from novacli.errors import UsageError
from novacli.inputs import FileInput
from novacli.pipeline.solve import Context, solve_input
from novacli.records.params import Position, Scale, ScaleUnit, SolveParams
from novacli.records.parity import Parity
from novacli.records.progress import Progress
from novacli.records.result import Result


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[MadeNova]:
    monkeypatch.setenv("NOVA_API_KEY", KEY)
    with made_nova.running() as service:
        service.files = solved_files()
        yield service


@pytest.fixture
def solve(service: MadeNova, tmp_path: Path) -> Callable[..., Result]:
    """A function that solves a star list at the service."""
    stars = write_star_list(tmp_path / "stars.csv")

    def run(progress: Progress | None = None, **params: Any) -> Result:
        backend = backends.connect(service.url, config.load())
        context = Context(tmp_path / "jobs", backend, progress or Progress())
        return solve_input(FileInput(str(stars)), SolveParams(size=(WIDTH, HEIGHT), **params), context).result

    return run


# --- What leaves this machine ---------------------------------------------------------------------------------------


def test_the_star_list_and_the_stated_hints_are_sent_and_nothing_is_public(service: MadeNova, solve: Any) -> None:
    scale = Scale(100.0, 200.0, ScaleUnit.ARCSEC_PER_PIXEL)
    solve(scale=scale, position=Position(187.0, 56.0, 10.0), parity=Parity.NEGATIVE, tweak_order=3)
    (sent,) = service.uploads
    stars = Table.read(io.BytesIO(sent["content"]), format="fits")
    assert sorted(zip(stars["X"].tolist(), stars["Y"].tolist(), strict=True)) == sorted(STARS)
    fields = {name: value for name, value in sent["fields"].items() if name != "session"}
    assert fields == {
        "publicly_visible": "n", "allow_modifications": "d", "allow_commercial_use": "d",
        "image_width": WIDTH, "image_height": HEIGHT, "scale_units": "arcsecperpix", "scale_type": "ul",
        "scale_lower": 100.0, "scale_upper": 200.0, "center_ra": 187.0, "center_dec": 56.0, "radius": 10.0,
        "parity": 0, "tweak_order": 3,
    }  # fmt: skip


def test_no_path_of_this_machine_is_sent(service: MadeNova, solve: Any, tmp_path: Path) -> None:
    solve()
    assert str(tmp_path).encode() not in b"".join(service.bodies)
    assert b"stars.csv" not in b"".join(service.bodies)


def test_pictures_are_public_only_if_the_user_says_so(
    service: MadeNova, solve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOVA_PUBLIC", "yes")
    solve()
    assert service.uploads[0]["fields"]["publicly_visible"] == "y"


def test_only_documented_calls_are_made(service: MadeNova, solve: Any) -> None:
    solve()
    assert set(service.calls) <= {
        ("POST", "api/login"), ("POST", "api/upload"), ("POST", "api/submissions/N"), ("POST", "api/jobs/N"),
        ("GET", "wcs_file/N"), ("GET", "corr_file/N"), ("GET", "rdls_file/N"), ("GET", "joblog/N"),
    }  # fmt: skip


def test_the_key_is_sent_to_no_other_server(service: MadeNova, solve: Any) -> None:
    with made_nova.running() as other:
        service.faults, service.location = ["moved:login"], f"{other.url}login"
        result = solve()
        assert other.calls == []
    assert result.error is not None
    assert "it has moved to another address" in result.error.message


def test_the_key_is_found_nowhere_on_the_disk(
    service: MadeNova, solve: Any, tmp_path: Path, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOVA_DEBUG", "1")
    service.faults = ["busy:login", "fault:upload", "lost:upload", "expired:jobs", "cut:wcs_file"]
    solve()
    found = [path for folder in (tmp_path, clean_environment) for path in folder.rglob("*") if path.is_file()]
    assert found
    assert [path for path in found if KEY.encode() in path.read_bytes()] == []


def test_a_key_that_the_service_repeats_is_masked(service: MadeNova, solve: Any, tmp_path: Path) -> None:
    service.echo = True
    result = solve()
    assert result.error is not None
    assert "the key *** has no quota" in result.error.message
    found = [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert found == []


# --- What goes wrong ------------------------------------------------------------------------------------------------


PASSING = ("busy", "too many", "fault", "drop", "lost", "cut")


@pytest.mark.parametrize(
    ("fault", "path"),
    [
        *itertools.product(PASSING, ("login", "upload", "submissions", "jobs", "wcs_file", "corr_file")),
        *itertools.product(("html", "list", "expired"), ("upload", "submissions", "jobs")),
    ],
)
def test_a_fault_that_passes_costs_nothing(service: MadeNova, solve: Any, fault: str, path: str) -> None:
    service.faults = [f"{fault}:{path}"]
    result = solve()
    assert (result.status, result.error, len(service.uploads)) == ("solved", None, 1)
    assert service.faults == []


@pytest.mark.parametrize("reply", [lambda n: [], lambda n: [None], lambda n: [str(n)], lambda n: [None, n]])
def test_the_number_of_a_job_comes_late_or_as_text(service: MadeNova, solve: Any, reply: Any) -> None:
    replies = [reply, reply, lambda n: [str(n)]]

    def next_reply(number: int) -> list[Any]:
        return (replies.pop(0) if len(replies) > 1 else replies[0])(number)

    service.jobs_reply = next_reply
    assert solve().status == "solved"


def test_an_error_message_without_a_job_is_the_end(service: MadeNova, solve: Any) -> None:
    service.submission_error = "cannot read \x1b[31m/srv/x"
    result = solve()
    assert result.error is not None
    assert result.error.exit_code == 69
    assert "cannot read the star list: cannot read \\x1b[31m/srv/x" in result.error.message


def test_a_wrong_key_is_denied(service: MadeNova, solve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_API_KEY", "wrong")
    result = solve()
    assert result.error is not None
    assert (result.error.exit_code, "it refuses the API key: run nova login" in result.error.message) == (77, True)


def test_without_a_key_no_job_is_made(solve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOVA_API_KEY")
    result = solve()
    assert (result.job, result.error and result.error.exit_code) == (None, 77)


def test_a_server_of_another_kind_is_named(service: MadeNova, solve: Any) -> None:
    service.faults = ["html:login"]
    result = solve()
    assert result.error is not None
    assert "is none of the API: check the address" in result.error.message


def test_the_time_limit_ends_the_wait_and_the_next_solve_goes_on(service: MadeNova, solve: Any) -> None:
    service.word = "solving"
    result = solve(timeout_s=1.0)
    assert (result.status, result.reason) == ("unsolved", "time-limit")
    service.word = "success"
    assert solve(timeout_s=30.0).status == "solved"
    assert len(service.uploads) == 1


def test_a_user_who_cancels_ends_the_wait(service: MadeNova, solve: Any) -> None:
    service.word = "solving"
    stop = threading.Event()
    progress = Progress(lambda line: stop.set() if "solves it as job" in line else None, stop.is_set)
    result = solve(progress)
    assert (result.status, result.reason) == ("unsolved", "cancelled")


def test_a_job_that_the_service_lost_is_sent_again(service: MadeNova, solve: Any) -> None:
    solve()
    service.gone.add(1)
    assert solve().status == "solved"
    assert len(service.uploads) == 2


def test_an_upload_that_the_service_lists_late_is_not_repeated(service: MadeNova, solve: Any) -> None:
    service.faults, service.blind_looks = ["lost:upload"], 2
    assert solve().status == "solved"
    assert len(service.uploads) == 1


def test_an_upload_that_the_service_forgot_before_it_had_a_job_is_sent_again(service: MadeNova, solve: Any) -> None:
    service.jobs_reply = lambda number: []
    assert solve(timeout_s=1.0).reason == "time-limit"
    service.jobs_reply = lambda number: [number]
    service.gone.add(1)
    assert solve().status == "solved"
    assert len(service.uploads) == 2


def test_an_unsolved_field_can_be_tried_again(service: MadeNova, solve: Any) -> None:
    service.word = "failure"
    assert solve().reason == "exhausted"
    service.word = "success"
    assert solve().status == "solved"
    assert len(service.uploads) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [("wcs.fits", b"<html>no</html>"), ("wcs.fits", b"SIMPLE  = x"), ("corr.fits", b"SIMPLE  =" + b" " * 5000)],
)
def test_files_that_are_no_solution_of_the_field_are_refused(
    service: MadeNova, solve: Any, name: str, content: bytes
) -> None:
    service.files[name] = content
    result = solve()
    assert result.error is not None
    assert result.error.exit_code == 74
    assert "wcs" not in result.files


def test_a_page_in_place_of_a_file_is_reported(service: MadeNova, solve: Any) -> None:
    service.faults = ["html:wcs_file"]
    result = solve()
    assert result.error is not None
    assert (result.error.exit_code, "is no FITS file" in result.error.message) == (74, True)
    assert solve().status == "solved"
    assert len(service.uploads) == 1


def test_a_solution_of_other_stars_is_refused(service: MadeNova, solve: Any, tmp_path: Path) -> None:
    stars = tmp_path / "stars.csv"
    rows = [f"{x + 3:.1f},{y:.1f},{1000 - n}" for n, (x, y) in enumerate(STARS)]
    stars.write_text("\n".join(["x,y,flux", *rows]) + "\n")
    result = solve()
    assert result.error is not None
    assert "where none was sent" in result.error.message


# --- Names and keys -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("nova", "https://nova.astrometry.net/api/"),
        ("https://host", "https://host/api/"),
        ("https://host/api", "https://host/api/"),
        ("http://host:8000/nova/api/", "http://host:8000/nova/api/"),
    ],
)
def test_addresses(typed: str, url: str) -> None:
    from novacli.backends.web.services import base_url

    assert base_url(typed) == url


@pytest.mark.parametrize("text", ["https://", "https://user:word@host", "https://host:x", "https://host/?q=1"])
def test_what_is_no_address_is_refused_without_a_password(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        backends.connect(text, config.load())
    assert "word" not in str(caught.value).replace("password", "")


def test_a_key_that_others_can_read_is_refused(solve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOVA_API_KEY")
    path = tmp_path / "key"
    path.write_text(KEY)
    path.chmod(0o644)
    monkeypatch.setenv("NOVA_API_KEY_FILE", str(path))
    result = solve()
    assert result.error is not None
    assert (result.error.exit_code, f"chmod 600 {path}" in result.error.message) == (78, True)
    path.chmod(0o600)
    assert solve().status == "solved"
