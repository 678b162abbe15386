"""Files to arrays: formats, depths, sizes."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from PIL import Image

from harness_datasets.manifest.images.formats import decode, header
from harness_datasets.manifest.images.masks import bring_mask_to
from harness_datasets.manifest.images.sizes import bring_to
from tests.plugins.datasets.manifest.images.files import as_dicom, as_file, as_tiff

RAMP8 = np.arange(12, dtype=np.uint8).reshape(4, 3) * 20
RAMP16 = np.arange(12, dtype=np.uint16).reshape(4, 3) * 5000


def facts(content, suffix):
    found = header(content, suffix)
    return found.height, found.width, found.bits


def test_png_and_tiff_keep_8_and_16_bits():
    for image in (RAMP8, RAMP16):
        np.testing.assert_array_equal(decode(as_file(image, "PNG"), ".png"), image)
        np.testing.assert_array_equal(decode(as_tiff(image), ".tif"), image)
        assert facts(as_file(image, "PNG"), ".png") == (4, 3, 8 * image.itemsize)
        assert facts(as_tiff(image), ".TIFF") == (4, 3, 8 * image.itemsize)


def test_colour_of_every_format_is_rgb():
    colour = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    np.testing.assert_array_equal(decode(as_file(colour, "PNG"), ".png"), colour)
    np.testing.assert_array_equal(decode(as_tiff(colour, photometric="rgb"), ".tif"), colour)
    assert decode(as_file(colour, "JPEG", quality=95), ".jpg").shape == (16, 24, 3)
    palette = Image.fromarray(colour).quantize(16)
    file = io.BytesIO()
    palette.save(file, "PNG")
    np.testing.assert_array_equal(decode(file.getvalue(), ".png"), np.asarray(palette.convert("RGB")))


def test_a_one_bit_mask_is_0_and_255():
    mask = np.eye(4, dtype=bool)
    assert set(np.unique(decode(as_file(mask, "PNG"), ".png"))) == {0, 255}


def test_a_white_is_zero_tiff_is_turned():
    np.testing.assert_array_equal(decode(as_tiff(RAMP8, photometric="miniswhite"), ".tif"), 255 - RAMP8)


def test_a_tiff_of_floats_is_refused():
    with pytest.raises(ValueError, match="floats of 32 bits"):
        decode(as_tiff(RAMP8.astype(np.float32)), ".tif")


def test_twelve_stored_bits_are_stretched_over_sixteen():
    image = decode(as_dicom(np.array([[0, 1], [2048, 4095]], np.uint16), 12), ".dcm")
    np.testing.assert_array_equal(image, [[0, 16], [32776, 65535]])
    assert image.dtype == np.uint16


def test_monochrome1_is_inverted():
    stored = np.array([[0, 4095]], np.uint16)
    np.testing.assert_array_equal(decode(as_dicom(stored, 12, "MONOCHROME1"), ".dcm"), [[65535, 0]])


def test_a_rescale_is_applied_and_signed_values_keep_their_order():
    stored = np.array([[-2048, 0, 2047]], np.int16)
    image = decode(as_dicom(stored, 12, RescaleSlope=2, RescaleIntercept=-100), ".dcm")
    np.testing.assert_array_equal(image, [[0, 32776, 65535]])
    falling = decode(as_dicom(stored, 12, RescaleSlope=-1, RescaleIntercept=0), ".dcm")
    assert falling[0, 0] > falling[0, 1] > falling[0, 2]


def test_no_patient_field_leaves_the_reader():
    content = as_dicom(RAMP16, 16)
    assert b"secret-7" in content
    assert facts(content, ".dcm") == (4, 3, 16)
    assert type(decode(content, ".dcm")) is np.ndarray
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any error, as long as it tells nothing
        decode(content[:-10], ".dcm")
    assert "secret" not in str(caught.value) and "Doe" not in str(caught.value)


def test_a_real_scan_with_a_rescale_table_is_read():
    from pydicom.data import get_testdata_file

    path = get_testdata_file("CT_small.dcm")
    assert isinstance(path, str)
    with open(path, "rb") as file:
        content = file.read()
    image = decode(content, ".dcm")
    assert image.shape == facts(content, ".dcm")[:2] == (128, 128)
    units = pydicom.dcmread(path)
    order = np.argsort(units.pixel_array.ravel(), kind="stable")
    assert (np.diff(image.ravel()[order].astype(int)) >= 0).all()


def test_shrinking_is_antialiased_and_keeps_the_mean_of_16_bits():
    stripes = np.tile(np.array([0, 60000], np.uint16), (64, 32))
    small = bring_to(stripes, (16, 16), 1, "stretch")
    assert small.dtype == np.uint16
    assert abs(small[2:-2, 2:-2].astype(float) - 30000).max() < 600


def test_padding_keeps_the_aspect_and_fills_with_0():
    image = bring_to(np.full((40, 20), 200, np.uint8), (20, 20), 1, "pad")
    assert (image[:, :10] == 200).all() and (image[:, 10:] == 0).all()
    mask = bring_mask_to(np.full((40, 20), 255, np.uint8), (20, 20), "pad")
    assert mask[:, :10].all() and not mask[:, 10:].any()


def test_channels_are_repeated_or_weighed_into_luminance():
    grey = bring_to(RAMP16, (4, 3), 3, "stretch")
    assert grey.shape == (4, 3, 3) and (grey == RAMP16[:, :, None]).all()
    red = np.zeros((4, 3, 3), np.uint8)
    red[..., 0] = 100
    assert (bring_to(red, (4, 3), 1, "stretch") == 30).all()
    for dtype in (np.uint8, np.uint16):  # a black image has the depth of its file
        assert bring_to(np.zeros((4, 3, 3), dtype), (4, 3), 1, "stretch").dtype == dtype


def test_a_mask_stays_0_and_1_at_any_size():
    mask = np.zeros((50, 40), np.uint8)
    mask[10:30, 5:25] = 7
    small = bring_mask_to(mask, (25, 20), "stretch")
    assert set(np.unique(small)) == {0, 1} and small.sum() == 110  # half covered cells at both sides
