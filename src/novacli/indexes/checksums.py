"""Checksums of index files: those of Debian's packages, and the list that ``nova index get`` keeps in its folder.

The list has the form that ``sha256sum --check`` reads.  Index files have no FITS checksums.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from novacli.files.atomic import write_file
from solvehost.record import record

LIST_NAME = "SHA256SUMS"
#: The files of dpkg's database that state the checksums of installed packages.
DPKG_INFO = Path("/var/lib/dpkg/info")
_DPKG_PACKAGES, _DPKG_FOLDER = "astrometry-data-*.md5sums", "usr/share/astrometry"
_LINE = re.compile(r"([0-9a-f]{32}|[0-9a-f]{64}) [ *](.+)")


@record
class Checksum:
    """The checksum that a file should have: ``algorithm`` as hashlib names it, and where it is stated."""

    algorithm: str
    digest: str
    source: str

    def matches(self, path: Path) -> bool:
        """Return True if the content of a file has this checksum."""
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, self.algorithm).hexdigest() == self.digest


def stated_checksums(path: Path) -> list[Checksum]:
    """Return the checksums that the list in a file's folder and Debian's packages state for its name.

    The packages count for copies in other folders, too, since no other index files have the names of theirs.
    """
    kept = read_list(path.parent).get(path.name)
    found = [] if kept is None else [Checksum("sha256", kept, f"the list {path.parent / LIST_NAME}")]
    for sums in sorted(DPKG_INFO.glob(_DPKG_PACKAGES)):
        digest = _read(sums).get(f"{_DPKG_FOLDER}/{path.name}")
        if digest is not None:
            package = sums.name.removesuffix(".md5sums").partition(":")[0]
            found.append(Checksum("md5", digest, f"the Debian package {package}"))
    return found


def read_list(folder: Path) -> dict[str, str]:
    """Return the SHA-256 digests in the list of a folder, by the names of the files; {} if there is no list."""
    return _read(folder / LIST_NAME)


def _read(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return {}
    matches = filter(None, map(_LINE.fullmatch, lines))
    return {match[2]: match[1] for match in matches}


def add_to_list(path: Path) -> None:
    """Add the checksum of a file to the list in its folder.

    Raises
    ------
    OSError
        If the file cannot be read.
    OutputError
        If the list cannot be written.
    """
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    known = {**read_list(path.parent), path.name: digest}
    text = "".join(f"{known[name]}  {name}\n" for name in sorted(known))
    write_file(path.parent / LIST_NAME, text.encode("utf-8", errors="surrogateescape"))
