"""Finds the frames of a batch: files that were named, files below folders, and files in lists.

No file is opened here, so that a folder of 20,000 frames is listed within a second.  It imports neither numpy nor
astropy.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from novacli.batch.records import FrameFile, worst_exit_code
from novacli.errors import DeniedError, InputMissingError, RetryLaterError, UsageError
from novacli.files.compression import unpacked_name
from novacli.inputs.registry import FORMATS
from novacli.jobs.filters import parse_time
from novacli.text.printable import shown_name
from novacli.text.quantities import count_text
from solvehost.formats import jobdir
from solvehost.record import record

#: The suffixes, in lower case, by which pictures are found in folders; the suffix of a packed file may follow.
SUFFIXES = tuple(suffix for known in FORMATS for suffix in known.suffixes)
#: Files that nova writes beside a frame or in a job.  In folders they are never frames, even if a pattern matches.
SIDECAR_SUFFIXES = (".wcs", ".corr", ".rdls", ".axy", ".truth.json")
#: A folder that holds both files is a job directory.
_JOB_FILES = (jobdir.REQUEST, jobdir.axy_name(1))
#: Up to this many missing paths of a folder have a remark each; if there are more, they share one.
_REMARKS_PER_FOLDER = 3
#: Errors that last until the user changes something → the exit code; other errors may pass.
_LASTING = {errno.ELOOP: InputMissingError.exit_code, errno.EACCES: DeniedError.exit_code}
#: The ledger stores times as signed 64-bit numbers of nanoseconds; some file systems have later times.
_MAX_NS = 2**63 - 1


@record
class FoundFrames:
    """What a search found.

    ``frames`` are sorted by path, ``remarks`` describe paths that could not be read, and ``folders`` are the real paths
    of the folders that were read.  ``exit_code`` is that of the paths in the remarks: 75 if one of them may be readable
    later without a change by the user, 0 without remarks.
    """

    frames: tuple[FrameFile, ...]
    remarks: tuple[str, ...] = ()
    folders: frozenset[str] = frozenset()
    exit_code: int = 0


@dataclass(slots=True)
class _Search:
    """The state of a search.  ``real`` maps real paths to frames, so that each file is found once."""

    accepts: Callable[[str], bool]
    newer_s: float | None
    exclude: tuple[str, ...]
    real: dict[str, FrameFile] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    #: Folders behind symbolic links, which are read last: (path, the folder that was named).
    links: deque[tuple[str, str]] = field(default_factory=deque)
    remarks: list[str] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)
    exit_codes: set[int] = field(default_factory=set)

    def note_unreadable(self, path: str, exc: OSError | ValueError, others: int = 0) -> None:
        """Add a remark on a path that cannot be read; ``others`` of its folder fail for the same reason."""
        more = f" (and {count_text(others, 'more file')} of this folder)" if others else ""
        self.remarks.append(_unreadable(path, exc) + more)
        self.exit_codes.add(_LASTING.get(getattr(exc, "errno", None) or 0, RetryLaterError.exit_code))

    @property
    def exit_code(self) -> int:
        """The exit code of the paths that could not be read."""
        return RetryLaterError.exit_code if self.missing else worst_exit_code(self.exit_codes)

    def add(self, path: str, real: str, status: os.stat_result, root: str | None) -> None:
        """Add a file.  If it has several names, the real one counts, else the first in alphabetical order."""
        if self.newer_s is not None and status.st_mtime < self.newer_s:
            return
        known = self.real.get(real)
        if known is not None and (known.path == real or (path != real and known.path <= path)):
            return
        self.real[real] = FrameFile(path, status.st_size, _clamped(status.st_mtime_ns), root)

    def excluded_below(self, real_root: str) -> tuple[str, ...]:
        """Return the excluded folders, without those that contain the folder that was named."""
        return tuple(out for out in self.exclude if not _is_in(real_root, out))


def find_frames(
    paths: Sequence[str],
    *,
    patterns: Sequence[str] = (),
    newer_s: float | None = None,
    exclude: Iterable[str | os.PathLike[str]] = (),
) -> FoundFrames:
    """Return the frames at and below paths, each once, in the order of their paths.

    A file that is named is a frame whatever its name or kind; opening it gives the error message.  Folders are searched
    at any depth, through symbolic links too; hidden files, job directories and the files that nova writes beside frames
    are left out.

    Parameters
    ----------
    paths
        Files and folders.
    patterns
        Shell patterns, case-sensitive, for the names of files in folders; by default the suffixes of pictures.
    newer_s
        Only files changed at or after this time, in seconds since 1970.
    exclude
        Files and folders that are left out, because nova writes into them.  One that contains a folder that was named
        is not left out below that folder.

    Raises
    ------
    UsageError
        If a path is empty, a pattern contains a slash, or a folder that was named is one of ``exclude``.
    InputMissingError
        If none of the paths exists.
    DeniedError
        If none of them may be read.
    """
    check_paths(paths)
    left_out = tuple(os.path.realpath(p) for p in exclude)
    search = _Search(_acceptor(patterns), newer_s, left_out)
    reached = 0
    for path in dict.fromkeys(paths):
        reached += _take(_absolute(path), search)
    while search.links:
        _walk(*search.links.popleft(), search)
    search.remarks += _missing_remarks(search.missing)
    if paths and not reached:
        denied = any(reason == errno.EACCES for reason in map(_errno_of, paths))
        raise (DeniedError if denied else InputMissingError)("; ".join(search.remarks))
    frames = sorted(search.real.values(), key=lambda frame: frame.path)
    return FoundFrames(tuple(frames), tuple(search.remarks), frozenset(search.folders), search.exit_code)


def _acceptor(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a test for names of frames; hidden names and files that nova writes beside frames fail it."""
    for pattern in patterns:
        if os.sep in pattern:
            raise UsageError(
                f"pattern {shown_name(pattern)!r} has a slash: patterns are for names alone; name the folder instead"
            )

    def by_suffix(name: str) -> bool:
        return unpacked_name(name).endswith(SUFFIXES)

    def by_pattern(name: str) -> bool:
        return any(fnmatchcase(name, p) for p in patterns) and not name.lower().endswith(SIDECAR_SUFFIXES)

    wanted = by_pattern if patterns else by_suffix
    return lambda name: not name.startswith(".") and wanted(name)


