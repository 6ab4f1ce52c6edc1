"""The contract of backends, over every implementation: this machine, ssh, and a stand-in in one file.

Solving goes through the pipeline, and jobs left at another place through the commands.  So these tests also show that
neither knows which kind of place it deals with.
"""

from __future__ import annotations

import ast
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import made_nova
import pytest
from made_nova import KEY, MadeNova
from made_results import wcs_fits
from made_servers import HEIGHT, WIDTH, Servers, solved_files, write_star_list

from novacli import backends, config
from novacli.backends import kinds
from novacli.backends.base import JobKeeper
from novacli.errors import DataError, UsageError
from novacli.inputs import FileInput
from novacli.jobs.remote import new_remote, read_remote
from novacli.pipeline.solve import Context, solve_input
from novacli.records.params import Scale, ScaleUnit, SolveParams
from solvehost.formats.jobdir import JobDir
from solvehost.wire import JobLine

SIZE = ("--size", f"{WIDTH}x{HEIGHT}")
SOURCE = Path(__file__).parents[3] / "src" / "novacli"


class Place(ABC):
    """A place of a test, and what can be done to it from outside."""

    name: str

    @abstractmethod
    def solve_all(self) -> None:
        """Have the place solve every field from now on."""

    @abstractmethod
    def solve_none(self) -> None:
        """Have the place solve no field."""


class KeepingPlace(Place):
    """A place where jobs can be left; ``waiting`` is its word for a job that has not begun."""

    waiting = "waiting"

    def id_of(self, job: JobDir) -> str:
        """Return the id of a job at the place."""
        return job.job_id

    @abstractmethod
    def set_state(self, job: JobDir, state: str) -> None:
        """Set the state of a job that was left there."""

    @abstractmethod
    def lose(self, job: JobDir) -> None:
        """Have the place lose a job."""

    @abstractmethod
    def has(self, job: JobDir) -> bool:
        """Return True if the place has the job."""


class LocalPlace(Place):
    name = "local"

    def __init__(self, stand_in: Callable[[str], Path], folder: Path) -> None:
        self._stand_in = stand_in
        self._found = folder / "found.fits"

    def solve_all(self) -> None:
        self._found.write_bytes(wcs_fits(WIDTH, HEIGHT))
        self._stand_in(f"cp '{self._found}' wcs.fits")

    def solve_none(self) -> None:
        self._stand_in("exit 0")


class SshPlace(KeepingPlace):
    name = "solve1"
    _TAKES_A_JOB = (
        'if [ "$2" = --detach ]; then IFS= read -r id; cat > request.tar; sed "s/ID/$id/" detached.json; '
        'echo "$id" >> has; exit 0; fi\n'
    )

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        folder = servers.add(self.name)
        line = JobLine("ID", "waiting")
        (folder / "detached.json").write_text(json.dumps(line._asdict()) + "\n")
        servers.has(self.name)

    def solve_all(self) -> None:
        self._servers.replies(self.name, before=self._TAKES_A_JOB)
        self._servers.replies(self.name, verb="fetch")

    def solve_none(self) -> None:
        self._servers.replies(self.name, {"backend.log": b"no\n"}, before=self._TAKES_A_JOB)
        self._servers.replies(self.name, {"backend.log": b"no\n"}, verb="fetch")

    def set_state(self, job: JobDir, state: str) -> None:
        line = JobLine(self._id(job), state)
        self._servers.has(self.name, line)
        (self._servers.place / self.name / "cancelled.json").write_text(
            json.dumps(line._replace(state="unsolved")._asdict()) + "\n"
        )
        self._servers.add(
            self.name,
            cancel='grep -q "$2" jobs.json || exit 66; cat cancelled.json',
            rm="cat jobs.json; : > jobs.json",
            log='echo "the log of $2"',
        )

    def lose(self, job: JobDir) -> None:
        del job
        self._servers.has(self.name)
        self._servers.add(self.name, cancel="exit 66")

    def has(self, job: JobDir) -> bool:
        return job.job_id in (self._servers.place / self.name / "jobs.json").read_text()

    @staticmethod
    def _id(job: JobDir) -> str:
        remote = read_remote(job)
        assert remote is not None
        return str(remote.reference["id"])


