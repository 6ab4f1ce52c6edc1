"""A program that answers ``solve`` or ``fetch ID`` as a server would, with files from the current directory.

``standin_peer.py SOURCE VERB …``: the result files are in ``VERB.files``.  ``VERB.manifest`` replaces keys of the
manifest.  A ``corr.fits`` that holds only the word "matched" is replaced by one of the stars that were sent.
"""

import hashlib
import io
import json
import os
import sys


def main(source: str, verb: str, words: list[str]) -> None:
    """Read the request, and write the reply to stdout."""
    sys.path.insert(0, source)
    from solvehost.wire.tarblocks import write_tar

    if verb == "solve":
        job_id = sys.stdin.buffer.readline().decode().rstrip("\n")
        with open("request.tar", "wb") as request:
            request.write(sys.stdin.buffer.read())
    else:
        job_id = words[1]
    files = {name: _read(f"{verb}.files/{name}") for name in sorted(os.listdir(f"{verb}.files"))}
    if files.get("corr.fits") == b"matched":
        files["corr.fits"] = _matched(_read("request.tar"), files["wcs.fits"])
    said = json.loads(_read(f"{verb}.manifest"))
    manifest = {**_manifest(job_id, files), **said}
    ordered = [("manifest.json", json.dumps(manifest).encode())]
    ordered += sorted(files.items(), key=lambda item: item[0] == "wcs.fits")
    archive = b"".join(write_tar(ordered))
    if os.path.exists("mode"):
        archive = _with_mode(archive, _read("mode"))
    sys.stdout.buffer.write(archive)


def _matched(request: bytes, wcs: bytes) -> bytes:
    """Return a corr.fits of the first five stars of the first star list, without errors."""
    from solvehost import wire
    from solvehost.formats import axy

    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from made_results import corr_fits

    stars = axy.parse(wire.read_request(io.BytesIO(b"j\n" + request).read).axys[1]).stars
    return corr_fits(wcs, list(zip(stars.x, stars.y, strict=True))[:5])


def _with_mode(archive: bytes, mode: bytes) -> bytes:
    """Return the archive with another mode, seven octal digits, for all members."""
    blocks, at = bytearray(archive), 0
    while blocks[at]:
        blocks[at + 100 : at + 107] = mode
        blocks[at + 148 : at + 156] = b" " * 8
        blocks[at + 148 : at + 156] = b"%06o\0 " % sum(blocks[at : at + 512])
        at += 512 + -(-int(blocks[at + 124 : at + 135], 8) // 512) * 512
    return bytes(blocks)


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def _manifest(job_id: str, files: dict[str, bytes]) -> dict[str, object]:
    solved = "wcs.fits" in files
    outcome = "solved" if solved else "exhausted"
    return {
        "format": 1, "id": job_id, "client": "me", "status": "solved" if solved else "unsolved",
        "reason": "none" if solved else "exhausted", "winner": 1 if solved else None,
        "attempts": [{"number": 1, "label": "theirs", "outcome": outcome, "seconds": 0.5, "cpu_s": 0.25}],
        "indexes": {"loaded": ["index-4110.fits"], "failed": []},
        "files": {n: {"size": len(b), "sha256": hashlib.sha256(b).hexdigest()} for n, b in files.items()},
        "engine": "/usr/bin/astrometry-engine", "version": "1.2.3", "seconds": 0.75, "cpu_s": 0.5,
    }  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
