"""A disk that hangs, as one whose cable was pulled: a file system (FUSE) that answers some requests never.

Who waits for it is in the state D, which not even SIGKILL ends.  Linux alone has it, and root alone may mount it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

#: A file whose name begins so is listed and can be opened; reading beyond its first ``READABLE_BYTES`` never returns.
STUCK = "stuck"
READABLE_BYTES = 2880
_PATIENCE_S = 60.0
#: Requests of the kernel's protocol (include/uapi/linux/fuse.h), version 7.31, and errors.
_LOOKUP, _GETATTR, _OPEN, _READ, _RELEASE, _FLUSH, _INIT, _OPENDIR, _READDIR, _RELEASEDIR, _ACCESS = (
    1, 3, 14, 15, 18, 25, 26, 27, 28, 29, 34,
)  # fmt: skip
_UNANSWERED = {2, 36, 42}  # FORGET, INTERRUPT, BATCH_FORGET
_ROOT, _DIRECT_IO = 1, 1
_ENOENT, _ENOSYS = 2, 38
_MNT_DETACH = 2


@contextlib.contextmanager
def hanging(point: Path, folder: Path) -> Iterator[Callable[[], object]]:
    """Have the files of a folder lie on such a disk at ``point``, too; at the end it lets go all that wait for it.

    What is returned waits for the next one that hangs.

    Raises
    ------
    OSError
        Where none can be mounted.
    """
    command = [sys.executable, __file__, str(point), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            said = server.stdout.readline().strip()
            if said:
                raise OSError(int(said), os.strerror(int(said)))
            yield server.stdout.readline
        finally:
            server.kill()  # which ends the connection, and so all that hang on it
            ctypes.CDLL(None).umount2(os.fsencode(point), _MNT_DETACH)


def is_in_kernel(pid: int) -> bool:
    """Say whether a process hangs in the kernel, though it was killed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "D"
    except OSError:
        return False


class _Server:
    """Serves the files of one folder, which is not changed meanwhile."""

    def __init__(self, fd: int, folder: Path) -> None:
        self._fd = fd
        self._files = dict(enumerate(sorted(folder.iterdir()), _ROOT + 1))

    def serve(self) -> None:
        """Answer until the disk is taken away."""
        while True:
            request = os.read(self._fd, 2**17)
            _, kind, unique, node = struct.unpack_from("<IIQQ", request)
            if kind in _UNANSWERED:
                continue
            answer = self._answer(kind, node, request[40:])
            if answer is None:
                print("stuck", flush=True)
                continue
            error, data = (-answer, b"") if isinstance(answer, int) else (0, answer)
            os.write(self._fd, struct.pack("<IiQ", 16 + len(data), error, unique) + data)

    def _answer(self, kind: int, node: int, body: bytes) -> bytes | int | None:
        """Return an answer's data, or the number of an error; None for no answer."""
        if kind == _INIT:
            return struct.pack("<IIIIHHIIHH8I", 7, 31, 0, 0, 16, 12, 2**16, 1, 0, 0, *[0] * 8)
        if kind == _LOOKUP:
            found = [number for number, path in self._files.items() if os.fsencode(path.name) == body.rstrip(b"\0")]
            return struct.pack("<QQQQII", found[0], 0, 1, 1, 0, 0) + self._attributes(found[0]) if found else _ENOENT
        if kind == _GETATTR:
            return struct.pack("<QII", 1, 0, 0) + self._attributes(node)
        if kind in (_OPEN, _OPENDIR):
            return struct.pack("<QII", 0, _DIRECT_IO if kind == _OPEN else 0, 0)
        if kind == _READ:
            return self._read(self._files[node], *struct.unpack_from("<QQI", body)[1:])
        if kind == _READDIR:
            return b"" if struct.unpack_from("<QQ", body)[1] else b"".join(self._entries())
        return b"" if kind in (_RELEASE, _FLUSH, _RELEASEDIR, _ACCESS) else _ENOSYS

    def _read(self, path: Path, offset: int, size: int) -> bytes | None:
        if path.name.startswith(STUCK):
            if offset >= READABLE_BYTES:
                return None
            size = min(size, READABLE_BYTES - offset)
        with path.open("rb") as stream:
            stream.seek(offset)
            return stream.read(size)

    def _attributes(self, node: int) -> bytes:
        mode, size = (0o40755, 0) if node == _ROOT else (0o100644, self._files[node].stat().st_size)
        long_ago_s = 1_700_000_000
        return struct.pack(
            "<6Q10I", node, size, 0, long_ago_s, long_ago_s, long_ago_s, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0
        )

    def _entries(self) -> Iterator[bytes]:
        for number, path in self._files.items():
            name = os.fsencode(path.name)
            yield struct.pack("<QQII", number, number, len(name), 8) + name + bytes(-len(name) % 8)


def _main() -> None:
    point, folder = sys.argv[1:]
    try:
        fd = os.open("/dev/fuse", os.O_RDWR)
    except OSError as exc:
        print(exc.errno, flush=True)
        return
    options = f"fd={fd},rootmode=40755,user_id=0,group_id=0,allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.mount(b"nova-test", os.fsencode(point), b"fuse", 0, options.encode())
    print(ctypes.get_errno() if failed else "", flush=True)
    if not failed:
        _Server(fd, Path(folder)).serve()


if __name__ == "__main__":
    _main()
