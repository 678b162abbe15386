"""Masks: which pixels are inside, and what is refused because that is unknown."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pydicom.uid import RLELossless

from harness.metrics.functional import components, reduced_mask
from harness.metrics.maps.reduction import covered_area
from harness_datasets.manifest.images.masks import Inside, bring_mask_to, read_mask, union
from tests.plugins.datasets.manifest.images.files import as_dicom, as_file, as_png16, as_tiff, dicom_of

SHAPE = np.zeros((40, 30), bool)
SHAPE[8:21, 5:17] = True
SHAPE[30, 3:6] = True
LABELS = np.where(SHAPE, 3, 0).astype(np.uint8)
LABELS[25:28, 20:24] = 7


def read(content, suffix=".png", **rule):
    return read_mask(content, suffix, Inside(**rule))


@pytest.mark.parametrize("value", [1, 7, 255])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_one_value_beside_0_is_inside(kind, value):
    np.testing.assert_array_equal(read(as_file(SHAPE.astype(np.uint8) * np.uint8(value), kind)), SHAPE)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_one_bit_colours_palettes_and_16_bits_are_read_as_what_they_show(kind):
    red = np.where(SHAPE[..., None], [200, 10, 0], 0).astype(np.uint8)
    palette = Image.fromarray(SHAPE.astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 0, 90, 0])
    for image in (SHAPE, red, palette, SHAPE.astype(np.uint16) * 40000):
        np.testing.assert_array_equal(read(as_file(image, kind)), SHAPE)


def test_a_label_map_is_refused_until_each_class_names_its_value():
    coloured = Image.fromarray(LABELS, "P")
    coloured.putpalette(np.random.default_rng(0).integers(1, 255, 768).tolist())
    files = [as_file(LABELS, "PNG"), as_tiff(LABELS.astype(np.uint16) * 300), as_file(coloured, "PNG")]
    for content, factor in zip(files, (1, 300, 1), strict=True):
        with pytest.raises(ValueError, match="3 values .* and none is named: `mask_values`"):
            read(content)
        np.testing.assert_array_equal(read(content, value=3 * factor), LABELS == 3)
        np.testing.assert_array_equal(read(content, value=7 * factor), LABELS == 7)
        assert not read(content, value=5).any()
    np.testing.assert_array_equal(read(files[0], threshold=4), LABELS == 7)


def test_two_values_without_0_are_refused_and_an_empty_mask_is_empty():
    with pytest.raises(ValueError, match="the values 1, 2, and neither is 0"):
        read(as_file(SHAPE.astype(np.uint8) + np.uint8(1), "PNG"))
    assert not read(as_file(np.zeros((9, 9), np.uint8), "PNG")).any()
    assert read(as_file(np.full((9, 9), 255, np.uint8), "PNG")).all()


@pytest.mark.parametrize("quality", [50, 75, 95])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_lossy_mask_is_divided_at_half(kind, quality):
    picture = Image.new("L", (200, 160))
    ImageDraw.Draw(picture).ellipse((40, 30, 120, 110), fill=255)
    shape = np.asarray(picture) > 0
    found = read(as_file(picture, kind, quality=quality))
    assert (np.asarray(Image.open(io.BytesIO(as_file(picture, kind, quality=quality))).convert("L")) > 0).mean() > (
        found.mean()
    )
    assert (found != shape).mean() < 0.004
    colour = read(as_file(picture.convert("RGB"), kind, quality=quality))
    assert (colour != shape).mean() < 0.004


@pytest.mark.parametrize("high", [1, 3, 100])
def test_a_lossy_mask_that_is_not_black_and_white_is_refused(high):
    picture = np.where(np.kron(SHAPE, np.ones((4, 4))) > 0, high, 0).astype(np.uint8)
    with pytest.raises(ValueError, match="compressed with loss and not black and white"):
        read(as_file(picture, "JPEG"))
    with pytest.raises(ValueError, match="changes the values of a label map"):
        read(as_file(LABELS, "JPEG"), value=3)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
@pytest.mark.parametrize("ground", [0, 255])
def test_a_shape_in_the_alpha_channel_alone_is_that_shape(mode, ground):
    picture = Image.new("L" if mode == "LA" else "RGB", (30, 40), ground if mode == "LA" else (ground,) * 3)
    picture.putalpha(Image.fromarray(SHAPE))
    if mode == "PA":
        indices = Image.fromarray(SHAPE.astype(np.uint8), "P")
        indices.putpalette([ground] * 6)
        np.testing.assert_array_equal(read(as_file(indices, "PNG", transparency=0)), SHAPE)
    else:
        np.testing.assert_array_equal(read(as_file(picture, "PNG")), SHAPE)
        np.testing.assert_array_equal(read(as_file(picture, "TIFF"), ".tif"), SHAPE)


def test_an_opaque_alpha_changes_nothing_and_what_is_transparent_is_not_seen():
    white = np.where(SHAPE[..., None], 255, 0).astype(np.uint8).repeat(3, 2)
    opaque = np.dstack([white, np.full(SHAPE.shape, 255, np.uint8)])
    np.testing.assert_array_equal(read(as_file(opaque, "PNG")), SHAPE)
    half = opaque.copy()
    half[:, :10, 3] = 0
    np.testing.assert_array_equal(read(as_file(half, "PNG")), SHAPE & (np.arange(30) >= 10))
    deep = np.dstack([SHAPE * 65535, np.full(SHAPE.shape, 65535)]).astype(np.uint16)
    np.testing.assert_array_equal(read(as_png16(deep, 4)), SHAPE)


@pytest.mark.parametrize(
    ("stored", "fields"),
    [
        (SHAPE.astype(np.int16), {}),
        (SHAPE.astype(np.int16) - 1, {}),
        (SHAPE.astype(np.uint16) * 255, {"RescaleSlope": 1, "RescaleIntercept": -1024}),
        (SHAPE.astype(np.uint8), {"RescaleSlope": 2, "RescaleIntercept": 0}),
        ((~SHAPE).astype(np.uint8), {"photometric": "MONOCHROME1"}),
    ],
    ids=["signed", "signed below 0", "rescaled", "8 bits", "MONOCHROME1"],
)
def test_a_dicom_mask_is_read_as_what_it_shows(stored, fields):
    np.testing.assert_array_equal(read(as_dicom(stored, 8 * stored.dtype.itemsize, **fields), ".dcm"), SHAPE)
    dataset = dicom_of(stored, 8 * stored.dtype.itemsize, **fields)
    dataset.compress(RLELossless)
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    np.testing.assert_array_equal(read(file.getvalue(), ""), SHAPE)


def test_a_dicom_label_map_names_its_values():
    content = as_dicom(LABELS, 8)
    with pytest.raises(ValueError, match="3 values"):
        read(content, ".dcm")
    np.testing.assert_array_equal(read(content, ".dcm", value=7), LABELS == 7)


def test_several_masks_of_one_size_are_their_union():
    np.testing.assert_array_equal(union([LABELS == 3, LABELS == 7]), LABELS > 0)
    with pytest.raises(ValueError, match="several sizes: 9 x 9, 40 x 30"):
        union([SHAPE, np.ones((9, 9), bool)])


def by_supersampling(mask, size):
    """The covered share of each cell, by repeating every pixel until cells hold whole numbers of them."""
    fine = mask.repeat(size[0], 0).repeat(size[1], 1)
    return fine.reshape(size[0], mask.shape[0], size[1], mask.shape[1]).mean((1, 3))


MASKS = st.tuples(st.integers(1, 24), st.integers(1, 24), st.integers(0, 2**32 - 1), st.sampled_from([0.05, 0.3, 0.7]))


@settings(max_examples=60, deadline=None)
@given(MASKS, st.tuples(st.integers(1, 30), st.integers(1, 30)))
def test_area_is_exact_and_no_lesion_is_lost(drawn, size):
    height, width, seed, share = drawn
    mask = np.random.default_rng(seed).random((height, width)) < share
    area = by_supersampling(mask, size)
    np.testing.assert_allclose(covered_area(mask, size) / mask.size, area, atol=1e-12)
    found, kept = reduced_mask(mask, size)
    assert found.dtype == np.uint8 and (found >= (covered_area(mask, size) * 2 >= mask.size)).all()
    assert found.sum() <= (area >= 0.5 - 1e-12).sum() + kept
    assert ((area > 0) | (found == 0)).all()
    assert kept <= components(mask)[1]
    if mask.any():
        assert found.any()


def test_half_of_a_cell_is_lesion_and_less_is_not():
    mask = np.zeros((8, 8), bool)
    mask[0:2, 0:2] = mask[4, 0:4] = mask[5, 0:4] = True
    found, kept = reduced_mask(mask, (2, 2))
    np.testing.assert_array_equal(found, [[1, 0], [1, 0]])
    assert kept == 1  # the quarter of the first cell would have vanished


def test_a_small_lesion_keeps_its_best_covered_cell():
    mask = np.zeros((512, 512), bool)
    mask[100:105, 205:210] = True
    found, kept = reduced_mask(mask, (64, 64))
    assert np.argwhere(found).tolist() == [[12, 25]] and kept == 1
    assert (reduced_mask(mask, (512, 512))[0] == mask).all()


def test_a_large_lesion_keeps_its_area():
    rows, columns = np.mgrid[:600, :450]
    disc = (rows - 300) ** 2 + (columns - 200) ** 2 < 110**2
    found, kept = reduced_mask(disc, (128, 96))
    assert kept == 0 and abs(found.mean() / disc.mean() - 1) < 0.01


def test_a_padded_mask_keeps_its_aspect():
    mask = bring_mask_to(np.full((40, 20), 255, np.uint8), (20, 20), "pad")
    assert mask[:, :10].all() and not mask[:, 10:].any()
