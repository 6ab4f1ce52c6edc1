"""Arrays in memory."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io.fits import Header, PrimaryHDU
from numpy.typing import NDArray

from novacli.errors import DataError, ParameterError
from novacli.inputs import from_array


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", ">i4", "u8", "f2", "f4", ">f8"])
def test_every_real_type_is_read(dtype: str) -> None:
    """Row 0 is y = 1, whatever the byte order."""
    array = np.array([[0, 1], [1, 0]]).astype(dtype)
    image = from_array(array)
    np.testing.assert_array_equal(image.pixels, array.astype(np.float32))
    assert (image.pixels.dtype, image.mask, image.is_fits_like) == (np.float32, None, True)
    assert (image.width, image.height, image.origin.format) == (2, 2, "array")


@pytest.mark.parametrize("shape", [(4, 5, 3), (4, 5, 4), (3, 4, 5)])
def test_colour_is_averaged(shape: tuple[int, ...]) -> None:
    """Channels last or planes first; alpha is ignored."""
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    expected = array.mean(axis=0) if shape[0] == 3 else array[:, :, :3].mean(axis=2)
    image = from_array(array, {"BAYERPAT": "RGGB"})
    np.testing.assert_allclose(image.pixels, expected, rtol=1e-6)
    assert (image.width, image.height, image.is_mosaic) == (5, 4, False)


@pytest.mark.parametrize("shape", [(1, 4, 5), (4, 5, 1)])
def test_an_axis_of_length_one_is_dropped(shape: tuple[int, ...]) -> None:
    """As in FITS cubes of one plane."""
    assert from_array(np.ones(shape)).pixels.shape == (4, 5)


def test_masked_elements_and_nan_are_masked() -> None:
    """Both mean that a pixel has no value."""
    image = from_array(np.ma.masked_array([[1.0, np.nan], [3.0, 4.0]], mask=[[False, False], [True, False]]))
    assert image.mask is not None
    np.testing.assert_array_equal(image.mask, [[False, True], [True, False]])
    np.testing.assert_array_equal(image.pixels, [[1, 0], [0, 4]])


def test_a_masked_colour_masks_the_pixel() -> None:
    """One channel is enough."""
    array = np.ma.ones((4, 5, 3))
    array[1, 2, 0] = np.ma.masked
    image = from_array(array)
    assert image.mask is not None
    assert np.argwhere(image.mask).tolist() == [[1, 2]]


def test_the_array_is_copied() -> None:
    """The caller may change it later, and the image may be changed without the array."""
    array = np.array([[1.0, np.nan]], dtype=np.float32)
    image = from_array(array)
    array[0, 0] = 5
    assert image.pixels[0, 0] == 1
    assert np.isnan(array[0, 1])


def test_a_view_in_any_memory_order_is_read(ramp: NDArray[np.uint16]) -> None:
    """The result is contiguous in any case."""
    image = from_array(ramp.T[::-1, ::2])
    np.testing.assert_array_equal(image.pixels, ramp.T[::-1, ::2])
    assert image.pixels.flags.c_contiguous


def test_a_header_of_astropy_becomes_plain_values() -> None:
    """Comments are left out; a mosaic is recognised."""
    header = Header([("FOCALLEN", 530.0), ("BAYERPAT", "RGGB"), ("COMMENT", "text"), ("EMPTY", None)])
    image = from_array(np.ones((4, 4)), header)
    assert dict(image.header) == {"FOCALLEN": 530.0, "BAYERPAT": "RGGB"}
    assert image.is_mosaic


def test_numpy_scalars_in_pairs_become_plain_values() -> None:
    """Values become Python's own."""
    image = from_array(np.ones((4, 4)), [("GAIN", np.float32(1.5)), ("XBINNING", np.int64(2))])
    assert image.header == {"GAIN": 1.5, "XBINNING": 2}
    assert type(image.header["XBINNING"]) is int


def test_a_mask_is_added_to_what_the_array_masks() -> None:
    """Masked pixels are 0, so that no later sum meets their values."""
    image = from_array(np.array([[1.0, np.nan], [3.0, 4.0]]), mask=np.array([[0, 0], [1, 0]]))
    assert image.mask is not None
    np.testing.assert_array_equal(image.mask, [[False, True], [True, False]])
    np.testing.assert_array_equal(image.pixels, [[1, 0], [0, 4]])


def test_a_mask_without_a_masked_pixel_is_none() -> None:
    assert from_array(np.ones((2, 2)), mask=np.zeros((2, 2), bool)).mask is None


@pytest.mark.parametrize("shape", [(4, 5, 3), (3, 4, 5), (1, 4, 5)])
def test_a_mask_may_have_the_shape_of_a_colour_array(shape: tuple[int, ...]) -> None:
    """One masked channel is enough to mask the pixel."""
    mask = np.zeros(shape, bool)
    mask[(1, 2, 0) if shape[2] == 3 else (0, 1, 2)] = True
    image = from_array(np.ones(shape), mask=mask)
    assert image.mask is not None
    assert np.argwhere(image.mask).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((4, 4), bool), r"mask has shape \(4, 4\), but the image \(4, 5\)"),
        (np.zeros((4, 5, 5), bool), "mask has shape"),
        (np.zeros((4, 5)), "mask holds float64 values, not truth values"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask: NDArray[np.generic], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        from_array(np.ones((4, 5)), mask=mask)


@pytest.mark.parametrize("header", ["FOCALLEN", [1, 2], 5])
def test_a_header_without_keywords_is_refused(header: object) -> None:
    with pytest.raises(ParameterError, match="header is neither a mapping of FITS keywords nor"):
        from_array(np.ones((4, 5)), header=header)  # type: ignore[arg-type]


@pytest.mark.parametrize("hdu", [PrimaryHDU(np.ones((4, 5))), object()])
def test_an_object_that_is_no_array_is_called_by_its_type(hdu: object) -> None:
    """And not "an array of objects"."""
    with pytest.raises(DataError, match=f"{type(hdu).__name__} is not an array of numbers: give .* header="):
        from_array(hdu)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(5), "is not an image"),
        (np.ones((5, 5, 5)), "is not an image"),
        (np.ones((2, 2, 2, 2)), "is not an image"),
        (np.ones((0, 5)), "there is nothing to solve"),
        (np.ones((4, 4), dtype=complex), "not real numbers"),
        (np.array([["a", "b"]]), "not real numbers"),
        (np.array([[object(), object()]]), "holds objects, not numbers"),
    ],
)
def test_an_array_that_is_not_an_image_is_refused(array: NDArray[np.generic], message: str) -> None:
    """The message names the shape or the type."""
    with pytest.raises(DataError, match=message):
        from_array(array)
