"""Trial jobs: the forced command must solve a synthetic field, and a poisoned star list must do no harm.

The field is made from an installed index file, so its centre is known.  The command runs through the user's own shell,
as sshd runs it, with a temporary state directory.
"""

from __future__ import annotations

import io
import os
import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from solvehost.admin import programs, synthetic_field
from solvehost.admin.accounts import Account, is_root_for
from solvehost.admin.keylines import without_flags
from solvehost.admin.programs import ProgramResult
from solvehost.admin.records import Finding
from solvehost.admin.synthetic_field import FieldGeometry
from solvehost.errors import NovaError
from solvehost.formats import axy, fitsfile
from solvehost.formats.star_table import Stars
from solvehost.formats.trees import remove_tree
from solvehost.indexes.index_file import IndexFile
from solvehost.wire.escaping import escape
from solvehost.wire.reply import Reply, read_reply
from solvehost.wire.request import write_request

SOLVES, HARMLESS = "a job", "a poisoned job"
_JOB_ID = "solvehost-check"
_TIMEOUT_S = 360.0
#: Largest accepted error of the centre, in pixels.
_MAX_ERROR_PX = 2.0
#: Cards whose values the engine takes as paths to write, to read or to watch.
_PATH_CARDS = ("ANSOLVED", "ANWCS", "ANMATCH", "ANRDLS", "ANCORR", "ANSCAMP", "ANSOLVIN", "ANCANCEL")
_CANARY = b"untouched\n"
#: Parent of the temporary directory: its paths must fit into a FITS card, which those in TMPDIR may not.
_FOLDER = "/tmp"  # noqa: S108 - a new directory in it, closed to other users
#: Flags that the trial sets itself, and whether each takes a value.
_OWN_FLAGS = {"--state": True, "--log": True}


def check(
    account: Account, files: Sequence[IndexFile], program: Sequence[str], words: Sequence[str]
) -> Iterator[Finding]:  # fmt: skip
    """Yield whether a program with its flags solves a synthetic field, and whether a poisoned star list is harmless.

    Parameters
    ----------
    account
        The user that the server runs as.
    files
        The index files that the engine uses.
    program
        Words that start the program.
    words
        Words of its flags.
    """
    field = make_field(files, SOLVES)
    if isinstance(field, Finding):
        yield field
        return
    geometry, attempt = field
    with _Scratch(account) as scratch:
        flags = [*without_flags(words, _OWN_FLAGS), "--state", str(scratch.state), "--log", "stderr"]
        command = shlex.join([*program, *flags])
        yield check_solves(_send(account, command, axy.to_bytes(attempt)), geometry)
        yield check_harmless(scratch, lambda data: _send(account, command, data), attempt)


def make_field(files: Sequence[IndexFile], name: str) -> tuple[FieldGeometry, axy.Attempt] | Finding:
    """Return a synthetic field, and a star list of it; a finding with this name if none can be made."""
    catalogue = synthetic_field.find_catalogue(files)
    if catalogue is None:
        return Finding(name, None, "not proven: no index file of the whole sky has magnitudes, which the test field "
                       "needs", "send a job whose solution you know")  # fmt: skip
    file, column = catalogue
    geometry = synthetic_field.geometry_for(file)
    try:
        stars = synthetic_field.make_stars(file.path, column, geometry)
    except NovaError as exc:
        return Finding(name, None, f"not proven: {exc}", "install all programs of astrometry.net beside the engine")
    return geometry, _attempt(geometry, stars)


def _attempt(geometry: FieldGeometry, stars: Stars) -> axy.Attempt:
    scale = geometry.arcsec_per_pixel
    return axy.Attempt(
        geometry.width, geometry.height, stars, scales_arcsec_per_pixel=(axy.Range(scale * 0.9, scale * 1.1),),
        schedule=axy.Schedule(label="check"),
    )  # fmt: skip


def _send(account: Account, command: str, data: bytes) -> ProgramResult:
    """Send one job to the forced command, started as sshd would start it."""
    environment = {"HOME": str(account.home), "USER": account.name, "LOGNAME": account.name, "SHELL": account.shell,
                   "SSH_CONNECTION": "127.0.0.1 1 127.0.0.1 22"}  # fmt: skip
    return send([account.shell, "-c", command], data, account, environment)


def send(
    command: Sequence[str], data: bytes, account: Account | None = None, environment: Mapping[str, str] | None = None
) -> ProgramResult:
    """Send one job to a program that serves it.

    Parameters
    ----------
    command
        The program and its arguments.
    data
        The axy file.
    account
        The user to run it as, if this process is root; by default, the user of this process.
    environment
        Its environment, in addition to PATH and LC_ALL.
    """
    request = b"".join(write_request(_JOB_ID, {1: data}))
    return programs.run(command, account, stdin=request, environment=environment, timeout_s=_TIMEOUT_S)


