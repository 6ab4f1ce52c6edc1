"""The reply: an archive whose first member, the manifest, describes the others.

A server that runs upstream's script sends no manifest, but whatever files lie in its directory; they are read as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from solvehost.errors import DataError, InternalError
from solvehost.formats.jobdir import LOG, MANIFEST, MANIFEST_FORMAT, OUTPUTS, WCS
from solvehost.wire.escaping import escape
from solvehost.wire.json_types import (
    Predicate,
    is_integer,
    is_list_of,
    is_none_or,
    is_number_below,
    is_number_from,
    is_object_of,
    is_text,
)
from solvehost.wire.tarblocks import MIB, Read, Rules, read_tar, tar_length, write_tar

MAX_MEMBER_BYTES = 32 * MIB
MAX_REPLY_BYTES = 64 * MIB
MAX_MANIFEST_BYTES = MIB

STATUSES = ("solved", "unsolved")
REASONS = ("none", "exhausted", "time-limit", "cancelled")

_FILES = (LOG, *OUTPUTS)
_RULES = Rules(frozenset((MANIFEST, *_FILES)), MAX_MEMBER_BYTES, MAX_REPLY_BYTES, skip_others=True)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Reply(NamedTuple):
    """A server's reply: the manifest (None from upstream's script, which sends none) and the files by name."""

    manifest: dict[str, Any] | None
    files: dict[str, bytes]

    @property
    def is_legacy(self) -> bool:
        """Whether the reply came from upstream's script."""
        return self.manifest is None


def read_reply(read: Read, job_id: str) -> Reply:
    """Read the whole reply to a job, up to the end of the stream.

    Only result files are taken from upstream's script: the log that it returns may be the log of an earlier job.

    Parameters
    ----------
    read
        Source of the stream.
    job_id
        Id of the job that was sent.

    Raises
    ------
    InputMissingError
        If the reply is empty.
    DataError
        If the reply is damaged, contradicts itself, or belongs to another job.
    """
    archive = read_tar(read, _RULES)
    if archive.members[0] != MANIFEST:
        return Reply(None, {name: archive.files[name] for name in OUTPUTS if name in archive.files})
    manifest = _parse_manifest(archive.files.pop(MANIFEST))
    if manifest["id"] != job_id:
        raise DataError(f"the server replied to another job, '{escape(manifest['id'])}': do not trust this server")
    _check_files(manifest, archive.files)
    return Reply(manifest, archive.files)


def write_reply(manifest: Mapping[str, Any], files: Mapping[str, bytes], *, mtime_s: int = 0) -> Iterator[bytes]:
    """Return the pieces of a reply: the manifest first, the WCS last.

    Parameters
    ----------
    manifest
        The content of ``manifest.json``.
    files
        Contents of the result files by name.
    mtime_s
        Modification time of all members, in seconds since 1970.

    Raises
    ------
    InternalError
        If a client would refuse the reply.  The call itself raises it, before the first piece.
    """
    try:
        return write_tar(_checked_members(manifest, files).items(), mtime_s)
    except (DataError, TypeError, ValueError) as exc:
        raise InternalError(f"the result cannot be sent: {escape(str(exc), 200)}") from exc


def _checked_members(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, bytes]:
    text = json.dumps(manifest, allow_nan=False).encode("ascii") + b"\n"
    _check_files(_parse_manifest(text), files)
    members = {MANIFEST: text} | {name: files[name] for name in _FILES if name in files}
    if max(map(len, members.values())) > MAX_MEMBER_BYTES or tar_length(members.values()) > MAX_REPLY_BYTES:
        raise DataError(f"a file is longer than {MAX_MEMBER_BYTES:,} bytes, or all together than {MAX_REPLY_BYTES:,}")
    return members


def _parse_manifest(text: bytes) -> dict[str, Any]:
    """Parse a manifest; check that its known keys have the right types and agree with one another."""
    if len(text) > MAX_MANIFEST_BYTES:
        raise DataError(f"the manifest is longer than {MAX_MANIFEST_BYTES:,} bytes")
    try:
        manifest = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise DataError("the manifest is not valid JSON") from exc
    if not isinstance(manifest, dict) or not is_integer(manifest.get("format")):
        raise DataError("the manifest is not a JSON object with a format number")
    if manifest["format"] != MANIFEST_FORMAT:
        raise DataError(
            f"the manifest has format {manifest['format']} instead of {MANIFEST_FORMAT}: update the older side"
        )
    for key, is_valid in _KEYS.items():
        if not is_valid(manifest.get(key)):
            raise DataError(f"the manifest has no usable '{key}'")
    if (manifest["status"] == "solved") != (manifest["reason"] == "none"):
        raise DataError("the manifest's status and reason contradict each other")
    if (manifest["status"] == "solved") != (WCS in manifest["files"]):
        raise DataError(f"the manifest's status and files contradict each other: a solved job, and no other, has {WCS}")
    return manifest


def _check_files(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Raise if the files, of the known names, are not those that the manifest describes."""
    import hashlib

    for name in _FILES:
        described, content = manifest["files"].get(name), files.get(name)
        if described is None and content is None:
            continue
        if described is None or content is None:
            raise DataError(f"{name} is {'not in the manifest' if content is not None else 'missing'}")
        if described["size"] != len(content) or described["sha256"] != hashlib.sha256(content).hexdigest():
            raise DataError(f"{name} differs from the file that the manifest describes")


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not valid JSON")


_is_seconds = is_number_below(1e9)
_is_list_of_texts = is_list_of(is_text)


def _is_attempt(value: object) -> bool:
    return (
        isinstance(value, dict)
        and is_integer(value.get("number"))
        and is_text(value.get("label"))
        and is_text(value.get("outcome"))
        and _is_seconds(value.get("seconds"))
        and _is_seconds(value.get("cpu_s"))
    )


def _is_file(value: object) -> bool:
    return (
        isinstance(value, dict)
        and is_integer(value.get("size"))
        and is_text(value.get("sha256"))
        and _SHA256.fullmatch(value["sha256"]) is not None
    )


def _is_indexes(value: object) -> bool:
    return isinstance(value, dict) and all(_is_list_of_texts(value.get(key)) for key in ("loaded", "failed"))


_CANDIDATE: dict[str, Predicate] = {
    "number": is_integer,
    "label": is_text,
    "logodds": is_number_from(-1e9, 1e9),
    "ra_deg": is_number_from(0, 360),
    "dec_deg": is_number_from(-90, 90),
    "pixscale_arcsec": is_number_from(1e-9, 1e9),
}


def _is_candidate(value: object) -> bool:
    return isinstance(value, dict) and all(is_valid(value.get(key)) for key, is_valid in _CANDIDATE.items())


_KEYS: dict[str, Predicate] = {
    "id": is_text,
    "client": is_text,
    "status": lambda v: v in STATUSES,
    "reason": lambda v: v in REASONS,
    "winner": is_none_or(is_integer),
    "attempts": is_list_of(_is_attempt),
    "indexes": _is_indexes,
    "files": is_object_of(_is_file),
    "engine": is_text,
    "version": is_text,
    "seconds": _is_seconds,
    "cpu_s": _is_seconds,
    "candidate": is_none_or(_is_candidate),  # servers of earlier versions do not have it
}