class WebPlace(KeepingPlace):
    waiting = "running"  # services do not tell whether a job waits or runs

    def __init__(self, service: MadeNova, monkeypatch: pytest.MonkeyPatch) -> None:
        self._service, self._monkeypatch = service, monkeypatch
        self.name = service.url.removesuffix("/api/")

    def solve_all(self) -> None:
        self._sign_in()
        self._service.files, self._service.word = solved_files(), "success"

    def solve_none(self) -> None:
        self._sign_in()
        self._service.files, self._service.word = {"backend.log": b"no\n"}, "failure"

    def _sign_in(self) -> None:
        self._monkeypatch.setenv("NOVA_API_KEY", KEY)

    def set_state(self, job: JobDir, state: str) -> None:
        del job
        self._service.word = {"waiting": "solving", "solved": "success"}[state]

    def lose(self, job: JobDir) -> None:
        self._service.gone.add(int(self.id_of(job)))

    def has(self, job: JobDir) -> bool:
        return int(self.id_of(job)) not in self._service.gone

    def id_of(self, job: JobDir) -> str:
        del job
        return "1"


class StandInPlace(KeepingPlace):
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.name = f"standin:{folder}"
        self._folder = folder

    def solve_all(self) -> None:
        (self._folder / "wcs.fits").write_bytes(solved_files()["wcs.fits"])

    def solve_none(self) -> None:
        (self._folder / "wcs.fits").unlink(missing_ok=True)

    def set_state(self, job: JobDir, state: str) -> None:
        (self._folder / job.job_id / "state").write_text(state)

    def lose(self, job: JobDir) -> None:
        (self._folder / job.job_id / "state").unlink()

    def has(self, job: JobDir) -> bool:
        return (self._folder / job.job_id).exists()


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry with the one line of the stand-in."""
    stand_in = {"stand-in": ("standin_backend", "standin:.*")}
    monkeypatch.setattr(kinds, "KINDS", {**stand_in, **kinds.KINDS})


@pytest.fixture
def service() -> Iterator[MadeNova]:
    with made_nova.running() as service:
        yield service


@pytest.fixture
def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    stand_in: Callable[[str], Path],
    servers: Servers,
    service: MadeNova,
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    made: dict[str, Callable[[], Place]] = {
        "local": lambda: LocalPlace(stand_in, tmp_path),
        "ssh": lambda: SshPlace(servers),
        "web": lambda: WebPlace(service, monkeypatch),
        "stand-in": lambda: StandInPlace(tmp_path / "place"),
    }
    return made[request.param]()


every_place = pytest.mark.parametrize("place", ["local", "ssh", "web", "stand-in"], indirect=True)
keeping_places = pytest.mark.parametrize("place", ["ssh", "web", "stand-in"], indirect=True)

# --- Every backend --------------------------------------------------------------------------------------------------


@every_place
def test_the_kind_of_a_place_follows_from_its_name(place: Place, request: pytest.FixtureRequest) -> None:
    assert kinds.kind_of(place.name) == request.node.callspec.params["place"]


@every_place
def test_a_backend_connects_without_looking_for_anything(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a usage error is reported before a missing engine or program."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert backends.connect(place.name, config.load()).name == place.name
    assert kinds.check_destination(place.name) == place.name


@every_place
def test_a_solved_field_gives_the_same_solution_everywhere(place: Place, tmp_path: Path) -> None:
    place.solve_all()
    settings = config.load()
    context = Context(tmp_path / "jobs", backends.connect(place.name, settings))
    stars = write_star_list(tmp_path / "stars.csv")
    result = solve_input(FileInput(str(stars)), SolveParams(size=(WIDTH, HEIGHT)), context).result
    assert (result.status, result.error) == ("solved", None)
    assert result.calibration is not None
    assert result.calibration.ra == pytest.approx(187.1945, abs=1e-3)
    assert result.calibration.dec == pytest.approx(56.702, abs=2e-3)
    job = JobDir(tmp_path / "jobs" / str(result.job))
    assert {"wcs.fits", "backend.log", "manifest.json", "result.json"} <= {path.name for path in job.path.iterdir()}


@every_place
def test_an_unsolved_field_is_a_result(place: Place, tmp_path: Path) -> None:
    place.solve_none()
    context = Context(tmp_path / "jobs", backends.connect(place.name, config.load()))
    stars = write_star_list(tmp_path / "stars.csv")
    result = solve_input(FileInput(str(stars)), SolveParams(size=(WIDTH, HEIGHT)), context).result
    assert (result.status, result.reason) == ("unsolved", "exhausted")
    assert not (tmp_path / "jobs" / str(result.job) / "wcs.fits").exists()


@every_place
def test_hosts_check_reports_each_machine(place: Place, nova: Any) -> None:
    place.solve_none()
    ran = nova("hosts", "check", place.name, "--json")
    (line,) = map(json.loads, ran.out.splitlines())
    assert line["server"] == place.name
    assert all(set(check) == {"name", "ok", "detail", "remedy"} for check in line["checks"])


@every_place
def test_a_place_without_known_index_files_gives_no_remark_about_them(place: Place, tmp_path: Path) -> None:
    """The index files of a test's engine and server serve no field of 2 arcsec; the stand-in does not tell its own."""
    place.solve_none()
    backend = backends.connect(place.name, config.load())
    scale = Scale(0.001, 0.002, ScaleUnit.ARCSEC_PER_PIXEL)
    context = Context(tmp_path / "jobs", backend)
    stars = write_star_list(tmp_path / "stars.csv")
    result = solve_input(FileInput(str(stars)), SolveParams(size=(WIDTH, HEIGHT), scale=scale), context).result
    remarks = [note for note in result.notes if "no installed index file fits" in note]
    assert bool(remarks) == (backend.index_files() is not None)


