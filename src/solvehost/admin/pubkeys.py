"""OpenSSH public keys: parse one line of text, and check that it is one complete key of an accepted type.

Source: RFC 4253 section 6.6 (RSA), RFC 5656 section 3.1 (ECDSA), RFC 8709 (Ed25519), OpenSSH's PROTOCOL.u2f (sk-…).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path

from solvehost.errors import DataError, InputMissingError
from solvehost.record import record
from solvehost.wire.escaping import escape

_MAX_FILE_BYTES = 64 * 1024
_MAX_COMMENT = 100
_MIN_RSA_BITS = 2048
_CURVE_BYTES = {"nistp256": 32, "nistp384": 48, "nistp521": 66}
#: Key types that may be authorized.  Certificates and DSA keys are not among them.
TYPES = (
    "ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com", "ssh-rsa",
)  # fmt: skip


@record
class PublicKey:
    """A public key: its type, the key data in base64, and a comment in printable ASCII."""

    kind: str
    base64: str
    comment: str = ""

    @property
    def text(self) -> str:
        """The key as one line."""
        return " ".join(word for word in (self.kind, self.base64, self.comment) if word)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 fingerprint, as ``ssh-keygen -l`` prints it."""
        digest = hashlib.sha256(base64.b64decode(self.base64)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def read(path: Path) -> PublicKey:
    """Read a file that holds one public key.

    Raises
    ------
    InputMissingError
        If the file cannot be read.
    DataError
        If the file does not hold exactly one valid public key.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise InputMissingError(f"{path}: {exc.strerror}: name the file of a public key (KEY.pub)") from exc
    try:
        return parse_file(data)
    except DataError as exc:
        raise DataError(f"{path}: {exc}") from exc


def parse_file(data: bytes) -> PublicKey:
    """Parse the content of a file, which may have blank lines and comments besides one key."""
    if b"PRIVATE KEY" in data[:_MAX_FILE_BYTES]:
        raise DataError("this is a private key, which must stay on the client: give the file that ends in .pub")
    if len(data) > _MAX_FILE_BYTES or b"\0" in data:
        raise DataError("this is not a public key: give the file that ends in .pub")
    lines = [line.strip() for line in data.decode("utf-8", "surrogateescape").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if len(lines) != 1:
        raise DataError(f"it has {len(lines)} keys instead of one: give a file with one key")
    return parse(lines[0])


def parse(line: str) -> PublicKey:
    """Parse a line with a key and no options."""
    kind, *rest = line.split(None, 2)
    if kind not in TYPES:
        if any(word in TYPES for word in line.split()[1:]):
            raise DataError("it has options before the key: remove them, since authorize writes its own")
        raise DataError(f"'{escape(kind, 40)}' is not an accepted type of key: the types are {', '.join(TYPES)}")
    if not rest:
        raise DataError("the key is cut short after its type: copy the whole line")
    try:
        blob = base64.b64decode(rest[0].encode("ascii", "strict"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as exc:
        raise DataError("the key is not valid base64 (cut short or changed): copy it again") from exc
    _check_blob(kind, blob)
    comment = escape(rest[1].strip(), _MAX_COMMENT) if len(rest) > 1 else ""
    return PublicKey(kind, base64.b64encode(blob).decode("ascii"), comment)


def _check_blob(kind: str, blob: bytes) -> None:
    fields = _fields(blob)
    if fields[0] != kind.encode("ascii"):
        raise DataError(f"the key data are of another type than {kind}: copy the key again")
    body = fields[1:]
    if kind.startswith("sk-"):
        body = body[:-1]  # without the application string, like a key without sk-
    if "ed25519" in kind:
        is_valid = len(body) == 1 and len(body[0]) == 32
    elif kind == "ssh-rsa":
        is_valid = len(body) == 2 and _bits(body[1]) >= _MIN_RSA_BITS
    else:
        is_valid = len(body) == 2 and _is_point(kind, body[0].decode("latin-1"), body[1])
    if not is_valid:
        minimum = f" (RSA keys must have at least {_MIN_RSA_BITS} bits)" if kind == "ssh-rsa" else ""
        raise DataError(f"the key is incomplete, or too short{minimum}")


def _fields(blob: bytes) -> list[bytes]:
    fields: list[bytes] = []
    rest = blob
    while rest:
        size = int.from_bytes(rest[:4], "big")
        if len(rest) < 4 + size:
            raise DataError("the key is cut short: copy it again")
        fields.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    return fields or [b""]


def _bits(number: bytes) -> int:
    return int.from_bytes(number, "big").bit_length()


def _is_point(kind: str, curve: str, point: bytes) -> bool:
    size = _CURVE_BYTES.get(curve, 0)
    return curve in kind and len(point) == 1 + 2 * size and point[:1] == b"\x04"
