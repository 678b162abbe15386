"""The format of an image file, determined from its content, not from the ending of its name."""

from __future__ import annotations

from typing import Literal

import numpy as np

from harness_datasets.manifest.images import dicom, pictures, tiff
from harness_datasets.manifest.images.dicom import Window
from harness_datasets.manifest.images.facts import Header, quiet
from harness_datasets.manifest.images.foreign import named

Kind = Literal["dicom", "tiff", "picture"]


def header(content: bytes, suffix: str) -> Header:
    """Return height, width, depth and colour of an image, without decoding it.

    What this accepts, `decode` reads, unless the file is damaged further on.

    Args:
        content: of the file.
        suffix: of its name; it matters only for DICOM without preamble.

    Raises:
        ValueError: it is no image that is read; says what it is.
        Exception: of whatever kind its decoder raises on a damaged file.
    """
    readers = {"dicom": dicom.header, "tiff": tiff.header, "picture": pictures.header}
    return readers[kind_of(content, suffix)](content)


def decode(content: bytes, suffix: str, window: Window = "apply") -> np.ndarray:
    """Return the pixels, upright, uint8 or uint16, "h w" or "h w 3".

    Args:
        content: of the file.
        suffix: of its name; it matters only for DICOM without preamble.
        window: of DICOM, see `dicom.decode`.

    Raises:
        ValueError: it is no image that is read; says what it is.
        Exception: of whatever kind its decoder raises on a damaged file.
    """
    kind = kind_of(content, suffix)
    if kind == "dicom":
        return dicom.decode(content, window)
    return tiff.decode(content) if kind == "tiff" else pictures.decode(content)


def kind_of(content: bytes, suffix: str) -> Kind:
    """Return which reader a file is for.

    Raises:
        ValueError: it is known, and not read.
    """
    quiet()
    if dicom.is_dicom(content, suffix):
        return "dicom"
    if content[:4] in tiff.MAGIC:
        return "tiff"
    if name := named(content):
        raise ValueError(f"is {name}, and an image is expected: PNG, JPEG, TIFF or DICOM")
    return "picture"
