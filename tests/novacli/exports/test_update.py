from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from astropy.io import fits

from novacli.errors import OutputError, TransferError, UsageError
from novacli.exports.update import Stamp, update_in_place
from novacli.files.atomic import NotWritableError, read_error

from .conftest import SOLUTION, origin
from .test_fits_copy import assert_only_header_changed, assert_same_sky


def update(path: Path, hdu: int = 0) -> tuple[str, ...]:
    return update_in_place(origin(path, hdu), SOLUTION, Stamp.of(str(path)))


@pytest.mark.parametrize("hdu", [0, 1])
def test_only_the_solved_header_changes(image: Path, hdu: int) -> None:
    """Data, other HDUs and mode are kept; checksums verify; astropy reads the solution."""
    before = image.read_bytes()
    image.chmod(0o640)
    assert update(image, hdu) == ()
    assert_only_header_changed(before, image.read_bytes(), hdu)
    assert stat.S_IMODE(image.stat().st_mode) == 0o640
    with fits.open(image, checksum=True) as hdus:
        hdus.verify("exception")
        assert_same_sky(hdus[hdu].header)


def test_a_second_update_replaces_the_first(image: Path) -> None:
    """Neither the cards of the solution nor the HISTORY line are doubled."""
    update(image)
    once = fits.getheader(image)
    update(image)
    twice = fits.getheader(image)
    del once["CHECKSUM"], twice["CHECKSUM"]
    assert once.tostring() == twice.tostring()


@pytest.mark.parametrize(
    ("pack", "unpack"),
    [(gzip.compress, gzip.decompress), (bz2.compress, bz2.decompress), (lzma.compress, lzma.decompress)],
)
def test_a_packed_file_stays_packed(
    image: Path, pack: Callable[[bytes], bytes], unpack: Callable[[bytes], bytes]
) -> None:
    """The content decides, not the name."""
    before = image.read_bytes()
    image.write_bytes(pack(before))
    update(image)
    assert_only_header_changed(before, unpack(image.read_bytes()), 0)


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"\x1f\x9d\x90"])
def test_a_file_that_nova_cannot_pack_is_left_alone(image: Path, content: bytes) -> None:
    """It would no longer be what its name says."""
    image.write_bytes(content)
    with pytest.raises(UsageError, match=r"is a ZIP or \.Z file, which --update cannot write into: use --new-fits"):
        update(image)
    assert image.read_bytes() == content


def test_a_link_is_followed(image: Path, tmp_path: Path) -> None:
    """The link stays a link."""
    link = tmp_path / "link.fits"
    link.symlink_to(image.name)
    before = image.read_bytes()
    update(link)
    assert link.is_symlink()
    assert_only_header_changed(before, image.read_bytes(), 0)


def test_hard_links_are_noted(image: Path, tmp_path: Path) -> None:
    """The other name keeps the old content, and a note says so."""
    before = image.read_bytes()
    os.link(image, tmp_path / "twin.fits")
    (note,) = update(image)
    assert "2 hard links" in note
    assert (tmp_path / "twin.fits").read_bytes() == before


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_failure_leaves_the_image_as_it_was(image: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """No byte changes, and no temporary file is left."""
    before = image.read_bytes()

    def fail(*args: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OutputError, match=r"image\.fits: Input/output error"):
            update(image)
    assert image.read_bytes() == before
    assert [p.name for p in image.parent.iterdir()] == ["image.fits"]


def test_an_image_that_may_not_be_written_has_another_remedy_than_another_name(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names permissions and other outputs, since the name is fixed."""
    real = os.open

    def refuse(path: object, flags: int, *rest: int, **options: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, "Read-only file system")
        return real(path, flags, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(NotWritableError, match=r"image\.fits: Read-only .*its folder writable, or use --new-fits"):
        update(image)


def test_an_image_that_has_changed_is_not_overwritten(image: Path) -> None:
    """What another program wrote since then is kept."""
    seen = Stamp.of(str(image))
    image.write_bytes(image.read_bytes() + b"more")
    before = image.read_bytes()
    with pytest.raises(OutputError, match=r"image\.fits has changed since it was read: nothing was written"):
        update_in_place(origin(image), SOLUTION, seen)
    assert image.read_bytes() == before


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "XISF", "text"])
def test_other_formats_are_refused(tmp_path: Path, kind: str) -> None:
    """The message names --new-fits, which works for every picture."""
    path = tmp_path / "p.jpg"
    path.write_bytes(b"x")
    with pytest.raises(UsageError, match=rf"p\.jpg is a {kind} file.*use --new-fits FILE"):
        update_in_place(origin(path, 0, kind), SOLUTION, Stamp.of(str(path)))


def test_an_image_that_cannot_be_read_again_is_not_an_error_of_the_output(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the image that was read, and does not ask for another place to write to."""
    before = image.read_bytes()

    def fail(_stream: object, _size: int = -1) -> bytes:
        raise read_error(str(image), OSError(errno.EIO, "Input/output error"))

    monkeypatch.setattr("novacli.files.atomic._SourceStream.read", fail)
    with pytest.raises(TransferError, match=r"image\.fits cannot be read: Input/output error; check the disk"):
        update(image)
    assert image.read_bytes() == before
    assert [path.name for path in image.parent.iterdir()] == ["image.fits"]
