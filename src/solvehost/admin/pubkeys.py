"""OpenSSH public keys: one line of text, held to be exactly one key of a type that is in use and whole.

Source: RFC 4253 section 6.6 (RSA), RFC 5656 section 3.1 (ECDSA), RFC 8709 (Ed25519), OpenSSH's PROTOCOL.u2f (sk-…).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path

from solvehost.errors import DataError, NoInputError
from solvehost.wire.escaping import escape

_MAX_FILE_BYTES = 64 * 1024
_MAX_COMMENT = 100
_LEAST_RSA_BITS = 2048
_CURVE_BYTES = {"nistp256": 32, "nistp384": 48, "nistp521": 66}
#: Every type that may be authorized; certificates and DSA are none.
TYPES = (
    "ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com", "ssh-rsa",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key: its type, the key itself in base64, and a comment of printable ASCII."""

    kind: str
    base64: str
    comment: str = ""

    @property
    def text(self) -> str:
        """The line."""
        return " ".join(word for word in (self.kind, self.base64, self.comment) if word)

    @property
    def fingerprint(self) -> str:
        """What ``ssh-keygen -l`` shows."""
        digest = hashlib.sha256(base64.b64decode(self.base64)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def read(path: Path) -> PublicKey:
    """Return the one key in a file.

    Raises
    ------
    NoInputError
        Where the file cannot be read.
    DataError
        Where it is not exactly one public key.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise NoInputError(f"{path}: {exc.strerror}: name the file of a public key (KEY.pub)") from exc
    try:
        return parse_file(data)
    except DataError as exc:
        raise DataError(f"{path}: {exc}") from exc


def parse_file(data: bytes) -> PublicKey:
    """Return the one key in a file's bytes; blank lines and comments aside, there is nothing else in it."""
    if b"PRIVATE KEY" in data[:_MAX_FILE_BYTES]:
        raise DataError("this is a private key, which stays where it is: give the file that ends in .pub")
    if len(data) > _MAX_FILE_BYTES or b"\0" in data:
        raise DataError("this is no public key")
    lines = [line.strip() for line in data.decode("utf-8", "surrogateescape").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if len(lines) != 1:
        raise DataError(f"there are {len(lines)} keys in it, where there must be exactly one")
    return parse(lines[0])


def parse(line: str) -> PublicKey:
    """Return the key that a line without options is."""
    kind, *rest = line.split(None, 2)
    if kind not in TYPES:
        if any(word in TYPES for word in line.split()[1:]):
            raise DataError("there are options before the key: remove them, they are written by authorize itself")
        raise DataError(f"'{escape(kind, 40)}' is no type of key that is served: it must be one of {', '.join(TYPES)}")
    if not rest:
        raise DataError("the key is cut short after its type")
    try:
        blob = base64.b64decode(rest[0].encode("ascii", "strict"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as exc:
        raise DataError("the key is no base64: it was cut short or changed") from exc
    _check_blob(kind, blob)
    comment = escape(rest[1].strip(), _MAX_COMMENT) if len(rest) > 1 else ""
    return PublicKey(kind, base64.b64encode(blob).decode("ascii"), comment)


def _check_blob(kind: str, blob: bytes) -> None:
    fields = _fields(blob)
    if fields[0] != kind.encode("ascii"):
        raise DataError(f"the key says that it is of another type than {kind}")
    body = fields[1:]
    if kind.startswith("sk-"):
        body = body[:-1]  # the application; the rest is as without sk-
    if "ed25519" in kind:
        good = len(body) == 1 and len(body[0]) == 32
    elif kind == "ssh-rsa":
        good = len(body) == 2 and _bits(body[1]) >= _LEAST_RSA_BITS
    else:
        good = len(body) == 2 and _is_point(kind, body[0].decode("latin-1"), body[1])
    if not good:
        least = f" (RSA keys must have at least {_LEAST_RSA_BITS} bits)" if kind == "ssh-rsa" else ""
        raise DataError(f"the key is not whole, or too short{least}")


def _fields(blob: bytes) -> list[bytes]:
    fields: list[bytes] = []
    left = blob
    while left:
        size = int.from_bytes(left[:4], "big")
        if len(left) < 4 + size:
            raise DataError("the key is cut short")
        fields.append(left[4 : 4 + size])
        left = left[4 + size :]
    return fields or [b""]


def _bits(number: bytes) -> int:
    return int.from_bytes(number, "big").bit_length()


def _is_point(kind: str, curve: str, point: bytes) -> bool:
    size = _CURVE_BYTES.get(curve, 0)
    return curve in kind and len(point) == 1 + 2 * size and point[:1] == b"\x04"
