"""Which files a batch has: those named, those below folders, those of lists.

Nothing here reads a frame, so that a folder of 20,000 is listed within a second.  Light.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from novacli.batch.records import FrameFile
from novacli.errors import DeniedError, InputMissingError, UsageError
from novacli.files.compression import unpacked_name
from novacli.inputs.registry import FORMATS
from novacli.text.printable import shown_name
from novacli.text.quantities import count_text
from solvehost.formats import jobdir

#: Pictures are looked for in folders by these suffixes, in lower case; each may have that of a packed file behind it.
SUFFIXES = tuple(suffix for known in FORMATS for suffix in known.suffixes)
#: What nova puts beside a frame or writes of a job; in folders never a frame, whatever pattern matches.
SIDECAR_SUFFIXES = (".wcs", ".corr", ".rdls", ".axy", ".truth.json")
#: A folder that holds both is a job.
_JOB_FILES = (jobdir.REQUEST, jobdir.axy_name(1))
#: So many paths that are not there get a remark each, of one folder; more of them share one.
_REMARKS_PER_FOLDER = 3
#: Times beyond this many nanoseconds from 1970 fit into no signed 64-bit number; some file systems have them.
_MOST_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class FoundFrames:
    """The frames, by path, a line each about what could not be looked at, and the real paths of folders looked into."""

    frames: tuple[FrameFile, ...]
    remarks: tuple[str, ...] = ()
    folders: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Search:
    """What is wanted, and what was met so far; ``real`` is by real path, so that each file is there once."""

    accepts: Callable[[str], bool]
    newer_s: float | None
    exclude: tuple[str, ...]
    real: dict[str, FrameFile] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    #: Folders reached by a symbolic link, looked into last: (path, the folder that was given).
    links: deque[tuple[str, str]] = field(default_factory=deque)
    remarks: list[str] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)

    def add(self, path: str, real: str, status: os.stat_result, root: str | None) -> None:
        """Take a file; of several names the real one, else the first by the alphabet."""
        if self.newer_s is not None and status.st_mtime < self.newer_s:
            return
        known = self.real.get(real)
        if known is not None and (known.path == real or (path != real and known.path <= path)):
            return
        self.real[real] = FrameFile(path, status.st_size, _clamped(status.st_mtime_ns), root)

    def excluded_below(self, real_root: str) -> tuple[str, ...]:
        """Return what is left out below a folder that was named: not what that folder itself lies in."""
        return tuple(out for out in self.exclude if not _is_in(real_root, out))


def find_frames(
    paths: Sequence[str],
    *,
    patterns: Sequence[str] = (),
    newer_s: float | None = None,
    exclude: Iterable[str | os.PathLike[str]] = (),
) -> FoundFrames:
    """Return the frames that paths stand for, each once, by path.

    A file that is named is taken whatever its name, and even if it is a pipe: whoever opens it says so.  Of a folder
    all that lies below is looked at, through symbolic links too; hidden files, jobs and nova's sidecars are left out.

    Parameters
    ----------
    paths
        Files and folders.
    patterns
        Shell patterns for the names of files in folders, case told apart; by default the suffixes of pictures.
    newer_s
        Only files changed at or after this time, in seconds since 1970.
    exclude
        Files and folders of which nothing is taken: those that nova writes into.  One that holds a folder that was
        named does not count for that.

    Raises
    ------
    UsageError
        Where a pattern is one for paths, or a folder that was named is one of ``exclude``.
    InputMissingError
        Where nothing of all that was named is there.
    DeniedError
        Where nothing of it may be read.
    """
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
    return FoundFrames(tuple(frames), tuple(search.remarks), frozenset(search.folders))


def _acceptor(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return the test on a file's name; hidden names and sidecars never pass."""
    for pattern in patterns:
        if os.sep in pattern:
            raise UsageError(f"pattern {shown_name(pattern)!r} has a /: it is for names alone; name the folder instead")

    def by_suffix(name: str) -> bool:
        return unpacked_name(name).endswith(SUFFIXES)

    def by_pattern(name: str) -> bool:
        return any(fnmatchcase(name, p) for p in patterns) and not name.lower().endswith(SIDECAR_SUFFIXES)

    wanted = by_pattern if patterns else by_suffix
    return lambda name: not name.startswith(".") and wanted(name)


def _absolute(path: str) -> str:
    """Return the absolute path, symbolic links kept where they do no harm: behind one, ``..`` is another folder."""
    return os.path.realpath(path) if ".." in path.split("/") else os.path.abspath(path)  # noqa: PTH100


def _clamped(mtime_ns: int) -> int:
    return max(-_MOST_NS, min(mtime_ns, _MOST_NS))


def frame_at(path: str, root: str | None = None) -> FrameFile:
    """Return a file as it lies on the disk now; OSError where it is not there."""
    status = os.stat(path)  # noqa: PTH116 - a plain string may hold any bytes
    return FrameFile(path, status.st_size, _clamped(status.st_mtime_ns), root)


