"""The proof: a job is solved end to end by the forced command itself, and a poisoned one does no harm.

A field is drawn from an installed index file, so that its centre is known.  The command runs through the user's own
shell, as sshd runs it, with a state directory that is there for this alone.
"""

from __future__ import annotations

import io
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from solvehost.admin import programs, synthetic_field
from solvehost.admin.accounts import Account, is_root_for
from solvehost.admin.keylines import without_flags
from solvehost.admin.programs import Ran
from solvehost.admin.records import Check
from solvehost.admin.synthetic_field import Frame
from solvehost.errors import SolvehostError
from solvehost.formats import axy, fitsfile
from solvehost.formats.star_table import Stars
from solvehost.indexes.index_file import IndexFile
from solvehost.wire import read_reply, write_request
from solvehost.wire.escaping import escape
from solvehost.wire.reply import Reply

SOLVES, HARMLESS = "a job", "a poisoned job"
_JOB_ID = "solvehost-check"
_PATIENCE_S = 360.0
#: The centre must be found as well as this, in pixels.
_WITHIN_PX = 2.0
#: Cards whose values the engine takes for paths, to be written, read or waited for.
_PATH_CARDS = ("ANSOLVED", "ANWCS", "ANMATCH", "ANRDLS", "ANCORR", "ANSCAMP", "ANSOLVIN", "ANCANCEL")
_CANARY = b"untouched\n"
#: Where the proof is made: its paths must fit into a FITS card, which those of a session's own TMPDIR may not.
_FOLDER = "/tmp"  # noqa: S108 - a fresh directory in it, closed to others
#: Flags that the proof sets itself, and whether they take a value.
_OWN_FLAGS = {"--state": True, "--log": True}


def look(
    account: Account, files: Sequence[IndexFile], program: Sequence[str], words: Sequence[str]
) -> Iterator[Check]:  # fmt: skip
    """Yield whether a drawn field is solved by a program with its flags, and whether a poisoned one is harmless."""
    found = synthetic_field.find_catalogue(files)
    if found is None:
        yield Check(SOLVES, None, "not proven: no index file of the whole sky has magnitudes to draw a field with",
                    "send a job whose answer you know")  # fmt: skip
        return
    file, column = found
    frame = synthetic_field.frame_for(file)
    try:
        stars = synthetic_field.draw(file.path, column, frame)
    except SolvehostError as exc:
        yield Check(SOLVES, None, f"not proven: {exc}", "install astrometry.net's own programs beside the engine")
        return
    attempt = _attempt(frame, stars)
    with _Scratch(account) as scratch:
        command = shlex.join(
            [*program, *without_flags(words, _OWN_FLAGS), "--state", str(scratch.state), "--log", "stderr"]
        )
        yield check_solves(_serve(account, command, axy.to_bytes(attempt)), frame)
        yield check_harmless(scratch, lambda data: _serve(account, command, data), attempt)


def _attempt(frame: Frame, stars: Stars) -> axy.Attempt:
    scale = frame.arcsec_per_pixel
    return axy.Attempt(
        frame.width, frame.height, stars, scales_arcsec_per_pixel=(axy.Range(scale * 0.9, scale * 1.1),),
        schedule=axy.Schedule(label="check"),
    )  # fmt: skip


def _serve(account: Account, command: str, data: bytes) -> Ran:
    """Send one job to the forced command, as sshd would start it."""
    environment = {"HOME": str(account.home), "USER": account.name, "LOGNAME": account.name, "SHELL": account.shell,
                   "SSH_CONNECTION": "127.0.0.1 1 127.0.0.1 22"}  # fmt: skip
    request = b"".join(write_request(_JOB_ID, {1: data}))
    return programs.run([account.shell, "-c", command], account, feed=request, environment=environment,
                        timeout_s=_PATIENCE_S)  # fmt: skip


def check_solves(ran: Ran, frame: Frame) -> Check:
    """A drawn field comes back solved, with the centre that it was drawn with."""
    if ran.exit_code:
        return Check(SOLVES, False, f"the server ends with {ran.exit_code}: {escape(ran.last_remark, 300)}",
                     "see the lines above", ran.exit_code if 64 <= ran.exit_code <= 78 else 70)  # fmt: skip
    reply = _reply(ran)
    if reply.manifest is None or "wcs.fits" not in reply.files:
        reason = reply.manifest.get("reason") if reply.manifest else "it is upstream's script"
        return Check(SOLVES, False, f"a field drawn from an installed index file was not solved ({reason})",
                     "look at the engine and its index files", 69)  # fmt: skip
    header = fitsfile.read_header(io.BytesIO(reply.files["wcs.fits"]))
    centre = synthetic_field.sky_of(header, (frame.width + 1) / 2, (frame.height + 1) / 2)
    off = synthetic_field.separation_arcsec(centre, frame.center_deg)
    detail = f"a drawn field was solved in {reply.manifest['seconds']:.2f} s, its centre {off:.1f} arcseconds off"
    if off > _WITHIN_PX * frame.arcsec_per_pixel:
        return Check(SOLVES, False, f"{detail}: that is wrong", "look at the engine and its index files", 70)
    return Check(SOLVES, True, detail)


def _reply(ran: Ran) -> Reply:
    return read_reply(io.BytesIO(ran.output).read1, _JOB_ID)


def check_harmless(scratch: _Scratch, serve: Callable[[bytes], Ran], attempt: axy.Attempt) -> Check:
    """A star list that names files of the user's, by all the cards that the engine obeys, leaves them alone."""
    ran = serve(poisoned(attempt, scratch.canaries))
    changed = scratch.changed()
    if changed:
        return Check(HARMLESS, False, f"a star list could write to {', '.join(changed)}",
                     "do not serve with this engine, and report it", 70)  # fmt: skip
    if ran.exit_code:
        return Check(
            HARMLESS, None, f"it ends with {ran.exit_code}: {escape(ran.last_remark, 300)}; nothing was touched"
        )
    _reply(ran)
    return Check(HARMLESS, True, f"{len(_PATH_CARDS)} cards with paths of the user's own: none was touched")


def poisoned(attempt: axy.Attempt, canaries: Mapping[str, Path]) -> bytes:
    """Return an axy whose path cards name the canaries."""
    data = axy.to_bytes(attempt)
    header = fitsfile.read_header(io.BytesIO(data))
    cards = [data[at : at + fitsfile.CARD] for at in range(0, header.size, fitsfile.CARD)]
    kept = [card for card in cards if card[:8].rstrip().decode("latin-1") not in (*_PATH_CARDS, "END", "")]
    kept += [fitsfile.card(name, str(path)) for name, path in canaries.items()]
    return fitsfile.end_header(kept) + data[header.size :]


class _Scratch:
    """A directory of the user's for one proof: its state directory, and the canaries beside it."""

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
        self._before = self._look()
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)

    def changed(self) -> list[str]:
        """Return the canaries that are no longer as they were, and files that are new beside them."""
        after = self._look()
        return sorted(name for name in {*self._before, *after} if self._before.get(name) != after.get(name))

    def _look(self) -> dict[str, tuple[int, int, int, bytes]]:
        found = {}
        for path in (self._path / "canaries").iterdir():
            status = path.lstat()
            content = path.read_bytes()[:100] if path.is_file() and not path.is_symlink() else b""
            found[path.name] = (status.st_mode, status.st_size, status.st_mtime_ns, content)
        return found
