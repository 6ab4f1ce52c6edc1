from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import made_results as made
import numpy as np
import pytest
from astropy.io import fits

from novacli.errors import UsageError
from novacli.exports.targets import Target, TargetExistsError, check_targets, file_identity, input_identities
from novacli.inputs.kinds import parse_input


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    path = tmp_path / "f1.fits"
    fits.PrimaryHDU(np.zeros((4, 5), "u1")).writeto(path)
    return path


def check(*targets: Target, inputs: tuple[str, ...] = (), overwrite: bool = False) -> None:
    check_targets(targets, input_identities(map(parse_input, inputs)), overwrite=overwrite)


def spellings(frame: Path) -> list[Path]:
    """Return several names of one file."""
    folder = frame.parent
    (folder / "sub").mkdir()
    (folder / "link").symlink_to(frame)
    (folder / "folder").symlink_to(folder)
    os.link(frame, folder / "hard")
    return [
        frame,
        Path(os.path.relpath(frame)),
        folder / "sub" / ".." / "f1.fits",
        folder / "link",
        folder / "folder" / "f1.fits",
        folder / "hard",
    ]


@pytest.mark.parametrize("is_image_copy", [True, False])
def test_an_input_is_never_an_output_however_it_is_spelled(frame: Path, is_image_copy: bool) -> None:
    """Relative paths, symbolic links and hard links are recognised, and --overwrite does not help."""
    for spelling in spellings(frame):
        for overwrite in (True, False):
            with pytest.raises(UsageError, match=r"outputs never replace one: .*give another name"):
                check(Target("--wcs", spelling, is_image_copy), inputs=("x.fits", str(frame)), overwrite=overwrite)


def test_an_input_that_standard_input_is_redirected_from(frame: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``nova submit --new-fits f1.fits -O - < f1.fits`` is refused, too."""
    with frame.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        with pytest.raises(UsageError, match="outputs never replace one"):
            check(Target("--new-fits", frame, is_image_copy=True), inputs=("-",), overwrite=True)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    check(Target("--new-fits", frame, is_image_copy=True), inputs=("-", "https://h/f1.fits"), overwrite=True)


def test_an_output_that_exists_is_replaced_with_overwrite_alone(tmp_path: Path) -> None:
    target = tmp_path / "old.wcs"
    target.write_bytes(made.wcs_fits())
    with pytest.raises(TargetExistsError, match=r"--wcs .*old\.wcs: the file exists already: .*--overwrite") as caught:
        check(Target("--wcs", target))
    assert (caught.value.exit_code, caught.value.retry_is_safe) == (73, False)
    check(Target("--wcs", target), overwrite=True)


def test_a_dangling_link_is_an_existing_output(tmp_path: Path) -> None:
    """Something may appear behind it."""
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(TargetExistsError):
        check(Target("--wcs", tmp_path / "link"))


@pytest.mark.parametrize("kind", ["image", "extension", "tiles", "jpeg"])
def test_an_image_is_never_replaced_by_another_kind_of_file(tmp_path: Path, kind: str) -> None:
    """A shell that expands ``--wcs *.fits`` puts the first frame where a file name belongs."""
    path = tmp_path / "a.fits"
    pixels = np.zeros((4, 5), "i2")
    if kind == "jpeg":
        path.write_bytes(b"\xff\xd8\xff\xe0 and so on")
    elif kind == "image":
        fits.PrimaryHDU(pixels).writeto(path)
    else:
        hdu = fits.ImageHDU(pixels) if kind == "extension" else fits.CompImageHDU(pixels)
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    for overwrite in (True, False):
        with pytest.raises(UsageError, match=r"this is an image, .* name the file to write after --wcs"):
            check(Target("--wcs", path), overwrite=overwrite)
    check(Target("--new-fits", path, is_image_copy=True), overwrite=True)


def test_two_outputs_to_one_file_are_refused_however_they_are_spelled(frame: Path) -> None:
    """Also if the file does not exist yet."""
    for path in (frame.parent / "new.x", frame):
        (frame.parent / "here").unlink(missing_ok=True)
        (frame.parent / "here").symlink_to(frame.parent)
        other = frame.parent / "here" / path.name
        with pytest.raises(UsageError, match=r"--new-fits and --update-copy would write two outputs to the same file"):
            check(Target("--new-fits", path, True), Target("--update-copy", other, True), overwrite=True)


def test_an_identity_is_that_of_the_file(frame: Path) -> None:
    """Names of one file share it; names of two files, also with equal content, do not."""
    (frame.parent / "copy.fits").write_bytes(frame.read_bytes())
    assert len({file_identity(path) for path in spellings(frame)}) == 1
    assert file_identity(frame) != file_identity(frame.parent / "copy.fits")
    assert file_identity("a\0b") == file_identity("a\0b")
