"""Attack 9: a missing engine, missing or damaged index files, and a kernel without the sandbox."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import standin
from attack_server import Server, each, request, told

from solvehost.engine import exec_helper
from solvehost.indexes.index_set import IndexSet


def change(server: Server, flag: str, value: object) -> Server:
    server.flags[server.flags.index(flag) + 1] = str(value)
    return server


@pytest.mark.parametrize("name", ["/nowhere/astrometry-engine", "no-such-engine"])
def test_a_missing_engine_is_reported(server: Server, name: str) -> None:
    change(server, "--engine", name)
    server.assert_refused(server.run(told("solve")), 69, f"{name} was not found: install it")


def test_an_engine_that_cannot_start_is_reported(server: Server) -> None:
    program = Path(server.flags[1])
    program.write_text("#!/no/such/shell\n")
    server.seen = server.look_outside()
    done = server.run(told("solve"))
    assert (done.code, done.stdout) == (69, b"")
    assert "the engine cannot be run" in done.stderr
    server.assert_clean()


CONFIGURATIONS = [
    ("missing", None, 78, "the engine's configuration cannot be read"),
    ("empty", "", 69, "no index file was found"),
    ("comments alone", "# autoindex\n#index x\n", 69, "no index file was found"),
    ("a directory that is not there", "add_path /nowhere\nautoindex\n", 69, "/nowhere"),
    ("an index that is not there", "index /nowhere/index-7.fits\n", 69, "index-7.fits"),
    ("an index that is none", "index {folder}/engine.cfg\n", 69, "engine.cfg"),
    ("an index that is cut", "index {folder}/cut.fits\n", 69, "cut.fits"),
    ("a pipe", "index {folder}/pipe\n", 69, "pipe"),
]


@pytest.mark.parametrize(("text", "code", "why"), **each(CONFIGURATIONS))
def test_missing_index_files_are_reported(server: Server, text: str | None, code: int, why: str) -> None:
    config = Path(server.flags[3])
    (config.parent / "cut.fits").write_bytes((config.parent / "index-one.fits").read_bytes()[:1000])
    subprocess.run(["mkfifo", config.parent / "pipe"], check=True)
    config.unlink()
    if text is not None:
        config.write_text(text.format(folder=config.parent))
    server.seen = server.look_outside()
    server.assert_refused(server.run(told("solve")), code, why)


def test_a_damaged_index_file_is_named_beside_good_ones(server: Server) -> None:
    config = Path(server.flags[3])
    config.write_text(f"{config.read_text()}index {config.parent}/gone.fits\n")
    server.seen = server.look_outside()
    manifest, _ = server.assert_served(server.run(told("solve")))
    assert manifest["indexes"] == {"loaded": ["index-one.fits"], "failed": ["gone.fits"]}


@pytest.mark.engine
def test_index_files_that_the_real_engine_cannot_load(
    real_server: Server, real_engine: Path, real_indexes: IndexSet, drawn_axy: bytes
) -> None:
    """Their headers are right, so only the engine notices; one good index file is enough."""
    folder = real_server.folder / "bad"
    folder.mkdir()
    standin.write_index(folder / "index-bad.fits", 100.0, 140.0)
    config = real_server.folder / "engine.cfg"
    config.write_text(f"index {folder}/index-bad.fits\n")
    real_server.flags += ["--engine-config", str(config)]
    real_server.seen = real_server.look_outside()
    done = real_server.run(request(drawn_axy))
    assert (done.code, done.stdout) == (69, b"")
    assert "the engine cannot load" in done.stderr
    assert "index-bad.fits" in done.stderr.splitlines()[-1]
    real_server.assert_clean()
    good = next(f.path for f in real_indexes.files if 90 <= f.middle_arcmin <= 150)
    config.write_text(f"index {folder}/index-bad.fits\nindex {good}\n")
    real_server.seen = real_server.look_outside()
    manifest, _ = real_server.assert_served(real_server.run(request(drawn_axy)))
    assert manifest["status"] == "solved"
    assert [Path(name).name for name in manifest["indexes"]["failed"]] == ["index-bad.fits"]


@pytest.mark.engine
def test_index_files_behind_links_load_in_the_sandbox(
    real_server: Server, real_indexes: IndexSet, drawn_axy: bytes
) -> None:
    """The links lead out of the directory in the configuration, over another link."""
    good = next(f.path for f in real_indexes.files if 90 <= f.middle_arcmin <= 150)
    folder = real_server.folder / "links"
    folder.mkdir()
    (folder / "one").symlink_to(good)
    (folder / "index-a.fits").symlink_to("one")
    config = real_server.folder / "engine.cfg"
    config.write_text(f"add_path {folder}\nautoindex\n")
    real_server.flags += ["--engine-config", str(config)]
    real_server.seen = real_server.look_outside()
    manifest, _ = real_server.assert_served(real_server.run(request(drawn_axy)))
    assert (manifest["status"], manifest["indexes"]["failed"]) == ("solved", [])


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_state_directory_that_others_may_write_to_is_refused(server: Server, mode: int) -> None:
    server.state.mkdir()
    server.state.chmod(mode)
    server.assert_refused(server.run(told("solve")), 78, "no other user may write to it")
    assert list(server.state.iterdir()) == []


def test_a_link_as_state_directory_is_refused(server: Server) -> None:
    server.state.symlink_to(server.outside)
    server.seen = server.look_outside()
    done = server.run(told("solve"))
    assert (done.code, done.stdout) == (78, b"")
    assert server.look_outside() == server.seen


@pytest.mark.parametrize(
    ("text", "why"), [("slots = 0", "slots"), ("slot = 2", "unknown key"), ("slots", "correct the file")]
)
def test_an_invalid_configuration_is_reported(server: Server, text: str, why: str) -> None:
    config = server.folder / "solvehost.toml"
    config.write_text(text)
    server.seen = server.look_outside()
    server.assert_refused(server.run(told("solve"), "--config", str(config)), 78, why)


# --- The sandbox, with a simulated answer of the kernel -------------------------------------------------------------

_FAKE = """
from solvehost.engine import exec_helper, sandbox
exec_helper.landlock_abi = sandbox.landlock_abi = lambda: 0
from solvehost.__main__ import main
main()
"""


def test_a_required_sandbox_that_is_missing_is_an_error(server: Server) -> None:
    server.command = [sys.executable, "-I", "-c", _FAKE]
    done = server.run(told("solve"), "--require-sandbox")
    server.assert_refused(done, 78, "this kernel cannot confine engines (no Landlock)")


def test_a_missing_sandbox_gives_a_warning(server: Server) -> None:
    server.command = [sys.executable, "-I", "-c", _FAKE]
    done = server.run(told("solve"))
    server.assert_served(done)
    assert "this kernel cannot confine engines in full (it has no Landlock)" in done.stderr


#: Rights over files in each version of Landlock, from linux/landlock.h; then over TCP, and scopes.
RULESETS = {1: (2**13 - 1, 0, 0), 2: (2**14 - 1, 0, 0), 3: (2**15 - 1, 0, 0), 4: (2**15 - 1, 3, 0),
            5: (2**16 - 1, 3, 0), 6: (2**16 - 1, 3, 3), 7: (2**16 - 1, 3, 3), 99: (2**16 - 1, 3, 3)}  # fmt: skip


@pytest.mark.parametrize(("abi", "expected"), RULESETS.items())
def test_a_ruleset_has_only_rights_that_the_kernel_knows(abi: int, expected: tuple[int, int, int]) -> None:
    assert exec_helper.ruleset(abi) == expected


_TRY = """
import os, sys
sys.path.insert(0, sys.argv[1])
import exec_helper
real, fake = exec_helper.landlock_abi(), int(sys.argv[2])
exec_helper.landlock_abi = lambda: fake
exec_helper.die_with_parent(os.getppid())
folder = sys.argv[3]
exec_helper._confine(f"rx /usr\\nrx /nowhere\\nrw {folder}/mine\\nr {folder}/read")
could = []
tries = {
    "write": lambda: open(f"{folder}/canary", "w"), "create": lambda: open(f"{folder}/new", "w"),
    "truncate": lambda: os.truncate(f"{folder}/canary", 0), "read": lambda: open(f"{folder}/canary"),
    "remove": lambda: os.unlink(f"{folder}/canary"), "mkdir": lambda: os.mkdir(f"{folder}/deep"),
    "move": lambda: os.rename(f"{folder}/mine/own", f"{folder}/own"),
    "execute": lambda: os.execv(f"{folder}/run", ["x"]), "write what may be read": lambda: open(f"{folder}/read", "w"),
}
for name, attempt in tries.items():
    try:
        attempt()
    except OSError:
        pass
    else:
        could.append(name)
open(f"{folder}/read").close()
open(f"{folder}/mine/more", "w").close()
print(",".join(could))
"""


@pytest.mark.parametrize("abi", range(1, 8))
def test_the_rules_for_older_kernels_confine_as_well(tmp_path: Path, abi: int) -> None:
    """Everything that this version can forbid is forbidden; truncating a file from version 3 on."""
    if exec_helper.landlock_abi() < abi:
        pytest.skip(f"this kernel's Landlock is of version {exec_helper.landlock_abi()}")
    (tmp_path / "mine").mkdir()
    for name in ("canary", "read", "mine/own", "run"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    command = [sys.executable, "-I", "-S", "-c", _TRY, str(Path(exec_helper.__file__).parent), str(abi), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("truncate" if abi < 3 else "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["canary", "mine", "read", "run"]
