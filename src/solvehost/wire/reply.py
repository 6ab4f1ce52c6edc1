"""The reply: an archive whose first member, the manifest, says what the others are.

A server that runs upstream's script sends no manifest but whatever lay in its directory; that is read, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from solvehost.errors import CrashError, DataError
from solvehost.formats.jobdir import LOG, MANIFEST, MANIFEST_FORMAT, OUTPUTS, WCS
from solvehost.wire.escape import escape
from solvehost.wire.tarblocks import MIB, Read, Rules, read_tar, tar_length, write_tar

MAX_MEMBER_BYTES = 32 * MIB
MAX_REPLY_BYTES = 64 * MIB
MAX_MANIFEST_BYTES = MIB

STATUSES = ("solved", "unsolved")
REASONS = ("none", "exhausted", "time-limit", "cancelled")

_FILES = (LOG, *OUTPUTS)
_RULES = Rules(frozenset((MANIFEST, *_FILES)), MAX_MEMBER_BYTES, MAX_REPLY_BYTES, drops_others=True)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Reply(NamedTuple):
    """What a server made of a job: its manifest (None: upstream's script, which has none) and files by name."""

    manifest: dict[str, Any] | None
    files: dict[str, bytes]

    @property
    def is_legacy(self) -> bool:
        """Whether it came from upstream's script."""
        return self.manifest is None


def read_reply(read: Read, job_id: str) -> Reply:
    """Read the whole reply to job ``job_id``, to the end of the stream.

    Of upstream's script only the result files are kept: the log that it returns may be that of an earlier job.

    Raises
    ------
    NoInputError
        Where there is nothing in it.
    DataError
        Where it is damaged, or does not agree with itself, or is another job's.
    """
    archive = read_tar(read, _RULES)
    if archive.members[0] != MANIFEST:
        return Reply(None, {name: archive.files[name] for name in OUTPUTS if name in archive.files})
    manifest = _parse_manifest(archive.files.pop(MANIFEST))
    if manifest["id"] != job_id:
        raise DataError(f"the reply is to another job, '{escape(manifest['id'])}': the server is not to be trusted")
    _check_files(manifest, archive.files)
    return Reply(manifest, archive.files)


def write_reply(manifest: Mapping[str, Any], files: Mapping[str, bytes], *, mtime_s: int = 0) -> Iterator[bytes]:
    """Return the pieces of a reply: the manifest first, the WCS last.

    Raises
    ------
    CrashError
        Where a client would refuse it; raised by the call itself, before the first piece.
    """
    try:
        return write_tar(_checked_members(manifest, files).items(), mtime_s)
    except (DataError, TypeError, ValueError) as exc:
        raise CrashError(f"the result cannot be sent: {escape(str(exc), 200)}") from exc


def _checked_members(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, bytes]:
    text = json.dumps(manifest, allow_nan=False).encode("ascii") + b"\n"
    _check_files(_parse_manifest(text), files)
    members = {MANIFEST: text} | {name: files[name] for name in _FILES if name in files}
    if max(map(len, members.values())) > MAX_MEMBER_BYTES or tar_length(members.values()) > MAX_REPLY_BYTES:
        raise DataError(f"it is longer than {MAX_MEMBER_BYTES:,} bytes a file, or {MAX_REPLY_BYTES:,} together")
    return members


def _parse_manifest(text: bytes) -> dict[str, Any]:
    """Return a manifest whose known keys are of the right kind and agree with one another."""
    if len(text) > MAX_MANIFEST_BYTES:
        raise DataError(f"the manifest is longer than {MAX_MANIFEST_BYTES:,} bytes")
    try:
        manifest = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise DataError("the manifest is no JSON that can be read") from exc
    if not isinstance(manifest, dict) or not _is_whole(manifest.get("format")):
        raise DataError("the manifest is no JSON object with a format in it")
    if manifest["format"] != MANIFEST_FORMAT:
        raise DataError(
            f"the manifest is of format {manifest['format']}, and {MANIFEST_FORMAT} is known: update the older side"
        )
    for key, is_right in _KEYS.items():
        if not is_right(manifest.get(key)):
            raise DataError(f"the manifest has no '{key}' that can be used")
    if (manifest["status"] == "solved") != (manifest["reason"] == "none"):
        raise DataError("the manifest's status and reason do not agree")
    if (manifest["status"] == "solved") != (WCS in manifest["files"]):
        raise DataError(f"the manifest's status and files do not agree: {WCS} goes with a solved job")
    return manifest


def _check_files(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Hold files to be those, of the names that are known, that the manifest describes."""
    import hashlib

    for name in _FILES:
        described, content = manifest["files"].get(name), files.get(name)
        if described is None and content is None:
            continue
        if described is None or content is None:
            raise DataError(f"{name} is {'not in the manifest' if content is not None else 'missing'}")
        if described["size"] != len(content) or described["sha256"] != hashlib.sha256(content).hexdigest():
            raise DataError(f"{name} is not the file that the manifest describes")


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_attempt(value: object) -> bool:
    return (
        isinstance(value, dict)
        and _is_whole(value.get("number"))
        and _is_text(value.get("label"))
        and _is_text(value.get("outcome"))
        and _is_seconds(value.get("seconds"))
        and _is_seconds(value.get("cpu_s"))
    )


def _is_file(value: object) -> bool:
    return (
        isinstance(value, dict)
        and _is_whole(value.get("size"))
        and _is_text(value.get("sha256"))
        and _SHA256.fullmatch(value["sha256"]) is not None
    )


_KEYS = {
    "id": _is_text,
    "client": _is_text,
    "status": lambda v: v in STATUSES,
    "reason": lambda v: v in REASONS,
    "winner": lambda v: v is None or _is_whole(v),
    "attempts": lambda v: isinstance(v, list) and all(map(_is_attempt, v)),
    "indexes": lambda v: isinstance(v, dict) and _is_texts(v.get("loaded")) and _is_texts(v.get("failed")),
    "files": lambda v: isinstance(v, dict) and all(map(_is_file, v.values())),
    "engine": _is_text,
    "version": _is_text,
    "seconds": _is_seconds,
    "cpu_s": _is_seconds,
}
