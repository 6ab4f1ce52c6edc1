"""Where a batch puts things: its ledger by the paths that were given, the outputs of each frame by the frame's name."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from novacli.batch.frames.listing import SUFFIXES
from novacli.batch.records import BatchOutputs, FrameFile
from novacli.config import UserFolders
from novacli.errors import UsageError
from novacli.exports.naming import frame_file, stem
from novacli.exports.registry import export_named
from novacli.files.atomic import NotWritableError, denial
from novacli.files.compression import unpacked_name
from novacli.text.printable import shown_name

#: Below the folder of ``--out``.
LEDGER_NAME = ".nova-batch.sqlite"
#: In the state directory: a ledger that lies there, and a symbolic link to one that lies elsewhere.
_LEDGER, _LINK = ".sqlite", ".link"
_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def default_ledger(given: Sequence[str], out_dir: str | None, env: Mapping[str, str] = os.environ) -> Path:
    """Return the ledger of the paths that were given: in the folder of ``--out``, else in the state directory.

    The same paths, in whatever order and from whichever folder they are named, have the same ledger.  A picture counts
    as the folder that it is in, so that ``night/*.fits`` has its ledger again when frames have come or gone; what is a
    picture is told by its suffix, since of a mount that has vanished nothing else can be told.
    """
    if out_dir is not None:
        return Path(out_dir) / LEDGER_NAME
    absolute = sorted({_place(os.path.abspath(path)) for path in given})  # noqa: PTH100 - may hold any bytes
    return _batches_dir(env) / f"{_label(absolute)}{_LEDGER}"


def remember(ledger: Path, env: Mapping[str, str] = os.environ) -> None:
    """Have :func:`ledgers` find a ledger wherever it lies: outside of the state directory, by a link there."""
    home, real = _batches_dir(env), os.path.realpath(ledger)
    if os.path.dirname(real) == os.path.realpath(home):  # noqa: PTH120 - may hold any bytes
        return
    link = home / f"{_label([os.path.dirname(real), real])}{_LINK}"  # noqa: PTH120
    with contextlib.suppress(OSError):  # it is there already; or cannot be, which is no reason not to solve
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        link.symlink_to(real)


def ledgers(env: Mapping[str, str] = os.environ) -> list[Path]:
    """Return all ledgers that are known of, those in the state directory first; forget those that are gone."""
    home = _batches_dir(env)
    found = sorted(home.glob(f"*{_LEDGER}"))
    for link in sorted(home.glob(f"*{_LINK}")):
        with contextlib.suppress(OSError):
            if os.path.isfile(link):  # noqa: PTH113 - never raises
                found.append(link.readlink())
            else:
                link.unlink()
    return found


def _batches_dir(env: Mapping[str, str]) -> Path:
    return UserFolders.from_environment(env).state / "batches"


def _label(paths: Sequence[str]) -> str:
    """Return a file's name without suffix that stands for absolute paths, and tells a person of the first one."""
    digest = hashlib.sha256("\n".join(paths).encode(errors="surrogateescape")).hexdigest()[:16]
    word = _NAME.sub("-", os.path.basename(paths[0]) if paths else "")[:40].strip("-.")  # noqa: PTH119
    return f"{word or 'batch'}-{digest}"


def _place(path: str) -> str:
    return os.path.dirname(path) if unpacked_name(path).endswith(SUFFIXES) else path  # noqa: PTH120


def output_files(frames: Sequence[FrameFile], outputs: BatchOutputs) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return which files are written for each frame, by its path: pairs of output and absolute path.

    ``a/img.fits`` has ``a/img.wcs`` and ``a/img.new.fits`` beside it; other pictures keep their whole name
    (``img.jpg.wcs``), and so do FITS images that would share one.  Below ``--out``, frames lie as below their folder,
    under that folder's own name, and copies are called as the frames.

    Raises
    ------
    UsageError
        Where two frames would be written to one file all the same.
    """
    if not outputs.kinds:
        return {}
    bases = {frame.path: _base(frame, outputs.out_dir) for frame in frames}
    stems = {path: stem(base) for path, base in bases.items()}
    shared = Counter(stems.values())
    named = {path: short if shared[short] == 1 else bases[path] for path, short in stems.items()}
    exports = [export_named(kind) for kind in outputs.kinds]
    is_below_out = outputs.out_dir is not None
    files = {
        path: tuple((e.name, frame_file(e, base, named[path], is_below_out=is_below_out)) for e in exports)
        for path, base in bases.items()
    }
    _check_unique(files)
    return files


def denied(frame: FrameFile, files: Sequence[tuple[str, str]], outputs: BatchOutputs) -> NotWritableError | None:
    """Return why permissions keep ``files`` from being written, or the frame itself; None where they do not.

    Of a frame that is gone or may not be read, whoever reads it says more.
    """
    targets = [path for _, path in files]
    if outputs.update and os.access(frame.path, os.R_OK):
        targets.append(frame.path)
    return next(filter(None, map(denial, map(Path, targets))), None)


def may_write(frame: FrameFile, outputs: BatchOutputs) -> bool:
    """Say whether permissions allow all that is written of a frame, as far as they tell."""
    return denied(frame, output_files([frame], outputs).get(frame.path, ()), outputs) is None


def _base(frame: FrameFile, out_dir: str | None) -> str:
    """Return the frame's path as it is beside it or below ``--out``."""
    if out_dir is None:
        return frame.path
    top = os.path.dirname(frame.root or frame.path)  # noqa: PTH120
    return os.path.join(out_dir, os.path.relpath(frame.path, top))  # noqa: PTH118


def _check_unique(files: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    seen: dict[str, str] = {}
    for frame, written in files.items():
        for _, path in written:
            if path in seen:
                first, second = shown_name(seen[path]), shown_name(frame)
                raise UsageError(f"{first} and {second} would both be written to {shown_name(path)}: run them apart")
            seen[path] = frame
