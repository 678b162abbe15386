"""What the header of an image file states, and what holds for files of every format."""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import dataclass

import numpy as np

LIMIT_VARIABLE = "HARNESS_MAX_MEGAPIXELS"
MAX_MEGAPIXELS = 400.0
_LIBRARIES = r"(PIL|pydicom|tifffile|imagecodecs)(\.|$)"


@dataclass(frozen=True)
class Header:
    """Facts of one file, known without decoding it.

    Args:
        height: in pixels, as the file is shown: its orientation is applied.
        width: in pixels, likewise.
        bits: 8 or 16, of the array that `decode` returns.
        channels: 1 for grey, 3 for colour.
        alpha: True if the file has an alpha channel.
        binary: True if a pixel has one bit.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
    """

    height: int
    width: int
    bits: int
    channels: int = 1
    alpha: bool = False
    binary: bool = False
    orientation: int = 1


def turned(image: np.ndarray, orientation: int) -> np.ndarray:
    """Return the image upright, "h w" or "h w c", from an EXIF orientation of 1 to 8; other values change nothing.

    Source: EXIF 2.3, tag 274.
    """
    image = image.swapaxes(0, 1) if orientation >= 5 and orientation <= 8 else image
    image = image[:, ::-1] if orientation in (2, 3, 6, 7) else image
    return np.ascontiguousarray(image[::-1] if orientation in (3, 4, 7, 8) else image)


def misfit(mask: Header, image: Header) -> str:
    """Return why a mask does not lie on its image pixel by pixel, or ""."""
    if (mask.height, mask.width) != (image.height, image.width):
        found = f"is {mask.height} x {mask.width}, its image {image.height} x {image.width}"
        if (mask.width, mask.height) == (image.height, image.width):
            found += f": turned by 90 degrees (EXIF orientation {mask.orientation}, its image {image.orientation})"
        return found
    sideways = image.height != image.width and {mask.orientation >= 5, image.orientation >= 5} == {True, False}
    if mask.orientation == image.orientation or sideways:  # of a sideways image the size tells that it was turned
        return ""
    return (
        f"has the EXIF orientation {mask.orientation}, its image {image.orientation}: whether it was drawn on the "
        "turned image is unknown; save both upright, or with one orientation"
    )


def check_size(height: int, width: int) -> None:
    """Refuse an image that is larger than the limit of this machine.

    Raises:
        ValueError: it has more megapixels than `images.max_megapixels` of harness.toml.
    """
    limit = float(os.environ.get(LIMIT_VARIABLE) or MAX_MEGAPIXELS)
    if height * width > limit * 1e6:
        raise ValueError(
            f"has {height * width / 1e6:.0f} megapixels, and {limit:g} are allowed: "
            "raise images.max_megapixels in harness.toml"
        )


def quiet() -> None:
    """Keep warnings of the libraries that decode from the user: what matters is refused with a message of ours.

    Pillow's own limit of pixels goes too, because `check_size` holds that of the machine.
    """
    import PIL.Image

    PIL.Image.MAX_IMAGE_PIXELS = None
    warnings.filterwarnings("ignore", module=_LIBRARIES)
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