def identity_of(folder: str) -> tuple[int, int] | None:
    """Return what tells a folder from the empty one that stands in its place once its disk is gone."""
    try:
        status = os.stat(folder)  # noqa: PTH116 - a plain string may hold any bytes
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _take(path: str, search: _Search) -> bool:
    """Take what the user named; False where it cannot be reached."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError) as exc:
        if getattr(exc, "errno", None) in (errno.ENOENT, errno.ENOTDIR, None):
            search.missing.setdefault(os.path.dirname(path), []).append(path)  # noqa: PTH120
        else:
            search.remarks.append(_unreadable(path, exc))
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
    """Take what lies below a folder; False where not even that one can be listed."""
    real_top = os.path.realpath(top)
    if top == root and real_top in search.exclude:
        raise UsageError(f"{shown_name(top)} is to be read and to be written into: name another folder for --out")
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
            search.remarks.append(_unreadable(folder, exc))
            can_list = can_list and folder != top
            continue
        if not set(_JOB_FILES) <= {entry.name for entry in entries}:
            wanted = [entry for entry in entries if not entry.name.startswith(".")]
            waiting += _take_folder(wanted, (folder, real, root), exclude, search)
    return can_list


def _take_folder(
    entries: Sequence[os.DirEntry[str]], where: tuple[str, str, str], exclude: tuple[str, ...], search: _Search
) -> Iterator[tuple[str, str]]:
    """Take the files among a folder's entries, and yield the folders: (path, real path).

    ``where`` is the folder's path, its real path, and the folder that was named.
    """
    folder, real, root = where
    broken: list[OSError] = []
    for entry in entries:
        try:
            if entry.is_dir():
                if not entry.is_symlink():
                    yield entry.path, os.path.join(real, entry.name)  # noqa: PTH118
                elif not _is_in(real, os.path.realpath(entry.path)):  # or it would be a loop
                    search.links.append((entry.path, root))
            elif search.accepts(entry.name) and entry.is_file():
                real_path = os.path.realpath(entry.path) if entry.is_symlink() else f"{real}{os.sep}{entry.name}"
                if not any(_is_in(real_path, out) for out in exclude):
                    search.add(entry.path, real_path, entry.stat(), root)
        except FileNotFoundError:  # removed since the folder was listed
            continue
        except OSError as exc:
            broken.append(exc)
    if broken:
        words = f"{count_text(len(broken), 'file')} cannot be looked at: {broken[0].strerror}"
        search.remarks.append(f"{shown_name(folder)}: {words}; the rest is taken")


def _is_in(path: str, folder: str) -> bool:
    """Say whether a real path is a folder's, or lies in it."""
    return f"{path}{os.sep}".startswith(folder.rstrip(os.sep) + os.sep)


def _unreadable(path: str, exc: OSError | ValueError) -> str:
    if isinstance(exc, PermissionError):
        return f"{shown_name(path)} may not be read: check its permissions"
    if isinstance(exc, FileNotFoundError):
        return f"{shown_name(path)} is not there any more: its frames wait for the next run"
    reason = getattr(exc, "strerror", None) or str(exc)
    return f"{shown_name(path)} cannot be read: {reason}; check the disk or the mount, its frames wait for the next run"


def _missing_remarks(missing: dict[str, list[str]]) -> list[str]:
    """Return the lines about paths that are not there: one each, or one for a folder that lacks many."""
    remarks: list[str] = []
    for folder, paths in missing.items():
        if len(paths) <= _REMARKS_PER_FOLDER:
            remarks += [f"{shown_name(path)} is not there: check the path or the mount" for path in paths]
        else:
            words = f"{count_text(len(paths), 'path')} in {shown_name(folder)} are not there"
            remarks.append(f"{words}, such as {shown_name(os.path.basename(paths[0]))}: check the mount")  # noqa: PTH119
    return remarks


def read_list(name: str, stdin: BinaryIO | None = None) -> list[str]:
    """Return the paths in a list: one a line, or NUL after each as ``find -print0`` has it; ``-`` is standard input.

    Blank lines and repetitions are dropped.

    Raises
    ------
    InputMissingError, DeniedError
        Where the list is not there, or may not be read.
    """
    try:
        data = (stdin or sys.stdin.buffer).read() if name == "-" else Path(name).read_bytes()
    except PermissionError as exc:
        raise DeniedError(f"{shown_name(name)} may not be read: check its permissions") from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise InputMissingError(f"{shown_name(name)}: the list cannot be read: {reason}") from exc
    items = data.split(b"\0") if b"\0" in data else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return list(dict.fromkeys(os.fsdecode(item) for item in items if item.strip()))


def parse_newer(text: str) -> float:
    """Return the time that ``--newer`` stands for, in seconds since 1970: a date, with or without time, or a file's.

    A time without a zone is this machine's.

    Raises
    ------
    UsageError
        Where it is neither.
    """
    with contextlib.suppress(ValueError, OverflowError):
        return datetime.fromisoformat(text.strip()).timestamp()
    try:
        return os.stat(text).st_mtime  # noqa: PTH116
    except (OSError, ValueError):
        shown = shown_name(text)
        raise UsageError(
            f"--newer {shown}: that is no date and no file: write 2026-03-01, 2026-03-01T20:00 or a path"
        ) from None


def is_settled(frame: FrameFile, now_s: float, settle_s: float) -> bool:
    """Say whether a file has been let be for ``settle_s`` seconds; one younger may still be being written.

    A time in the future counts as its distance from now: clocks of servers differ by seconds, which is no reason to
    take a file too early, and a camera's may be wrong by years, which is none to wait for.
    """
    return abs(now_s - frame.mtime_ns / 1e9) >= settle_s
