"""Files that nova wrote are recognised by their headers, and other files are frames."""

from __future__ import annotations

import bz2
import gzip
import os
from pathlib import Path

import made_results as made
import numpy as np
import pytest

from novacli.batch.frames.own_outputs import is_written_by_nova
from novacli.exports import fits_copy as newfits
from novacli.exports.fits_copy import new_fits
from novacli.exports.insert import COPY_HISTORY, HISTORY
from novacli.exports.update import Stamp, update_in_place
from novacli.records.field import Origin
from solvehost.formats import fitsfile


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def fits(*cards: bytes, data: bytes = b"") -> bytes:
    return fitsfile.end_header(list(cards)) + data


def card(text: str) -> bytes:
    return text.ljust(80).encode()


SOLUTION = made.wcs_fits(30, 20)
SIZE = (card("NAXIS1  =                   30"), card("NAXIS2  =                   20"))
IMAGE = (card("SIMPLE  =                    T"), card("NAXIS   =                    2"))
BARE = (card("SIMPLE  =                    T"), card("NAXIS   =                    0"))

COPY = fits(*IMAGE, card(f"HISTORY {COPY_HISTORY}"), data=bytes(2880))
OWN_OUTPUT = {
    "copy": COPY,
    "copy.gz": gzip.compress(COPY),
    "copy.bz2": bz2.compress(COPY),
    "axy": fits(*BARE, card("ANRUN   =                    T")),
    "rdls": fits(*BARE, card("AN_FILE = 'RDLS    ' / Astrometry.net file type")),
    "wcs": fits(*BARE, card("HISTORY This is a WCS header was created by Astrometry.net.")),
    "corr": fits(*BARE) + fits(card("TTYPE1  = 'field_x '"), card("TTYPE9  = 'index_id'")),
}
THEIRS = {
    "image": fits(*IMAGE, data=bytes(2880)),
    "updated": fits(*IMAGE, card(f"HISTORY {HISTORY}"), data=bytes(2880)),
    "text in pixels": fits(*IMAGE, data=b"HISTORY" + card(f"HISTORY {COPY_HISTORY}") * 3),
    "longer line": fits(*IMAGE, card(f"HISTORY {COPY_HISTORY}, no")),
    "upstream's .new": fits(*IMAGE, card("HISTORY This is a WCS header was created by Astrometry.net.")),
    "star list": fits(*BARE) + fits(card("TTYPE1  = 'X       '"), card("TTYPE2  = 'Y       '")),
    "another maker's axy": fits(*BARE, card("ANRUN   =                    T / Solve this field!")),
    "no FITS": card(f"HISTORY {COPY_HISTORY}"),
    "empty": b"",
    "cut gzip": gzip.compress(os.urandom(9000))[:500],
    "bad gzip": b"\x1f\x8b" + bytes(100),
    "bad deflate": gzip.compress(COPY)[:10] + b"\xff" * 50,
    "bad bzip2": b"BZh9" + bytes(100),
}


@pytest.mark.parametrize("kind", OWN_OUTPUT)
def test_files_that_nova_wrote_are_recognised_by_their_cards(kind: str, tmp_path: Path) -> None:
    assert is_written_by_nova(str(put(tmp_path / "f", OWN_OUTPUT[kind])))


def test_copies_are_recognised_and_updated_images_are_frames(tmp_path: Path) -> None:
    """Of the writers themselves: an image updated in place is a frame still, also in a copy of its bytes."""
    image, copy, again = (tmp_path / name for name in ("image.fits", "copy.fits.gz", "again.fits"))
    newfits.write_pixels(np.zeros((20, 30), np.uint16), SOLUTION, image)
    assert is_written_by_nova(str(image))
    put(image, fits(*IMAGE, card("BITPIX  =                    8"), *SIZE, data=bytes(2880)))
    update_in_place(Origin(str(image), str(image), "FITS", 0), SOLUTION, Stamp.of(str(image)))
    assert not is_written_by_nova(str(image))
    new_fits(Origin(str(image), str(image), "FITS", 0), SOLUTION, copy)
    assert is_written_by_nova(str(copy))
    update_in_place(Origin(str(copy), str(copy), "FITS", 0), SOLUTION, Stamp.of(str(copy)))
    new_fits(Origin(str(copy), str(copy), "FITS", 0), SOLUTION, again)
    assert is_written_by_nova(str(copy))
    assert is_written_by_nova(str(again))


@pytest.mark.parametrize("kind", THEIRS)
def test_anything_else_is_a_frame(kind: str, tmp_path: Path) -> None:
    assert not is_written_by_nova(str(put(tmp_path / "f", THEIRS[kind])))


def test_what_cannot_be_read_is_a_frame(tmp_path: Path) -> None:
    assert not is_written_by_nova(str(tmp_path / "none"))