# --- Places where jobs can be left ----------------------------------------------------------------------------------


@pytest.fixture
def left(place: KeepingPlace, nova: Any, home: Path, jobs: Path) -> JobDir:
    """A job that was left at the place and waits there."""
    place.solve_all()
    ran = nova("submit", str(write_star_list(home / "stars.csv")), *SIZE, "--to", place.name, "--detach", "--json")
    line = json.loads(ran.out)
    assert (ran.code, ran.err, line["status"], line["server"]) == (0, "", "remote", place.name)
    job = JobDir(jobs / line["job"])
    place.set_state(job, "waiting")
    return job


@keeping_places
def test_a_job_that_was_left_leads_back_to_its_place(place: KeepingPlace, left: JobDir) -> None:
    remote = read_remote(left)
    assert remote is not None
    keeper = backends.of_job(remote, config.load())
    assert isinstance(keeper, JobKeeper)
    assert keeper.name == place.name
    assert keeper == backends.of_job(remote, config.load())
    assert hash(keeper) == hash(backends.of_job(remote, config.load()))


@keeping_places
def test_a_job_that_is_not_finished_stays_there(place: KeepingPlace, left: JobDir, nova: Any) -> None:
    ran = nova("fetch", "last")
    assert (ran.code, f"job {left.job_id} is {place.waiting} on {place.name}: fetch it later" in ran.err) == (75, True)
    assert nova("fetch", "--all").code == 0
    assert place.has(left)


@keeping_places
def test_a_finished_job_is_fetched_and_removed_there(place: KeepingPlace, left: JobDir, nova: Any) -> None:
    place.set_state(left, "solved")
    ran = nova("fetch", "--all", "--json")
    line = json.loads(ran.out)
    assert (ran.code, line["status"], line["server"]) == (0, "solved", place.name)
    assert line["calibration"]["ra"] == pytest.approx(187.1945, abs=1e-3)
    assert not (left.path / "remote.json").exists()
    assert not place.has(left)


