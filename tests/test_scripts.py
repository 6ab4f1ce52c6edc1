"""The scripts of the two commands: run with a PATH of our own, so that nothing is ever installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = [ROOT / "scripts" / name for name in ("quickstart", "test", "lock", "slurm-loopback", "postgresql-loopback")]
SHELL_FILES = [*SCRIPTS, ROOT / "scripts" / "lib.sh", ROOT / ".ci" / "run"]
CONSTRAINTS = ROOT / "scripts" / "constraints.txt"
#: What the scripts may use of the system; the rest is not on their PATH.
_TOOLS = (
    "bash", "basename", "cat", "cksum", "cut", "dirname", "env", "find", "grep", "head", "mkdir", "mktemp", "rm", "sed",
    "tail", "tee", "touch",
)  # fmt: skip


@dataclass
class Clone:
    """A bare clone's scripts in a directory of their own, and the programs that they find."""

    root: Path
    bin: Path
    env: dict[str, str] = field(default_factory=dict)

    def program(self, name: str, script: str) -> None:
        """Put a shell script on PATH."""
        self._script(self.bin / name, script)

    def _script(self, path: Path, script: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def logging(self, name: str, status: int = 0) -> None:
        """Put a program on PATH that notes its arguments."""
        self.program(name, f'echo "$*" >> "{self.root}/{name}.log"\nexit {status}')

    def venv(self, pip: str = "exit 0") -> None:
        """Make a .venv whose pip and nova only note their arguments."""
        notes = f'echo "$*" >> "{self.root}/'
        python = f'case "$1 $2" in "-m pip") {notes}pip.log"; {pip};; esac\nexec "{sys.executable}" "$@"'
        self._script(self.root / ".venv" / "bin" / "python", python)
        nova = f'{notes}nova.log"; echo "$PWD" >> "{self.root}/cwd.log"; exit "${{ANSWER:-0}}"'
        self._script(self.root / ".venv" / "bin" / "nova", nova)

    def log(self, name: str) -> list[str]:
        """Return the arguments that a program was called with, a line each call."""
        path = self.root / f"{name}.log"
        return path.read_text().splitlines() if path.exists() else []

    def run(self, script: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [shutil.which("bash") or "bash", self.root / "scripts" / script, *arguments],
            env={"PATH": str(self.bin), "HOME": str(self.root), "TMPDIR": str(self.root), **self.env},
            cwd=cwd or self.root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A bare clone on a system with a shell and a Python, and with neither engine nor package manager."""
    root, bin_dir = tmp_path / "clone", tmp_path / "bin"
    shutil.copytree(ROOT / "scripts", root / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    bin_dir.mkdir()
    for tool in _TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (bin_dir / tool).symlink_to(found)
    made = Clone(root, bin_dir, {"NOVA_INDEX": "somewhere"})
    made.program("id", "echo 0")
    made.program("python3", f'exec "{sys.executable}" "$@"')
    return made


# --- The files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SHELL_FILES, ids=lambda p: p.name)
def test_parses(path: Path) -> None:
    """bash understands every script."""
    subprocess.run(["bash", "-n", path], check=True)


def test_shellcheck_finds_nothing() -> None:
    """shellcheck has nothing to say of any script."""
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    found = subprocess.run(["shellcheck", "-x", *SHELL_FILES], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.stdout == ""
    assert found.returncode == 0


@pytest.mark.parametrize("path", [*SCRIPTS, ROOT / ".ci" / "run"], ids=lambda p: p.name)
def test_is_executable(path: Path) -> None:
    """A person can start each script by its name."""
    assert os.access(path, os.X_OK)


def test_ci_runs_exactly_the_tests() -> None:
    """.ci/run does nothing but hand over to scripts/test, from the root of the clone."""
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if not line.startswith("#")]
    assert lines == ['cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1', "exec bash scripts/test"]


def test_no_script_names_a_host() -> None:
    """Packages come from wherever the system's package managers are set up to get them."""
    hosts = re.compile(r"https?://|\b[a-z0-9-]+\.(?:org|com|io)\b")
    assert [path.name for path in [*SHELL_FILES, CONSTRAINTS] if hosts.search(path.read_text())] == []


# --- The lock -----------------------------------------------------------------------------------------------------


def _pins() -> dict[str, str]:
    lines = [line for line in CONSTRAINTS.read_text().splitlines() if line and not line.startswith("#")]
    return {_canonical(name): version for name, version in (line.split("==") for line in lines)}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_dependency_is_locked_within_its_bounds() -> None:
    """constraints.txt has an exact version of each dependency, extras included, that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    pins = _pins()
    for requirement in map(Requirement, wanted):
        assert pins[_canonical(requirement.name)] in requirement.specifier, requirement


# --- quickstart: what is lacking ----------------------------------------------------------------------------------


def test_without_engine_and_package_manager_it_names_conda(clone: Clone) -> None:
    """The message says what to install where nothing can be installed, and nothing is made."""
    done = clone.run("quickstart")
    assert done.returncode == 69
    assert "conda install -c conda-forge astrometry" in done.stderr
    assert not (clone.root / ".venv").exists()


def test_without_a_new_python_it_says_so(clone: Clone) -> None:
    """An older Python is as good as none, and the message says which one is needed."""
    clone.logging("astrometry-engine")
    clone.program("python3", "exit 1")
    done = clone.run("quickstart")
    assert done.returncode == 69
    assert "Python 3.11 or newer was not found" in done.stderr


def test_a_python_named_wrongly_is_refused(clone: Clone) -> None:
    """$PYTHON must be new enough; no other one is taken instead."""
    clone.logging("astrometry-engine")
    clone.program("old", "exit 1")
    clone.env["PYTHON"] = "old"
    done = clone.run("quickstart")
    assert done.returncode == 69
    assert "$PYTHON is old, which is not Python 3.11 or newer" in done.stderr


def test_apt_installs_what_is_lacking(clone: Clone) -> None:
    """As root, apt-get is asked for the engine and the index files, after a line that says so."""
    clone.env.pop("NOVA_INDEX")
    clone.env["NOVA_ENGINE_CONFIG"] = str(clone.root / "pyproject.toml")
    clone.logging("apt-get")
    clone.program("dpkg-query", "exit 1")
    done = clone.run("quickstart")
    assert "==> Installing astrometry.net astrometry-data-tycho2 by apt-get" in done.stdout
    calls = clone.log("apt-get")
    assert calls[0].endswith("update")
    assert calls[1].endswith("install -y --no-install-recommends astrometry.net astrometry-data-tycho2")
    assert done.returncode == 69  # our apt-get brought no engine


def test_nothing_is_asked_of_apt_where_all_is_there(clone: Clone) -> None:
    """No list of packages is fetched where nothing must be installed."""
    clone.logging("astrometry-engine")
    clone.logging("apt-get")
    clone.venv()
    assert clone.run("quickstart").returncode == 0
    assert clone.log("apt-get") == []


def test_without_root_sudo_is_announced_and_used(clone: Clone) -> None:
    """A person is told before a password is asked for."""
    clone.program("id", "echo 1000")
    clone.program("dpkg-query", "exit 1")
    clone.logging("apt-get")
    clone.logging("sudo")
    done = clone.run("quickstart")
    assert "by sudo apt-get; it may ask for your password" in done.stdout
    assert all(call.startswith(("apt-get", "env")) for call in clone.log("sudo"))
    assert clone.log("apt-get") == []


def test_without_root_and_sudo_it_says_what_to_ask_for(clone: Clone) -> None:
    """The message names the packages for whoever may install them."""
    clone.program("id", "echo 1000")
    clone.program("dpkg-query", "exit 1")
    clone.logging("apt-get")
    done = clone.run("quickstart")
    assert done.returncode == 77
    assert "ask for the packages astrometry.net" in done.stderr
    assert clone.log("apt-get") == []


def test_what_a_failed_install_said_is_shown(clone: Clone) -> None:
    """The end of apt-get's output reaches the person, and the script stops."""
    clone.program("dpkg-query", "exit 1")
    clone.program("apt-get", "echo E: disk on fire; exit 100")
    done = clone.run("quickstart")
    assert done.returncode == 69
    assert "E: disk on fire" in done.stderr


def test_brew_installs_the_engine(clone: Clone) -> None:
    """On macOS the engine's name is Homebrew's."""
    clone.logging("brew")
    done = clone.run("quickstart")
    assert clone.log("brew") == ["install astrometry-net"]
    assert "==> Installing astrometry-net by Homebrew" in done.stdout


# --- quickstart: the image ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "status"), [("a.fits b.fits", 2), ("--frob", 2), ("missing.fits", 66)])
def test_a_wrong_call_installs_nothing(clone: Clone, arguments: str, status: int) -> None:
    """What cannot work is said before anything is installed."""
    clone.logging("apt-get")
    assert clone.run("quickstart", *arguments.split()).returncode == status
    assert clone.log("apt-get") == []


def test_help_installs_nothing(clone: Clone) -> None:
    """--help only tells."""
    done = clone.run("quickstart", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: scripts/quickstart [IMAGE | --web]")


def test_a_relative_image_is_solved_from_any_directory(clone: Clone, tmp_path: Path) -> None:
    """nova is started where the person stands, with the name as it was given, and its exit status is the script's."""
    clone.logging("astrometry-engine")
    clone.venv()
    (tmp_path / "m 42.fits").touch()
    clone.env["ANSWER"] = "1"
    done = clone.run("quickstart", "m 42.fits", cwd=tmp_path)
    assert clone.log("nova") == ["submit m 42.fits"]
    assert clone.log("cwd") == [str(tmp_path)]
    assert done.returncode == 1


def test_without_an_image_a_field_is_drawn(clone: Clone) -> None:
    """The sample field goes into quickstart/ of the clone, wherever the person stands."""
    clone.logging("astrometry-engine")
    clone.venv()
    assert clone.run("quickstart").returncode == 0
    field_path = f"{clone.root}/quickstart/field.fits"
    assert clone.log("nova") == [f"demo --overwrite {field_path}", f"submit {field_path}"]


# --- Installing the project ---------------------------------------------------------------------------------------


def test_the_project_is_installed_once(clone: Clone) -> None:
    """A second run leaves pip alone; a changed pyproject.toml does not."""
    clone.logging("astrometry-engine")
    clone.venv()
    assert [clone.run("quickstart").returncode for _ in range(2)] == [0, 0]
    assert len(clone.log("pip")) == 1
    assert f"-c {clone.root}/scripts/constraints.txt -e {clone.root}" in clone.log("pip")[0]
    with (clone.root / "pyproject.toml").open("a") as stream:
        stream.write("# changed\n")
    clone.run("quickstart")
    assert len(clone.log("pip")) == 2


def test_locked_versions_that_cannot_be_had_are_given_up_with_a_word(clone: Clone) -> None:
    """Another Python may lack a wheel of the locked version: then the bounds of pyproject.toml hold."""
    clone.logging("astrometry-engine")
    said = "ERROR: No matching distribution found for x==1"
    refuse = f'case "$*" in *--only-binary*) echo "{said}"; exit 1;; esac; exit 0'
    clone.venv(pip=refuse)
    done = clone.run("quickstart")
    assert done.returncode == 0
    assert "cannot all be had here (No matching distribution found for x==1)" in done.stdout
    assert "--prefer-binary" in clone.log("pip")[1]
    assert "constraints" not in clone.log("pip")[1]


# --- test ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def suite(clone: Clone) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run scripts/test in a clone whose tools only note that they ran; those named fail."""
    clone.logging("astrometry-engine")
    clone.logging("shellcheck")
    clone._script(clone.root / "scripts" / "postgresql-loopback", 'exec "$@"')

    def run(*failing: str) -> subprocess.CompletedProcess[str]:
        clone.venv()
        for tool in ("ruff", "mypy", "sphinx-build"):
            clone._script(clone.root / ".venv" / "bin" / tool, f"echo ran {tool} $1\nexit {int(tool in failing)}")
        pytest_line = f'case "$2" in pytest) echo ran "$@"; exit {int("pytest" in failing)};; esac\n'
        python = clone.root / ".venv" / "bin" / "python"
        python.write_text(python.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n{pytest_line}"))
        return clone.run("test", "-k", "name")

    return run


def test_all_stages_pass(suite: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Every stage runs, pytest with the arguments given, and the end says that all passed."""
    if not Path("/usr/sbin/sshd").exists():
        pytest.skip("/usr/sbin/sshd is not installed, and it is not to be installed here")
    done = suite()
    assert done.returncode == 0
    stages = ("ruff check", "ruff format", "mypy", "sphinx-build", "-m pytest")
    assert ("tests/novaweb" in done.stdout) == any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert all(f"ran {what}" in done.stdout for what in stages)
    assert "-n 2 -k name" in done.stdout
    assert done.stdout.rstrip().endswith("All stages passed")


@pytest.mark.parametrize("tool", ["ruff", "mypy", "sphinx-build", "pytest"])
def test_a_failed_stage_fails_the_call(suite: Callable[..., subprocess.CompletedProcess[str]], tool: str) -> None:
    """The stages after a failed one still run, and the end names it."""
    if not Path("/usr/sbin/sshd").exists():
        pytest.skip("/usr/sbin/sshd is not installed, and it is not to be installed here")
    done = suite(tool)
    assert done.returncode == 1
    assert "ran -m pytest" in done.stdout
    named = {"ruff": "lint", "mypy": "types", "sphinx-build": "documentation", "pytest": "tests"}[tool]
    assert f"FAILED: {named}" in done.stdout
