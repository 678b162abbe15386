"""Positions of map cells, windows and crops in plain numbers, which a plan can check before building."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness import SizeMismatchError

CROP_PER_HEIGHT = 256 / 2944
"""Side of a crop as a share of the image's height, in the paper's configuration."""


@dataclass(frozen=True)
class Geometry:
    """An image, its map, and the crops taken from it.

    Args:
        image: height and width in pixels.
        map: height and width in cells.
        crop_px: side of a crop in pixels.
        window: height and width of a crop in cells.
    """

    image: tuple[int, int]
    map: tuple[int, int]
    crop_px: int
    window: tuple[int, int]

    @classmethod
    def of(cls, image: tuple[int, int], cells: tuple[int, int], crop_px: int | None) -> Geometry:
        """Return the geometry of an image and its map; `crop_px` None is the published proportion.

        All rounding is half to even, as published.

        Raises:
            SizeMismatchError: a crop is larger than the image.
        """
        side = max(1, round(CROP_PER_HEIGHT * image[0])) if crop_px is None else crop_px
        if side > min(image):
            raise SizeMismatchError(
                f"`crop_px <= {min(image)}` must hold for images of {image[0]}x{image[1]}, but got {side}."
            )
        high, wide = (max(1, round(side * count / length)) for count, length in zip(cells, image, strict=True))
        return cls(image, cells, side, (high, wide))

    @property
    def cells(self) -> int:
        """Cells of the map."""
        return self.map[0] * self.map[1]

    @property
    def most_crops(self) -> int:
        """Number of windows that fit side by side."""
        return (self.map[0] // self.window[0]) * (self.map[1] // self.window[1])

    @property
    def corners(self) -> tuple[int, int]:
        """Numbers of rows and columns of a window's possible upper-left corners."""
        return self.map[0] - self.window[0] + 1, self.map[1] - self.window[1] + 1

    def check(self, crops: int) -> None:
        """Refuse more crops than fit.

        Raises:
            SizeMismatchError: `crops` exceeds `most_crops`.
        """
        if crops > self.most_crops:
            size, window = "x".join(map(str, self.map)), "x".join(map(str, self.window))
            raise SizeMismatchError(
                f"K = {crops}: `crops <= {self.most_crops}` must hold for a map of {size} cells and a window of "
                f"{window} (crop_px = {self.crop_px}, image {self.image[0]}x{self.image[1]})."
            )


def map_size(image: tuple[int, int], facts: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the map's height and width from a backbone's facts, or None if they are not known.

    `layers` (kernel, stride, padding of each) gives it exactly, `stride` alone rounded up.
    """
    if "layers" in facts:
        return _through(image[0], facts["layers"]), _through(image[1], facts["layers"])
    if "stride" in facts:
        return -(-image[0] // facts["stride"]), -(-image[1] // facts["stride"])
    return None


def _through(length: int, layers: Any) -> int:
    for kernel, stride, padding in layers:
        length = (length + 2 * padding - kernel) // stride + 1
    return length
