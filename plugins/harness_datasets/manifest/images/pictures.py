"""PNG, JPEG, BMP, GIF and WebP: everything but TIFF and DICOM."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from harness_datasets.manifest.images.facts import Header, check_size, turned

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
LOSSY = ("JPEG", "MPO", "WEBP")
_ORIENTATION = 0x0112
_PNG_CHANNELS = {2: 3, 4: 1, 6: 3}  # colour types with several samples a pixel


def header(content: bytes) -> Header:
    """Return the facts of a picture.

    Raises:
        ValueError: it is none, or has several frames or too many pixels.
    """
    with opened(content) as image:
        orientation = _orientation(image, content)
        height, width = (image.width, image.height) if orientation >= 5 else (image.height, image.width)
        return Header(
            height,
            width,
            bits=16 if _is_deep(image, content) else 8,
            channels=_channels(image, content),
            alpha=image.has_transparency_data,
            binary=image.mode == "1",
            orientation=orientation,
        )


def decode(content: bytes) -> np.ndarray:
    """Return the pixels, uint8 or uint16, "h w" or "h w 3"; an alpha channel is dropped."""
    with opened(content) as image:
        orientation = _orientation(image, content)
        if _is_deep(image, content):
            return turned(_deep(image, content), orientation)
        if image.mode == "1":
            return turned(np.asarray(image).astype(np.uint8) * np.uint8(255), orientation)
        return turned(np.asarray(image.convert("L" if _channels(image, content) == 1 else "RGB")), orientation)


def drawing(content: bytes, indexed: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the values of a mask file, "h w" or "h w 3", and its alpha channel, "h w", if it has one.

    Args:
        content: of the file.
        indexed: a palette's indices are wanted, not its colours.
    """
    with opened(content) as image:
        orientation = _orientation(image, content)
        alpha = np.asarray(image.convert("RGBA"))[..., 3] if image.has_transparency_data else None
        values = np.asarray(image) if image.mode == "P" and indexed else decode_upright(image, content)
        return turned(values, orientation), None if alpha is None else turned(alpha, orientation)


def decode_upright(image: Image, content: bytes) -> np.ndarray:
    """Return the pixels as they are stored, before the orientation is applied; a bit is 0 or 1."""
    if _is_deep(image, content):
        return _deep(image, content)
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    return np.asarray(image.convert("L" if _channels(image, content) == 1 else "RGB"))


def is_lossy(content: bytes) -> bool:
    """Return True if the compression changes values."""
    with opened(content) as image:
        return image.format in LOSSY


def opened(content: bytes) -> Image:
    """Open a picture with Pillow, without decoding it.

    Raises:
        ValueError: it is no picture, or has several frames or too many pixels.
    """
    import PIL.Image

    try:
        image = PIL.Image.open(io.BytesIO(content), formats=FORMATS)
    except PIL.UnidentifiedImageError:  # Pillow's message names a buffer, unknown to the user
        raise ValueError(_unknown(content)) from None
    check_size(image.height, image.width)
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # the further pictures of a camera's MPO are previews
        raise ValueError(f"one image expected, but got {frames} frames")
    return image


def _unknown(content: bytes) -> str:
    if content[:2] == b"\xff\xd8":
        return "is damaged, or a JPEG file of a kind that is not read: 12 bits, or without loss"
    return f"no image that is known begins with {content[:8]!r}" if content else "is empty"


def _channels(image: Image, content: bytes) -> int:
    """Return 1 for grey, also of a palette, else 3."""
    if image.format == "PNG" and content[25] in _PNG_CHANNELS:  # Pillow opens grey of 16 bits with alpha as RGBA
        return _PNG_CHANNELS[content[25]]
    if image.mode in ("P", "PA"):
        palette = np.array(image.getpalette() or [], np.uint8).reshape(-1, 3)
        return 1 if (palette == palette[:, :1]).all() else 3
    return 1 if image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I") else 3


def _is_deep(image: Image, content: bytes) -> bool:
    return image.mode.startswith("I") or (image.format == "PNG" and content[24] == 16)


def _deep(image: Image, content: bytes) -> np.ndarray:
    """Return 16 bits a channel, which Pillow cuts to 8 in files of more than one channel."""
    if content[25] not in _PNG_CHANNELS:
        return np.asarray(image).clip(0, 65535).astype(np.uint16)
    import imagecodecs

    samples = np.asarray(imagecodecs.png_decode(content))
    return samples[..., 0] if _PNG_CHANNELS[content[25]] == 1 else samples[..., :3]


def _orientation(image: Image, content: bytes) -> int:
    """Return the EXIF orientation, 1 where there is none."""
    import PIL.Image

    if image.format != "PNG":
        found = image.getexif().get(_ORIENTATION, 1)
    else:  # Pillow would decode the pixels to find it
        exif = PIL.Image.Exif()
        exif.load(next((data for name, data in _chunks(content) if name == b"eXIf"), b""))
        found = exif.get(_ORIENTATION, 1)
    return found if found in range(1, 9) else 1


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and data of each chunk of a PNG file."""
    place = 8
    while place + 8 <= len(content):
        length, name = struct.unpack(">I4s", content[place : place + 8])
        yield name, content[place + 8 : place + 8 + length]
        place += 12 + length