def check_solves(result: ProgramResult, geometry: FieldGeometry, name: str = SOLVES) -> Finding:
    """Check that the reply solves the field, with its true centre; return a finding with this name."""
    if result.exit_code:
        code = result.exit_code if 64 <= result.exit_code <= 78 else NovaError.exit_code
        detail = f"the server failed with exit code {result.exit_code}: {escape(result.last_line, 300)}"
        return Finding(name, False, detail, "first correct what failed above", code)
    reply = _reply(result)
    if reply.manifest is None or "wcs.fits" not in reply.files:
        reason = reply.manifest.get("reason") if reply.manifest else "the reply is that of upstream's script"
        return Finding(name, False, f"the server did not solve a field made from an index file ({reason})",
                       "check the engine and its index files", 69)  # fmt: skip
    header = fitsfile.read_header(io.BytesIO(reply.files["wcs.fits"]))
    centre = synthetic_field.pixel_to_sky(header, (geometry.width + 1) / 2, (geometry.height + 1) / 2)
    error_arcsec = synthetic_field.separation_arcsec(centre, geometry.center_deg)
    detail = (
        f"a test field was solved in {reply.manifest['seconds']:.2f} s, with its centre {error_arcsec:.1f} arcsec off"
    )
    if error_arcsec > _MAX_ERROR_PX * geometry.arcsec_per_pixel:
        return Finding(name, False, f"{detail}, which is wrong", "check the engine and its index files", 70)
    return Finding(name, True, detail)


def _reply(result: ProgramResult) -> Reply:
    return read_reply(io.BytesIO(result.stdout).read1, _JOB_ID)


def check_harmless(scratch: _Scratch, send: Callable[[bytes], ProgramResult], attempt: axy.Attempt) -> Finding:
    """Check that a star list with paths of canary files, in all cards that the engine obeys, changes none of them.

    Parameters
    ----------
    scratch
        The directory with the canary files.
    send
        Sends an axy file to the server.
    attempt
        The star list, without paths.
    """
    result = send(poisoned(attempt, scratch.canaries))
    changed = scratch.changed()
    if changed:
        return Finding(HARMLESS, False, f"a star list could write to {', '.join(changed)}",
                       "stop serving with this engine, and report it", 70)  # fmt: skip
    if result.exit_code:
        detail = f"no file was touched, but the server failed with exit code {result.exit_code}: "
        return Finding(HARMLESS, None, f"{detail}{escape(result.last_line, 300)}", "first correct what failed above")
    _reply(result)
    return Finding(HARMLESS, True, f"a star list named files in {len(_PATH_CARDS)} cards, and none was touched")


def poisoned(attempt: axy.Attempt, canaries: Mapping[str, Path]) -> bytes:
    """Return an axy file whose path cards name the canary files."""
    data = axy.to_bytes(attempt)
    header = fitsfile.read_header(io.BytesIO(data))
    cards = [data[at : at + fitsfile.CARD] for at in range(0, header.size, fitsfile.CARD)]
    kept = [card for card in cards if card[:8].rstrip().decode("latin-1") not in (*_PATH_CARDS, "END", "")]
    kept += [fitsfile.card(name, str(path)) for name, path in canaries.items()]
    return fitsfile.end_header(kept) + data[header.size :]


class _Scratch:
    """A temporary directory of the user, with a state directory, and canary files that the server must not touch."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._path = Path(tempfile.mkdtemp(prefix="solvehost-", dir=_FOLDER))
        self.state = self._path / "state"
        self.canaries = {name: self._path / "canaries" / name for name in _PATH_CARDS}

    def __enter__(self) -> _Scratch:
        for folder in (self.state, self._path / "canaries"):
            folder.mkdir(mode=0o700)
        for path in self.canaries.values():
            path.write_bytes(_CANARY)
        for path in (self._path, self.state, self._path / "canaries", *self.canaries.values()):
            if is_root_for(self._account):
                os.chown(path, self._account.uid, self._account.gid)
        self._before = self._snapshot()
        return self

    def __exit__(self, *_: object) -> None:
        remove_tree(self._path)

    def changed(self) -> list[str]:
        """Return the names of canary files that have changed, and of new files beside them."""
        after = self._snapshot()
        return sorted(name for name in {*self._before, *after} if self._before.get(name) != after.get(name))

    def _snapshot(self) -> dict[str, tuple[int, int, int, bytes]]:
        """Return mode, size, time of change and content of each file beside the canaries, by name."""
        files = {}
        for path in (self._path / "canaries").iterdir():
            status = path.lstat()
            content = path.read_bytes()[:100] if path.is_file() and not path.is_symlink() else b""
            files[path.name] = (status.st_mode, status.st_size, status.st_mtime_ns, content)
        return files
