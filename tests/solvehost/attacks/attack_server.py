"""A server to attack: the real program on real pipes, canary files around it, and checks of what it leaves behind.

::

    done = server.run(b"job-1\n" + JOB + END)
    server.assert_refused(done, 65, "a word of the reason")     # or: manifest, files = server.assert_served(done)

After each run, the canary files are unchanged, no process of the server is alive, its work directory is empty, and no
process holds a slot or waits for one.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import standin
from rawwire import END, in_pieces, member
from standin import PATIENCE_S, wait_until

from solvehost import wire
from solvehost.formats import axy

#: Limit of the program's private memory: enough for the largest request.
_DATA_KB = 100_000
_IN_LITTLE_MEMORY = ["/bin/sh", "-c", f'ulimit -d {_DATA_KB}; exec "$@"', "sh"]
_WITHOUT_CALL_FILTER = """
from solvehost.engine import sandbox
sandbox.filters_calls = lambda: False
from solvehost.__main__ import main
main()
"""
MEMBERS = ("manifest.json", "backend.log", "corr.fits", "rdls.fits", "wcs.fits")
#: A confined engine can read the system's interpreter only, so the stand-in engine uses that.
SYSTEM_PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin")


@dataclass(frozen=True)
class RunResult:
    """How a run ended; ``taken`` counts the bytes of standard input that the pipe accepted."""

    code: int
    stdout: bytes
    stderr: str
    taken: int


def request(*axys: bytes, job_id: bytes = b"job-1") -> bytes:
    """Return a request with these axy files, one for each attempt."""
    names = [b"job.axy", *(b"job-%d.axy" % n for n in range(2, 17))]
    return job_id + b"\n" + b"".join(map(member, names, axys)) + END


def told(*behaviours: str, job_id: bytes = b"job-1", **schedule: Any) -> bytes:
    """Return a request whose attempts tell the stand-in engine how to behave."""
    return request(*(axy.to_bytes(standin.make_attempt(b, **schedule)) for b in behaviours), job_id=job_id)


@dataclass
class Server:
    """An installation to attack, all of it below ``folder``; ``prefix`` runs it as another user, or in a namespace."""

    folder: Path
    flags: list[str] = field(default_factory=list)
    prefix: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=lambda: [sys.executable, "-I", "-m", "solvehost"])
    more: dict[str, Any] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, *flags: str) -> Server:
        """Install the stand-in engine and an index file, and put canary files around the state directory."""
        engine = install_engine(folder / "engine")
        server = cls(folder, ["--engine", str(engine), "--engine-config", str(engine.parents[1] / "engine.cfg")])
        server.flags += ["--state", str(server.state), "--client", "me", "--log", str(server.log)]
        server.flags += ["--allow-root", *flags]
        server.canary.parent.mkdir()
        server.canary.write_text("precious\n")
        server.canary.chmod(0o640)
        (server.outside / "link").symlink_to("canary")
        server.seen = server.look_outside()
        return server

    state = property(lambda self: self.folder / "state")
    work = property(lambda self: self.state / "work")
    log = property(lambda self: self.folder / "solvehost.log")
    outside = property(lambda self: self.folder / "outside")
    canary = property(lambda self: self.outside / "canary")

    def words(self, *flags: str) -> list[str]:
        """Return the command line."""
        return [*self.prefix, *_IN_LITTLE_MEMORY, *self.command, *self.flags, *flags]

    def without_call_filter(self) -> Server:
        """Simulate a kernel that cannot filter system calls, for engines that fork or make directories; return self."""
        *interpreter, where = self.command
        path = "" if where == "solvehost" else f"import sys; sys.path.insert(0, {where!r})\n"
        self.command = [interpreter[0], "-I", "-c", f"{path}{_WITHOUT_CALL_FILTER}"]
        return self

    def start(self, *flags: str, ssh_command: str | None = None, **more: Any) -> subprocess.Popen[bytes]:
        """Start the program with pipes; the caller must end it."""
        env = {k: v for k, v in os.environ.items() if k != "SSH_ORIGINAL_COMMAND"}
        if ssh_command is not None:
            env["SSH_ORIGINAL_COMMAND"] = ssh_command
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        env |= more.pop("env", {})
        return subprocess.Popen(self.words(*flags), cwd=self.outside, env=env, **{**pipes, **self.more, **more})

    def run(
        self, stream: bytes | Iterable[bytes] = b"", *flags: str, ssh_command: str | None = None, **more: Any
    ) -> RunResult:
        """Run the program with a stream as its standard input, and wait for its end."""
        return finish(self.start(*flags, ssh_command=ssh_command, **more), stream)

    # -- checks afterwards --------------------------------------------------------------------------------

    def look_outside(self) -> dict[str, Any]:
        """Return mode, time of change and content of all files around the state directory."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            if self.state in (path, *path.parents) or path == self.log:
                continue
            status = path.lstat()
            content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
            found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
        return found

    def processes(self) -> list[int]:
        """Return the living processes with this folder in their command line, or a working directory below it."""
        return [p for p in processes_of(self.folder) if standin.alive([p])]

    def assert_clean(self) -> None:
        """Check that the canary files are unchanged, and no process, work directory or locked token is left."""
        wait_until(lambda: not self.processes())
        assert self.look_outside() == self.seen
        assert not self.work.exists() or list(self.work.iterdir()) == []
        assert held_locks(self.state) == []

    def assert_refused(self, done: RunResult, code: int, why: str) -> None:
        """Check that stdout is empty, stderr has one line with the reason, the code is right, and nothing is left."""
        assert (done.code, done.stdout) == (code, b""), done
        assert_one_line(done.stderr, why)
        if self.log.exists():
            last = self.log.read_text().splitlines()[-1]
            assert f" exit={code} " in last
            assert last.isascii()
            assert last.isprintable()
        self.assert_clean()

    def assert_served(self, done: RunResult, job_id: str = "job-1") -> tuple[dict[str, Any], dict[str, bytes]]:
        """Check that this project and tarfile can read the reply, and nothing is left; return manifest and files."""
        found = self.assert_served_alone(done, job_id)
        self.assert_clean()
        return found

    def assert_served_alone(self, done: RunResult, job_id: str = "job-1") -> tuple[dict[str, Any], dict[str, bytes]]:
        """Check the reply while other jobs still run; return manifest and files."""
        assert done.code == 0, done
        assert "Traceback" not in done.stderr
        assert done.stderr.replace("\n", "").replace("\t", "").isprintable()
        return read_reply(done.stdout, job_id)


