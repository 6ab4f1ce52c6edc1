"""The paths that a batch writes to: its ledger, named after the given paths, and each frame's outputs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

from novacli.batch.frames.existing_outputs import check_distinct, existing_error, replaceable
from novacli.batch.frames.listing import SUFFIXES, check_paths
from novacli.batch.records import BatchOutputs, FrameFile
from novacli.config import UserFolders
from novacli.errors import NovaError
from novacli.exports.naming import frame_file, stem
from novacli.exports.registry import export_named
from novacli.files.atomic import NotWritableError, denial
from novacli.files.compression import unpacked_name

#: The ledger's name in the folder of ``--out``.
LEDGER_NAME = ".nova-batch.sqlite"
#: Suffixes in the state directory: of a ledger, and of a symbolic link to a ledger elsewhere.
_LEDGER, _LINK = ".sqlite", ".link"
_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def default_ledger(given: Sequence[str], out_dir: str | None, env: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the ledger for these paths: in the folder of ``--out``, else in the state directory.

    The same paths have the same ledger, in any order and named from any folder.  A picture counts as its folder, so
    that ``night/*.fits`` keeps its ledger when frames are added or removed.  A picture is recognised by its suffix
    alone, because its content cannot be read while its disk is not mounted.

    Parameters
    ----------
    given
        Files and folders as the user named them.
    out_dir
        The folder of ``--out``, None without one.
    env
        The environment, which names the state directory.

    Raises
    ------
    UsageError
        If a path is empty.
    """
    check_paths(given if out_dir is None else (*given, out_dir))
    if out_dir is not None:
        return Path(out_dir) / LEDGER_NAME
    absolute = sorted({_place(os.path.abspath(path)) for path in given})  # noqa: PTH100 - may hold any bytes
    return _batches_dir(env) / f"{_label(absolute)}{_LEDGER}"


def remember(ledger: Path, env: Mapping[str, str] = os.environ) -> None:
    """Make :func:`ledgers` find a ledger outside the state directory, by a link in that directory."""
    home, real = _batches_dir(env), os.path.realpath(ledger)
    if os.path.dirname(real) == os.path.realpath(home):  # noqa: PTH120 - may hold any bytes
        return
    link = home / f"{_label([os.path.dirname(real), real])}{_LINK}"  # noqa: PTH120
    with contextlib.suppress(OSError):  # the link exists already, or cannot be made; frames can be solved without it
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        link.symlink_to(real)


def ledgers(env: Mapping[str, str] = os.environ) -> list[Path]:
    """Return all known ledgers, those in the state directory first; remove links to ledgers that do not exist."""
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
    """Return a file name without suffix that is unique to these absolute paths and resembles the first."""
    digest = hashlib.sha256("\n".join(paths).encode(errors="surrogateescape")).hexdigest()[:16]
    word = _NAME.sub("-", os.path.basename(paths[0]) if paths else "")[:40].strip("-.")  # noqa: PTH119
    return f"{word or 'batch'}-{digest}"


def _place(path: str) -> str:
    return os.path.dirname(path) if unpacked_name(path).endswith(SUFFIXES) else path  # noqa: PTH120


def output_files(frames: Sequence[FrameFile], outputs: BatchOutputs) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the files that are written for each frame, by its path: pairs of output and absolute path.

    The outputs of ``a/img.fits`` are ``a/img.wcs`` and ``a/img.new.fits`` beside it.  Other pictures keep their whole
    name (``img.jpg.wcs``), and so do FITS images whose outputs would have the same name.  Below ``--out``, the files
    are arranged as the frames are below their folder, under that folder's name, and copies have the frames' names.

    Raises
    ------
    UsageError
        If two outputs would be written to one file.
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
    check_distinct(files)
    return files


def denied(frame: FrameFile, files: Sequence[tuple[str, str]], outputs: BatchOutputs) -> NotWritableError | None:
    """Return the error if permissions do not allow to write an output or the frame; None if they do.

    Parameters
    ----------
    frame
        The frame.
    files
        Its outputs: pairs of output and absolute path.
    outputs
        What the run writes for each frame.
    """
    targets = [path for _, path in files]
    # If the frame is gone or may not be read, the error message of the reader is more precise.
    if outputs.update and os.access(frame.path, os.R_OK):
        targets.append(frame.path)
    error = next(filter(None, map(denial, map(Path, targets))), None)
    return None if error is None else with_remedy(error, frame)


def with_remedy(error: NotWritableError, frame: FrameFile) -> NotWritableError:
    """Return the error with a remedy for a batch, whose outputs are not named one by one."""
    path = Path(frame.path)
    if error.target != path:
        remedy = "make it and its folder writable, or write below another folder by --out DIR"
    elif os.access(path.parent, os.W_OK | os.X_OK):
        remedy = "make it writable, or use --wcs or --out DIR in place of --update"
    else:
        remedy = "make it and its folder writable, or use --out DIR in place of --update"
    return type(error)(error.what, remedy, error.target)


def refusal(frame: FrameFile, written: Set[str], outputs: BatchOutputs) -> NovaError | None:
    """Return the error if permissions or existing files prevent the outputs of a frame; None if they do not.

    Parameters
    ----------
    frame
        A frame whose outputs are not written yet.
    written
        The outputs that the ledger lists.
    outputs
        What the run writes for each frame.
    """
    files = output_files([frame], outputs).get(frame.path, ())
    own = replaceable(files, written, None, outputs)
    return denied(frame, files, outputs) or existing_error(frame.path, files, own, outputs)


def _base(frame: FrameFile, out_dir: str | None) -> str:
    """Return the path that the outputs of a frame are named after: its own, or one below ``--out``."""
    if out_dir is None:
        return frame.path
    top = os.path.dirname(frame.root or frame.path)  # noqa: PTH120
    return os.path.join(out_dir, os.path.relpath(frame.path, top))  # noqa: PTH118
