"""TIFF: whatever the samples mean, the picture is the one that Pillow and tifffile show."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from harness_datasets.manifest.images.formats import decode, header
from tests.plugins.datasets.manifest.images.files import as_file, as_tiff

RNG = np.random.default_rng(3)
GREY = RNG.integers(0, 256, (20, 28), np.uint8)
COLOUR = RNG.integers(0, 256, (20, 28, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (20, 28), np.uint16)
DEEP_COLOUR = RNG.integers(0, 65536, (20, 28, 3), np.uint16)


def shown(content):
    """The picture by the reader; the header must have told its size, depth and colour."""
    image, facts = decode(content, ".tif"), header(content, ".tif")
    assert image.shape[:2] == (facts.height, facts.width)
    assert image.dtype.itemsize * 8 == facts.bits and (image.ndim == 3) == (facts.channels == 3)
    return image


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "YCbCr", "1", "LA", "RGBA", "P"])
def test_eight_bit_files_are_read_as_pillow_reads_them(mode):
    picture = Image.fromarray(COLOUR).convert(mode)
    content = as_file(picture, "TIFF")
    with Image.open(io.BytesIO(content)) as image:
        grey = mode in ("L", "1", "LA")
        expected = np.asarray(image.convert("L" if grey else "RGB"))
    np.testing.assert_array_equal(shown(content), expected)


@pytest.mark.parametrize("image", [COLOUR, DEEP_COLOUR], ids=["8 bits", "16 bits"])
def test_planes_of_colour_are_put_together(image):
    planes = as_tiff(np.moveaxis(image, 2, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(shown(planes), image)


@pytest.mark.parametrize("compression", ["lzw", "deflate", "packbits", "zstd", "lzma"])
@pytest.mark.parametrize("image", [GREY, COLOUR, DEEP, DEEP_COLOUR], ids=["grey", "colour", "deep", "deep colour"])
def test_lossless_compressions_with_and_without_predictor(image, compression):
    predictor = compression in ("lzw", "deflate")
    photometric = "rgb" if image.ndim == 3 else "minisblack"
    content = as_tiff(image, compression=compression, predictor=predictor, photometric=photometric)
    np.testing.assert_array_equal(shown(content), image)
    tiled = as_tiff(image, compression=compression, tile=(16, 16), photometric=photometric)
    np.testing.assert_array_equal(shown(tiled), image)


@pytest.mark.parametrize(
    ("image", "compression"),
    [(image, kind) for image in (GREY, COLOUR, DEEP, DEEP_COLOUR) for kind in ("jpegxl", "jpeg2000")]
    + [(COLOUR, "webp")],
)
def test_newer_compressions_are_read(image, compression):
    photometric = "rgb" if image.ndim == 3 else "minisblack"
    options = (
        {"compressionargs": {"lossless": True}} if compression != "jpeg2000" else {"compressionargs": {"level": 0}}
    )
    np.testing.assert_array_equal(
        shown(as_tiff(image, compression=compression, photometric=photometric, **options)), image
    )


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_fax_compressions_of_one_bit(compression):
    bits = GREY > 128
    np.testing.assert_array_equal(shown(as_file(bits, "TIFF", compression=compression)) > 0, bits)


def test_a_jpeg_inside_a_tiff_is_read():
    smooth = np.tile(np.linspace(0, 255, 32).astype(np.uint8), (32, 1))
    assert np.abs(shown(as_file(smooth, "TIFF", compression="jpeg")).astype(int) - smooth).max() < 6
    content = as_file(np.dstack([smooth, smooth, 255 - smooth]), "TIFF", compression="jpeg")
    assert np.abs(shown(content)[..., 2].astype(int) - (255 - smooth)).max() < 6


@pytest.mark.parametrize("image", [GREY, DEEP], ids=["8 bits", "16 bits"])
def test_white_is_zero_is_inverted(image):
    np.testing.assert_array_equal(shown(as_tiff(image, photometric="miniswhite")), np.iinfo(image.dtype).max - image)


def test_twelve_bits_are_stretched_over_sixteen():
    twelve = DEEP >> 4
    image = shown(as_tiff(twelve, bitspersample=12, photometric="minisblack"))
    np.testing.assert_array_equal(image, np.round(twelve * (65535 / 4095)).astype(np.uint16))


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_as_pillow_applies_it(orientation, deep):
    tag = [(274, "H", 1, orientation, True)]
    turned = shown(as_tiff(DEEP if deep else GREY, extratags=tag, photometric="minisblack"))
    with Image.open(io.BytesIO(as_tiff(GREY, extratags=tag, photometric="minisblack"))) as image:
        expected = np.asarray(image)
    assert turned.shape == expected.shape
    if not deep:
        np.testing.assert_array_equal(turned, expected)
    else:
        places = np.arange(GREY.size, dtype=np.uint16).reshape(GREY.shape)
        content = as_tiff(places, extratags=tag, photometric="minisblack")
        np.testing.assert_array_equal(GREY.ravel()[shown(content)], expected)


@pytest.mark.parametrize(
    ("image", "options", "reason"),
    [
        (np.stack([GREY, GREY]), {"photometric": "minisblack"}, "2 pages"),
        (np.stack([GREY] * 4), {"imagej": True}, "4 pages"),
        (np.stack([GREY] * 3), {"photometric": "minisblack", "planarconfig": "separate"}, "3 channels"),
        (np.dstack([GREY] * 5), {"photometric": "minisblack", "planarconfig": "contig"}, "5 channels"),
        (GREY.astype(np.float32), {}, "floats of 32 bits"),
        (GREY.astype(np.float16), {}, "floats of 16 bits"),
        (DEEP.astype(np.int16), {}, "signed integers of 16 bits"),
        (DEEP.astype(np.uint32), {}, "integers of 32 bits"),
        (np.stack([GREY] * 16), {"volumetric": True, "tile": (16, 16, 16)}, "16 slices"),
    ],
)
def test_what_is_not_one_picture_is_refused_by_the_header_already(image, options, reason):
    for read in (header, decode):
        with pytest.raises(ValueError, match=reason):
            read(as_tiff(image, **options), ".tif")


def test_a_thumbnail_beside_the_picture_is_no_second_page():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(GREY)
        writer.write(GREY[::4, ::4], subfiletype=1)
    np.testing.assert_array_equal(shown(file.getvalue()), GREY)


def test_a_compression_that_training_could_not_read_is_refused_by_the_header():
    content = bytearray(as_tiff(DEEP, photometric="minisblack"))
    with tifffile.TiffFile(io.BytesIO(bytes(content))) as page:
        place = page.pages[0].tags["Compression"].valueoffset
    content[place : place + 2] = (32809).to_bytes(2, "little")  # ThunderScan
    with pytest.raises(ValueError, match="THUNDERSCAN is not read"):
        header(bytes(content), ".tif")
