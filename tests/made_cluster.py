"""A real Dask cluster on 127.0.0.1: a scheduler, and workers that are processes of their own, gone with the tests.

Frames with certain names crash the process that opens them: see ``KILLER``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from made_sshd import descendants

PATIENCE_S = 60.0
#: A process that solves frames for a batch and opens a file of this name is killed, as by a kernel that has no memory
#: left; with the other name, the Dask worker that it works for.
KILLER, WRECKER = "brings-its-worker-down.fits", "wrecks-the-whole-machine.fits"
_HOOK = f"""\
import os, signal, sys

def look(event, arguments):
    if event == "open" and str(arguments[0]).endswith(({KILLER!r}, {WRECKER!r})):
        is_of_dask = any("daskchild" in word for word in sys.orig_argv)
        if is_of_dask and str(arguments[0]).endswith({WRECKER!r}):
            os.kill(os.getppid(), signal.SIGKILL)
        elif is_of_dask or any("executors.pool" in word for word in sys.orig_argv):
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(look)
"""


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a home in ``folder``, in which files called ``KILLER`` do what they are called."""
    hook = folder / "hook"
    hook.mkdir(exist_ok=True)
    (hook / "sitecustomize.py").write_text(_HOOK)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NOVA_", "XDG_", "COV_"))}
    programs = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    own = {"HOME": folder, "PYTHONPATH": hook, "NOVA_JOBS": folder / "jobs", "NOVA_SLOTS_DIR": folder / "slots"}
    return {**kept, "PATH": programs, **{name: str(path) for name, path in own.items()}}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A scheduler's address, and the processes; ``log`` is what the workers said."""

    address: str
    scheduler: subprocess.Popen[bytes]
    nanny: subprocess.Popen[bytes]
    log: Path

    @property
    def workers(self) -> list[int]:
        """The processes that work, which their nanny replaces when they die."""
        found = []
        for pid in descendants(self.nanny.pid):
            with contextlib.suppress(OSError):
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    @property
    def killed(self) -> int:
        """How many workers were killed so far."""
        return self.log.read_text().count("was killed by signal 9")


@contextlib.contextmanager
def start(folder: Path, env: Mapping[str, str], workers: int = 2) -> Iterator[Cluster]:
    """Start a cluster whose files are in ``folder``, and end it."""
    told, log = folder / "scheduler.json", folder / "workers.log"
    dask = str(Path(sys.executable).with_name("dask"))
    asked = {
        "scheduler": ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)],
        "worker": ["--scheduler-file", str(told), "--host", "127.0.0.1", "--nworkers", str(workers), "--nthreads", "1",
                   "--no-dashboard", "--local-directory", str(folder / "scratch")],
    }  # fmt: skip
    with contextlib.ExitStack() as stack:
        running = []
        for kind, arguments in asked.items():
            if kind == "worker":
                wait_until(lambda: told.exists() and told.stat().st_size > 0)
            stream = stack.enter_context((log if kind == "worker" else folder / "scheduler.log").open("wb"))
            process = subprocess.Popen([dask, kind, *arguments], env=dict(env), stdout=stream, stderr=stream)
            stack.callback(end, process)
            running.append(process)
        wait_until(lambda: log.read_text().count("Registered to:") == workers)
        yield Cluster(json.loads(told.read_text())["address"], running[0], running[1], log)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started."""
    pids = descendants(process.pid)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_until(is_so: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait until a function returns something true."""
    until_s = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < until_s, "waited in vain"
        time.sleep(0.02)