def _absolute(path: str) -> str:
    """Return the absolute path; links are resolved if it has ``..``, which follows the real folder."""
    return os.path.realpath(path) if ".." in path.split("/") else os.path.abspath(path)  # noqa: PTH100


def _clamped(mtime_ns: int) -> int:
    return max(-_MAX_NS, min(mtime_ns, _MAX_NS))


def frame_at(path: str, root: str | None = None) -> FrameFile:
    """Return a file's path, size and time as they are now; raise OSError if it does not exist."""
    status = os.stat(path)  # noqa: PTH116 - a plain string may hold any bytes
    return FrameFile(path, status.st_size, _clamped(status.st_mtime_ns), root)


def identity_of(folder: str) -> tuple[int, int] | None:
    """Return the device and inode of a folder, None if it is gone.

    They distinguish a folder from the empty mount point that takes its place when its disk is unmounted.
    """
    try:
        status = os.stat(folder)  # noqa: PTH116 - a plain string may hold any bytes
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _take(path: str, search: _Search) -> bool:
    """Add a file or folder that the user named; return False if it cannot be read."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError) as exc:
        if getattr(exc, "errno", None) in (errno.ENOENT, errno.ENOTDIR, None):
            search.missing.setdefault(os.path.dirname(path), []).append(path)  # noqa: PTH120
        else:
            search.note_unreadable(path, exc)
        return False
    if stat.S_ISDIR(status.st_mode):
        if os.path.islink(path):  # noqa: PTH114
            search.links.append((path, path))
            return True
        return _walk(path, path, search)
    search.add(path, os.path.realpath(path), status, None)
    return True


def _errno_of(path: str) -> int | None:
    try:
        os.stat(path)  # noqa: PTH116
        os.listdir(path)  # noqa: PTH208
    except OSError as exc:
        return exc.errno
    except ValueError:
        return None
    return None


def _walk(top: str, root: str, search: _Search) -> bool:
    """Add the frames below a folder; return False if the folder itself cannot be listed."""
    real_top = os.path.realpath(top)
    if top == root and real_top in search.exclude:
        raise UsageError(
            f"{shown_name(top)} holds the frames and is the folder of --out: name another folder for --out"
        )
    exclude = search.excluded_below(os.path.realpath(root))
    waiting = [(top, real_top)]
    can_list = True
    while waiting:
        folder, real = waiting.pop()
        if real in search.folders or any(_is_in(real, out) for out in exclude):
            continue
        search.folders.add(real)
        try:
            with os.scandir(folder) as scan:
                entries = list(scan)
        except OSError as exc:
            search.note_unreadable(folder, exc)
            can_list = can_list and folder != top
            continue
        if not set(_JOB_FILES) <= {entry.name for entry in entries}:
            wanted = [entry for entry in entries if not entry.name.startswith(".")]
            waiting += _take_folder(wanted, (real, root), exclude, search)
    return can_list


def _take_folder(
    entries: Sequence[os.DirEntry[str]], where: tuple[str, str], exclude: tuple[str, ...], search: _Search
) -> Iterator[tuple[str, str]]:
    """Add the files among a folder's entries, and yield the folders: (path, real path).

    ``where`` is the folder's real path, and the folder that was named.
    """
    real, root = where
    broken: dict[int | None, list[tuple[str, OSError]]] = {}
    for entry in entries:
        try:
            if entry.is_dir():
                if not entry.is_symlink():
                    yield entry.path, os.path.join(real, entry.name)  # noqa: PTH118
                elif not _is_in(real, os.path.realpath(entry.path)):  # otherwise it is a loop
                    search.links.append((entry.path, root))
            elif search.accepts(entry.name) and entry.is_file():
                real_path = os.path.realpath(entry.path) if entry.is_symlink() else f"{real}{os.sep}{entry.name}"
                if not any(_is_in(real_path, out) for out in exclude):
                    search.add(entry.path, real_path, entry.stat(), root)
        except FileNotFoundError:  # removed since the folder was listed
            continue
        except OSError as exc:
            broken.setdefault(exc.errno, []).append((entry.path, exc))
    for failures in broken.values():
        search.note_unreadable(*min(failures, key=itemgetter(0)), others=len(failures) - 1)


def _is_in(path: str, folder: str) -> bool:
    """Return True if a real path is that of a folder, or lies below it."""
    return f"{path}{os.sep}".startswith(folder.rstrip(os.sep) + os.sep)


def _unreadable(path: str, exc: OSError | ValueError) -> str:
    if isinstance(exc, PermissionError):
        return f"{shown_name(path)} may not be read: check its permissions"
    if isinstance(exc, FileNotFoundError):
        return f"{shown_name(path)} does not exist any more: its frames wait for the next run"
    if getattr(exc, "errno", None) == errno.ELOOP:
        return f"{shown_name(path)} is a loop of symbolic links: remove it"
    reason = getattr(exc, "strerror", None) or str(exc)
    return f"{shown_name(path)} cannot be read: {reason}; check the disk or the mount, its frames wait for the next run"


def _missing_remarks(missing: dict[str, list[str]]) -> list[str]:
    """Return a remark on each missing path, or one on a folder that lacks many."""
    remarks: list[str] = []
    for folder, paths in missing.items():
        if len(paths) <= _REMARKS_PER_FOLDER:
            remarks += [f"{shown_name(path)} is not there: check the path or the mount" for path in paths]
        else:
            words = f"{count_text(len(paths), 'path')} in {shown_name(folder)} are not there"
            remarks.append(f"{words}, such as {shown_name(os.path.basename(paths[0]))}: check the mount")  # noqa: PTH119
    return remarks


def read_list(name: str, stdin: BinaryIO | None = None) -> list[str]:
    """Return the paths in a list, without blank lines and repetitions.

    Parameters
    ----------
    name
        A file with one path a line, or with a NUL after each path as ``find -print0`` writes it; ``-`` is standard
        input.
    stdin
        The stream to read for ``-``, in place of standard input.

    Raises
    ------
    UsageError
        If the name is empty.
    InputMissingError, DeniedError
        If the list does not exist, or may not be read.
    """
    check_paths([name])
    try:
        data = (stdin or sys.stdin.buffer).read() if name == "-" else Path(name).read_bytes()
    except PermissionError as exc:
        raise DeniedError(f"{shown_name(name)} may not be read: check its permissions") from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise InputMissingError(f"{shown_name(name)}: the list cannot be read: {reason}") from exc
    items = data.split(b"\0") if b"\0" in data else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return list(dict.fromkeys(os.fsdecode(item) for item in items if item.strip()))


def parse_newer(text: str, now_s: float | None = None) -> float:
    """Return the time that ``--newer`` means, in seconds since 1970.

    Parameters
    ----------
    text
        An age or a date, as :func:`~novacli.jobs.filters.parse_time` takes it, or a file, whose time counts.
    now_s
        The present time in seconds since 1970, in place of the clock's.

    Raises
    ------
    UsageError
        If the text is none of these.
    """
    with contextlib.suppress(UsageError):
        return parse_time(text, time.time() if now_s is None else now_s)
    try:
        return os.stat(text).st_mtime  # noqa: PTH116
    except (OSError, ValueError):
        shown = shown_name(text)
        raise UsageError(
            f"--newer {shown}: it is neither an age nor a date nor a file: write 12h, 2026-03-01, 2026-03-01T20:00 "
            "or a path"
        ) from None


def is_settled(frame: FrameFile, now_s: float, settle_s: float) -> bool:
    """Return True if a file has not changed for ``settle_s`` seconds; a younger one may be incomplete.

    A time in the future counts by its distance from now.  The clocks of file servers differ by seconds, and then the
    file may be incomplete; the clock of a camera may be wrong by years, and then waiting would not help.
    """
    return abs(now_s - frame.mtime_ns / 1e9) >= settle_s


def check_paths(paths: Iterable[str]) -> None:
    """Raise UsageError if a path is empty, as from an unset variable; it would mean the current folder."""
    if not all(paths):
        raise UsageError("a path is empty: check the variables in your command; write . for the current folder")
