"""PNG, JPEG and their kind: depth, orientation, alpha and what is no picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from harness_datasets.manifest.images.facts import LIMIT_VARIABLE, Header, misfit, turned
from harness_datasets.manifest.images.formats import decode, header
from tests.plugins.datasets.manifest.images.files import as_file, as_png16, as_tiff

RNG = np.random.default_rng(5)
COLOUR = RNG.integers(0, 256, (12, 18, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (12, 18, 3), np.uint16)


@pytest.mark.parametrize(
    ("colour_type", "stored", "expected"),
    [
        (0, DEEP[..., :1], DEEP[..., 0]),
        (2, DEEP, DEEP),
        (4, DEEP[..., :2], DEEP[..., 0]),
        (6, np.dstack([DEEP, DEEP[..., :1]]), DEEP),
    ],
    ids=["grey", "RGB", "grey and alpha", "RGBA"],
)
def test_sixteen_bits_a_channel_of_a_png_are_kept(colour_type, stored, expected):
    content = as_png16(stored, colour_type)
    found = header(content, ".png")
    assert (found.height, found.width, found.bits, found.channels) == (12, 18, 16, 3 if expected.ndim == 3 else 1)
    assert found.alpha == (colour_type in (4, 6))
    np.testing.assert_array_equal(decode(content, ".png"), expected)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied_as_pillow_applies_it(kind, orientation):
    content = as_file(COLOUR, kind, orientation)
    with Image.open(io.BytesIO(content)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(decode(content, ".any"), expected)
    found = header(content, ".any")
    assert (found.height, found.width, found.orientation) == (*expected.shape[:2], orientation)


def test_an_orientation_behind_the_pixels_of_a_png_is_found():
    content = as_file(COLOUR, "PNG", 6)
    place, end = content.index(b"eXIf") - 4, content.index(b"IDAT") - 4
    moved = content[:place] + content[end:-12] + content[place:end] + content[-12:]
    assert header(moved, ".png").orientation == 6
    np.testing.assert_array_equal(decode(moved, ".png"), decode(content, ".png"))


def test_every_turn_keeps_all_pixels_and_four_quarter_turns_are_none():
    for orientation in range(1, 9):
        assert sorted(turned(DEEP, orientation).ravel()) == sorted(DEEP.ravel())
    image = DEEP
    for _ in range(4):
        image = turned(image, 6)
    np.testing.assert_array_equal(image, DEEP)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA", "P"])
def test_alpha_is_told_and_dropped(mode):
    picture = Image.fromarray(COLOUR).convert("RGBA")
    picture.putalpha(Image.fromarray(COLOUR[..., 0]))
    picture = picture.convert("P" if mode in ("P", "PA") else mode)
    options = {"transparency": 0} if mode in ("P", "PA") else {}
    content = as_file(picture, "PNG", **options)
    assert header(content, ".png").alpha
    grey = header(content, ".png").channels == 1
    with Image.open(io.BytesIO(content)) as image:
        expected = np.asarray(image.convert("RGBA"))
    np.testing.assert_array_equal(decode(content, ".png"), expected[..., 0] if grey else expected[..., :3])


def test_a_palette_of_greys_is_grey_and_a_bit_is_told():
    grey = Image.fromarray(COLOUR[..., 0], "L").convert("P")
    content = as_file(grey, "PNG")
    assert header(content, ".png").channels == 1
    np.testing.assert_array_equal(decode(content, ".png"), COLOUR[..., 0])
    assert header(as_file(COLOUR[..., 0] > 99, "PNG"), ".png").binary


def test_an_animation_is_refused_by_its_number_of_frames():
    frames = [Image.fromarray(COLOUR[..., place]) for place in range(3)]
    for kind in ("GIF", "WEBP", "PNG"):
        content = as_file(frames[0], kind, save_all=True, append_images=frames[1:])
        for read in (header, decode):
            with pytest.raises(ValueError, match="3 frames"):
                read(content, ".any")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\x1f\x8b\x08" + bytes(300), "NIfTI"),
        (bytes(344) + b"n+1\0" + bytes(100), "NIfTI volume"),
        (b"NRRD0004\n" + bytes(300), "NRRD volume"),
        (b'{"images": [], "annotations": [{"segmentation": [[1, 2, 3, 4]]}]}', "annotation of COCO"),
        (b'{"size": [10, 10], "counts": "abc"}', "run-length code"),
        (b'{"shapes": [{"points": [[1, 2]]}]}', "list of polygons"),
        (b"<?xml version='1.0'?><annotation/>", "XML"),
        (b"\x93NUMPY" + bytes(99), "NumPy"),
        (b"", "is empty"),
        (b"\xff\x0a" + bytes(99), "JPEG XL"),
        (b"\xff\xd8\xff\xc1" + bytes(99), "12 bits, or without loss"),
        (b"hello, this is no image", "no image that is known begins with b'hello, t'"),
    ],
)
def test_what_is_no_image_is_refused_by_its_name(content, name):
    for read in (header, decode):
        with pytest.raises(ValueError, match=name):
            read(content, ".png")


def test_the_ending_of_a_name_does_not_matter():
    np.testing.assert_array_equal(decode(as_tiff(COLOUR, photometric="rgb"), ".jpg"), COLOUR)
    np.testing.assert_array_equal(decode(as_file(COLOUR, "PNG"), ".dcm"), COLOUR)


def test_an_image_of_180_megapixels_is_read_and_the_limit_is_the_machines(monkeypatch):
    content = as_file(Image.new("1", (18000, 10000)), "PNG")
    assert header(content, ".png").height == 10000
    wide = as_file(Image.new("1", (11000, 8200)), "TIFF", compression="group4")  # more than Pillow warns of
    assert decode(wide, ".tif").shape == (8200, 11000)
    monkeypatch.setenv(LIMIT_VARIABLE, "80")
    with pytest.raises(ValueError, match=r"180 megapixels, and 80 are allowed: raise images.max_megapixels"):
        header(content, ".png")
    with pytest.raises(ValueError, match="90 megapixels"):
        header(wide, ".tif")


def test_no_warning_of_a_library_reaches_the_user(capfd, caplog):
    content = as_file(COLOUR, "PNG")
    damaged = content.replace(b"IEND", b"iENd")
    exif = as_file(COLOUR, "JPEG", 6)
    place = exif.index(b"Exif\0\0") + 10
    for broken in (damaged, exif[:place] + b"\xff" * 6 + exif[place + 6 :]):
        try:
            header(broken, ".png"), decode(broken, ".png")
        except Exception as error:  # noqa: BLE001 - warnings are errors here, whatever they are
            assert not isinstance(error, Warning)
    tiff = bytearray(as_tiff(COLOUR, photometric="rgb", extratags=[(65000, "s", 0, "x" * 9, True)]))
    np.testing.assert_array_equal(decode(bytes(tiff), ".tif"), COLOUR)
    assert capfd.readouterr() == ("", "") and not caplog.records


def test_a_mask_of_another_orientation_than_its_image_is_refused_unless_the_size_tells():
    upright, sideways, over = (Header(30, 20, 8, orientation=turn) for turn in (1, 6, 3))
    assert misfit(upright, upright) == misfit(over, over) == misfit(upright, sideways) == ""
    assert "EXIF orientation 1, its image 3" in misfit(upright, over)
    assert "turned by 90 degrees" in misfit(Header(20, 30, 8), upright)
    square = Header(20, 20, 8), Header(20, 20, 8, orientation=6)
    assert "is unknown" in misfit(*square)
