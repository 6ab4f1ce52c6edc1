"""Only files with exactly one valid public key are accepted."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from admin import made_keys
from solvehost.admin import pubkeys
from solvehost.errors import DataError, InputMissingError

POINT = b"\x04" + bytes(64)
WHOLE = {
    "ssh-ed25519": made_keys.ed25519(),
    "sk-ssh-ed25519@openssh.com": made_keys.blob("sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:"),
    "ecdsa-sha2-nistp256": made_keys.blob("ecdsa-sha2-nistp256", b"nistp256", POINT),
    "sk-ecdsa-sha2-nistp256@openssh.com": made_keys.blob(
        "sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", POINT, b"ssh:"
    ),
    "ssh-rsa": made_keys.blob("ssh-rsa", b"\x01\x00\x01", b"\x00" + b"\xff" * 256),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_keys_of_all_accepted_types_are_parsed(kind: str) -> None:
    found = pubkeys.parse(f"{kind} {WHOLE[kind]} me@here")
    assert (found.kind, found.base64, found.comment) == (kind, WHOLE[kind], "me@here")
    assert found.text == f"{kind} {WHOLE[kind]} me@here"


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_keys_and_fingerprints_agree_with_openssh(kind: str, tmp_path: Path) -> None:
    """Keys of ssh-keygen are accepted, and have the fingerprint that ssh-keygen prints."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed (Debian: apt install openssh-client)")
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "a b", "-f", path], check=True)
    found = pubkeys.read(path.with_suffix(".pub"))
    shown = subprocess.run(["ssh-keygen", "-l", "-f", f"{path}.pub"], check=True, capture_output=True, text=True)
    assert found.fingerprint in shown.stdout.split()
    assert found.comment == "a b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0 keys"),
        ("# nothing\n\n", "0 keys"),
        (f"{made_keys.line(1)}\n{made_keys.line(2)}\n", "2 keys"),
        (f'command="/bin/sh" {made_keys.line()}', "options before the key"),
        (f"restrict {made_keys.line()}", "options before the key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "private key"),
        (f"ssh-dss {made_keys.blob('ssh-dss', b'x')}", "not an accepted type of key"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "not an accepted type of key"),
        ("ssh-ed25519", "cut short"),
        ("ssh-ed25519 AAAA=!", "not valid base64"),
        ("ssh-ed25519 " + made_keys.ed25519()[:-8], "cut short|not valid base64"),
        (f"ssh-ed25519 {made_keys.blob('ssh-rsa', bytes(32))}", "another type"),
        (f"ssh-ed25519 {made_keys.blob('ssh-ed25519', bytes(31))}", "incomplete"),
        (f"ssh-ed25519 {made_keys.blob('ssh-ed25519', bytes(32), b'more')}", "incomplete"),
        (f"ssh-rsa {made_keys.blob('ssh-rsa', b'3', bytes([255]) * 128)}", "at least 2048 bits"),
        (f"ecdsa-sha2-nistp256 {made_keys.blob('ecdsa-sha2-nistp256', b'nistp384', POINT)}", "incomplete"),
        ("\0" * 10, "not a public key"),
        ("x" * 70_000, "not a public key"),
        ("\x1b[2J AAAA", "not an accepted type of key"),
    ],
)  # fmt: skip
def test_invalid_files_are_refused(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        pubkeys.parse_file(text.encode("latin-1"))
    assert str(caught.value).isprintable()


def test_a_comment_is_escaped_and_bounded() -> None:
    found = pubkeys.parse(f"ssh-ed25519 {made_keys.ed25519()} \x1b[2J\u202egood " + "x" * 500)
    assert found.comment.isascii()
    assert found.comment.isprintable()
    assert len(found.comment) < 200


def test_the_message_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=r"none\.pub"):
        pubkeys.read(tmp_path / "none.pub")