@keeping_places
def test_a_lost_job_is_sent_again(place: KeepingPlace, left: JobDir, nova: Any) -> None:
    place.lose(left)
    assert nova("fetch", "--all").code == 0
    place.set_state(left, "solved")
    line = json.loads(nova("fetch", "--all", "--json").out)
    assert line["notes"][-1] == f"{place.name} had lost the job; it was sent again"


@keeping_places
def test_the_log_is_read_there(place: KeepingPlace, left: JobDir, nova: Any) -> None:
    place.set_state(left, "solved")
    assert nova("log", "last").out
    assert nova("log", "-f", "last").code == 0


@keeping_places
def test_a_cancelled_job_is_unsolved(place: KeepingPlace, left: JobDir, nova: Any) -> None:
    ran = nova("cancel", "last")
    assert (ran.code, ran.out) == (0, f"{left.job_id}: unsolved; fetch it with nova fetch {left.job_id}\n")


@keeping_places
def test_rm_removes_a_job_there_too(place: KeepingPlace, left: JobDir, nova: Any) -> None:
    assert nova("rm", "last").code == 0
    assert not place.has(left)
    assert not left.path.exists()


@keeping_places
def test_rm_of_a_job_that_the_place_has_lost(place: KeepingPlace, left: JobDir, nova: Any) -> None:
    place.lose(left)
    assert nova("rm", "last").code == 0
    assert not left.path.exists()


@keeping_places
def test_the_jobs_of_a_place_are_listed(place: KeepingPlace, left: JobDir, nova: Any) -> None:
    line = json.loads(nova("jobs", "--on", place.name, "--json").out)
    assert (line["server"], line["state"]) == (place.name, place.waiting)
    assert place.id_of(left) in line["id"]


# --- The registry ---------------------------------------------------------------------------------------------------


def test_a_job_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    """A newer version may know more kinds of places than this one."""
    remote = new_remote(JobDir(tmp_path), "carrier pigeon", "loft", {})
    with pytest.raises(DataError, match=r"remote\.json: it is damaged"):
        backends.of_job(remote, config.load())


def test_no_job_is_left_with_this_machine(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"remote\.json: it is damaged"):
        backends.of_job(new_remote(JobDir(tmp_path), "local", "local", {}), config.load())


@pytest.mark.parametrize("place", ["local,solve1", "solve1,local", "standin:/x,solve1"])
def test_places_of_different_kinds_cannot_be_combined(place: str) -> None:
    with pytest.raises(UsageError, match="cannot be combined"):
        backends.connect(place, config.load())


def test_a_name_of_nova_hosts_leads_to_the_kind_of_its_destination(nova: Any, home: Path) -> None:
    """The stand-in takes no names, so its error shows that it was chosen."""
    assert nova("hosts", "add", "folder", "standin:/x").code == 0
    with pytest.raises(UsageError, match="'folder' is not a folder of the stand-in"):
        backends.connect("folder", config.load())


def _imports(path: Path) -> set[str]:
    """Return the modules that a file imports, and the names that it imports from them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return found


def test_only_the_backends_know_how_a_place_is_reached() -> None:
    """No other room of the package imports an implementation."""
    implementations = {module for module, _ in kinds.KINDS.values()} - {"standin_backend"}
    assert implementations == {"novacli.backends.local", "novacli.backends.ssh", "novacli.backends.web"}
    others = [path for path in SOURCE.rglob("*.py") if not path.is_relative_to(SOURCE / "backends")]
    found = {
        str(path.relative_to(SOURCE)): name
        for path in others
        for name in _imports(path)
        if any(name == module or name.startswith(f"{module}.") for module in implementations)
    }
    assert found == {}
