"""Download index files: several at a time, resumed where they broke off, and checked before they take their names.

A file is written to ``NAME.part``, with the server's validator beside it in ``NAME.part.validator``; both survive an
interruption.  When all bytes are there, the content is checked, the file takes its name, and its checksum is added to
the list of its folder.

Servers are treated gently: few connections, growing pauses, and the pauses that they ask for.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from novacli.errors import DataError, InternalError, NovaError, OutputError, RetryLaterError, TransferError
from novacli.files.atomic import as_output_error
from novacli.files.http import Answer, Bounds, Part, ServerBusyError, download
from novacli.files.urls import USER_POLICY
from novacli.indexes.checksums import add_to_list
from novacli.indexes.series import SeriesFile, name_problem
from novacli.indexes.structure import check_content
from novacli.text.quantities import bytes_text
from solvehost.record import record

#: No published index file is larger.
_BOUNDS = Bounds(max_bytes=4 * 10**9, silence_s=30.0, total_s=86_400.0)
#: A file is given up after this number of tries in a row that brought no byte.
_MAX_TRIES = 8
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 300.0
_POLL_S = 0.2
#: Room that is left on the disk, as a fraction of what is downloaded: sizes of single files are means.
_SPARE = 0.05


@record
class Fetched:
    """The outcome for one file: its path, or the error that ended its download."""

    file: SeriesFile
    path: Path
    error: NovaError | None = None


def part_of(target: Path) -> Path:
    """Return the file that holds what is downloaded of ``target``."""
    return target.with_name(f"{target.name}.part")


def check_room(files: Sequence[SeriesFile], folder: Path) -> None:
    """Raise if a disk has no room for some files; parts that are there already count.

    Raises
    ------
    OutputError
        If the room does not suffice, or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(folder).free
    except OSError as exc:
        raise as_output_error(folder, exc) from exc
    there = sum(_size(part_of(folder / file.name)) for file in files)
    needed = (1 + _SPARE) * sum(file.size_bytes for file in files) - there
    if needed > free_bytes:
        raise OutputError(
            f"{folder}: {bytes_text(round(needed))} are needed, but {bytes_text(free_bytes)} are free: choose fewer "
            "scales, a part of the sky by --near, or another disk by --dir"
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def fetch(
    files: Sequence[SeriesFile], url: str, folder: Path, connections: int, observe: Callable[[int], None]
) -> Iterator[Fetched]:
    """Download files, and yield the outcome of each as it is done.

    Parameters
    ----------
    files
        What to download.
    url
        Address of the folder in which the files are published.
    folder
        Where to put them; it exists.
    connections
        Number of downloads at a time.
    observe
        Called several times a second with the number of bytes that are there, those of earlier calls included.

    Raises
    ------
    OutputError
        If the disk is full or cannot be written to; parts are kept.
    """
    crew = _Crew(files, url.rstrip("/"), folder)
    crew.start(min(connections, len(files)))
    left = len(files)
    try:
        while left:
            observe(crew.received_bytes)
            with contextlib.suppress(queue.Empty):
                done = crew.outcomes.get(timeout=_POLL_S)
                left -= 1
                if isinstance(done.error, OutputError):
                    raise done.error
                yield done
        observe(crew.received_bytes)
    finally:
        crew.stopped.set()


class _Crew:
    """The threads that download, and what they share.

    The threads are daemons: after Ctrl-C, none keeps the program from ending.
    """

    def __init__(self, files: Sequence[SeriesFile], url: str, folder: Path) -> None:
        self.outcomes: queue.Queue[Fetched] = queue.Queue()
        self.stopped = threading.Event()
        self._url, self._folder = url, folder
        self._waiting: queue.SimpleQueue[SeriesFile] = queue.SimpleQueue()
        self._list_lock = threading.Lock()
        for file in files:
            self._waiting.put(file)
        self._targets = [folder / file.name for file in files]

    @property
    def received_bytes(self) -> int:
        """The number of bytes that are on the disk."""
        return sum(_size(target) or _size(part_of(target)) for target in self._targets)

    def start(self, connections: int) -> None:
        """Start this number of threads."""
        for _ in range(connections):
            threading.Thread(target=self._work, name="nova-index-get", daemon=True).start()

    def _work(self) -> None:
        while not self.stopped.is_set():
            try:
                file = self._waiting.get_nowait()
            except queue.Empty:
                return
            target = self._folder / file.name
            try:
                self._fetch(file, target)
            except NovaError as exc:
                self.outcomes.put(Fetched(file, target, exc))
            except OSError as exc:
                self.outcomes.put(Fetched(file, target, as_output_error(target, exc)))
            except Exception as exc:
                fault = InternalError(f"{target}: the download failed with {type(exc).__name__}: please report it")
                self.outcomes.put(Fetched(file, target, fault))
            else:
                self.outcomes.put(Fetched(file, target))

    def _fetch(self, file: SeriesFile, target: Path) -> None:
        """Download one file, check it, and give it its name."""
        url = f"{self._url}/{file.name}"
        with _PartFile(target) as part:
            try:
                self._receive(url, part)
                _check(part.path, target)
            except DataError:
                # What an earlier call left may belong to another version of the file: begin again, once.
                if not part.was_resumed:
                    part.discard()
                    raise
                part.restart()
                self._receive(url, part)
                _check_or_discard(part, target)
            part.finish()
        with self._list_lock:
            add_to_list(target)

    def _receive(self, url: str, part: _PartFile) -> None:
        """Receive all bytes; go on where the connection broke off, until no try brings any bytes."""
        failures = 0
        while True:
            before = part.size_bytes
            try:
                download(url, part.write, USER_POLICY, _BOUNDS, part=part.known, begin=part.begin)
                return
            except (TransferError, RetryLaterError) as exc:
                failures = 1 if part.size_bytes > before else failures + 1
                if failures >= _MAX_TRIES:
                    raise
                asked_s = exc.wait_s if isinstance(exc, ServerBusyError) and exc.wait_s is not None else 0.0
                pause_s = max(asked_s, _FIRST_PAUSE_S * 2 ** (failures - 1))
                if self.stopped.wait(min(pause_s, _LONGEST_PAUSE_S)):
                    raise


def _check(part: Path, target: Path) -> None:
    """Raise if a download is no whole index file of its name."""
    try:
        problem = name_problem(replace(check_content(part), path=target))
    except (KeyError, ValueError, TypeError) as exc:
        raise DataError(f"{target.name}: what the server sent is no index file: choose another --url") from exc
    except DataError as exc:
        raise DataError(f"{target.name}: what the server sent is damaged: {exc}: choose another --url") from exc
    if problem is not None:
        raise DataError(f"{target.name}: what the server sent is another file: {problem}: choose another --url")


def _check_or_discard(part: _PartFile, target: Path) -> None:
    try:
        _check(part.path, target)
    except DataError:
        part.discard()
        raise


class _PartFile:
    """The part of a file that is on the disk; a context manager that locks it against other calls.

    ``was_resumed`` is True if bytes of an earlier call are in it.
    """

    def __init__(self, target: Path) -> None:
        self.path, self._target = part_of(target), target
        self._validator_path = self.path.with_name(f"{self.path.name}.validator")
        self.was_resumed = False

    def __enter__(self) -> _PartFile:
        self._file: BinaryIO = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            self._file.close()
            if exc.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            message = f"{self.path}: another nova index get is downloading this file: wait until it is done"
            raise RetryLaterError(message) from exc
        self._file.seek(0, os.SEEK_END)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def size_bytes(self) -> int:
        """The number of bytes that are there."""
        return self._file.tell()

    @property
    def known(self) -> Part | None:
        """The size and validator for a request that resumes the part; None if it cannot be resumed."""
        try:
            validator = self._validator_path.read_text(encoding="latin-1")
        except OSError:
            return None
        return Part(self.size_bytes, validator) if self.size_bytes and validator else None

    def begin(self, answer: Answer) -> None:
        """Prepare for what a server announces: keep the part if the rest follows, else begin again."""
        if answer.offset > 0:
            self.was_resumed = True
            return
        try:
            self.restart()
            self._validator_path.write_text(answer.validator or "", encoding="latin-1")
        except OSError as exc:
            raise as_output_error(self.path, exc) from exc

    def write(self, chunk: bytes) -> None:
        """Append bytes, unbuffered, so that the size on the disk is the progress."""
        try:
            self._file.write(chunk)
            self._file.flush()
        except OSError as exc:
            raise as_output_error(self.path, exc) from exc

    def restart(self) -> None:
        """Drop all bytes."""
        self.was_resumed = False
        self._validator_path.unlink(missing_ok=True)
        self._file.seek(0)
        self._file.truncate()

    def finish(self) -> None:
        """Give the file its name."""
        os.fsync(self._file.fileno())
        self.path.replace(self._target)
        self._validator_path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the part."""
        self.path.unlink(missing_ok=True)
        self._validator_path.unlink(missing_ok=True)