def read_reply(data: bytes, job_id: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return manifest and files of a reply; check that its members are regular files with right names and owners."""
    reply = wire.read_reply(in_pieces(data), job_id)
    assert reply.manifest is not None
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = archive.getmembers()
    assert [m.name for m in found] == [n for n in MEMBERS if n == "manifest.json" or n in reply.files]
    assert {(m.isreg(), m.mode, m.uid, m.gid, m.uname, m.gname) for m in found} == {(True, 0o644, 0, 0, "", "")}
    return reply.manifest, reply.files


def assert_one_line(stderr: str, why: str) -> None:
    """Check that stderr is one short line of printable ASCII with the reason."""
    assert stderr.startswith("solvehost: "), stderr
    assert stderr.endswith("\n")
    assert stderr.count("\n") == 1, stderr
    assert stderr.isascii()
    assert stderr[:-1].isprintable()
    assert len(stderr) < 1000
    assert why in stderr


def finish(process: subprocess.Popen[bytes], stream: bytes | Iterable[bytes] = b"") -> RunResult:
    """Write a stream to a program, read all its output, and wait for its end."""
    taken = [0]
    pieces: Iterable[bytes] = [stream] if isinstance(stream, bytes) else stream
    out: dict[str, bytes] = {}
    threads = [
        threading.Thread(target=lambda: _feed(process, pieces, taken)),
        *(threading.Thread(target=lambda n=n: out.update({n: getattr(process, n).read()})) for n in ("stdout", "stderr")
          if getattr(process, n) is not None),
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    code = _wait(process)
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "a process still holds a pipe open"
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    stderr = out.get("stderr", b"").decode("latin-1")
    return RunResult(code, out.get("stdout", b""), stderr, taken[0])


def _feed(process: subprocess.Popen[bytes], pieces: Iterable[bytes], taken: list[int]) -> None:
    if process.stdin is None or process.stdin.closed:
        return
    try:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                count = os.write(process.stdin.fileno(), view[:65536])
                taken[0] += count
                view = view[count:]
    except BrokenPipeError:
        pass
    finally:
        process.stdin.close()


def _wait(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(3 * PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError("the program does not end") from None


def install_engine(folder: Path) -> Path:
    """Install the stand-in engine, an index file and a configuration in ``folder``; return the engine's path.

    A confined engine may read its own program, and the directory ``lib`` beside its ``bin``.
    """
    program = folder / "bin" / "astrometry-engine"
    script = folder / "lib" / "standin_engine.py"
    for place in (folder, program.parent, script.parent):
        place.mkdir(mode=0o755)
    script.write_bytes(Path(standin.__file__).with_name("standin_engine.py").read_bytes())
    run = f"import runpy\nrunpy.run_path({str(script)!r}, run_name='__main__')\n"
    program.write_text(f"#!{SYSTEM_PYTHON} -ISB\n{run}")
    program.chmod(0o755)
    index = standin.write_index(folder / "index-one.fits")
    (folder / "engine.cfg").write_text(f"index {index}\n")
    return program


def processes_of(folder: Path) -> list[int]:
    """Return the processes with ``folder`` in their command line, or a working directory below it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words, where = (entry / "cmdline").read_bytes(), os.readlink(entry / "cwd")
            except OSError:
                continue
            if os.fsencode(folder) in words or Path(where).is_relative_to(folder):
                found.append(int(entry.name))
    return found


def held_locks(state: Path) -> list[str]:
    """Return the tokens below a state directory that are locked."""
    held = []
    for path in state.rglob("*") if state.exists() else ():
        if path.parent.name in ("slots", "waiting", "running", "connections") and stat.S_ISREG(path.lstat().st_mode):
            with path.open("rb") as stream:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    held.append(str(path))
    return held


def run_dirs(server: Server) -> list[Path]:
    """Return the working directories of engines."""
    return sorted(server.state.glob("**/.run-*"))


def await_engine(server: Server, mark: str = "here") -> Path:
    """Wait until an engine has created a file in its working directory; return that directory."""
    found: list[Path] = []

    def look() -> bool:
        found[:] = [where for where in run_dirs(server) if (where / mark).exists()]
        return bool(found)

    wait_until(look)
    return found[0]


def engines_of(server: Server) -> list[int]:
    """Return the processes of the stand-in engine."""
    found = []
    for pid in server.processes():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if b"-ISB" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                found.append(pid)
    return found


def each(cases: Sequence[Any]) -> dict[str, Any]:
    """Return arguments of ``pytest.mark.parametrize`` for a table whose rows begin with a name."""
    return {"argvalues": [case[1:] if len(case) > 2 else case[1] for case in cases], "ids": [case[0] for case in cases]}
