"""The window of a mammogram: where it is, and the cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness_datasets.manifest.mammograms.breast import find_breast, wall_is_right
from harness_datasets.manifest.mammograms.film import is_inverted
from harness_datasets.manifest.mammograms.reduced import Mask, enlarged, factor
from harness_datasets.manifest.mammograms.words import Side, View

VERSION = 2
BUFFER = 50 / 2944
"""Left free round the breast, over the image's height; not at the chest wall."""
LEAST = 0.03
"""Share of the image from which an object is a breast, not a mark."""
Polarity = Literal["refuse", "invert", "keep"]


@dataclass(frozen=True)
class Window:
    """The part that is cut out of an image.

    Args:
        mirrored: the image is turned left to right first; rows and columns are counted after that.
        top: first row; may be negative, as what lies outside the image is 0.
        left: first column.
        height: in pixels.
        width: in pixels.
    """

    mirrored: bool
    top: int
    left: int
    height: int
    width: int

    def take(self, pixels: np.ndarray) -> np.ndarray:
        """Cut the window out of an image or mask, "h w" or "h w c"; 0 outside."""
        pixels = pixels[:, ::-1] if self.mirrored else pixels
        found = np.zeros((self.height, self.width, *pixels.shape[2:]), pixels.dtype)
        rows = slice(max(0, self.top), min(pixels.shape[0], self.top + self.height))
        columns = slice(max(0, self.left), min(pixels.shape[1], self.left + self.width))
        if rows.start < rows.stop and columns.start < columns.stop:
            inner = pixels[rows, columns]
            found[
                rows.start - self.top : rows.stop - self.top, columns.start - self.left : columns.stop - self.left
            ] = inner
        return found


@dataclass(frozen=True)
class Mammogram:
    """Preparation of a mammogram.

    Args:
        image_size: height and width that the result is brought to; the window has this shape.
        window_px: height and width of the window in the image's own pixels, as published (2944 x 1920); None
            takes for each image the smallest window of the shape that holds the whole breast.
        inverted: what becomes of an image whose background is bright.
    """

    image_size: tuple[int, int]
    window_px: tuple[int, int] | None = None
    inverted: Polarity = "refuse"

    def positive(self, image: np.ndarray) -> np.ndarray:
        """Return the image with a dark background, "h w" or "h w 3".

        Raises:
            ValueError: it is inverted, and that is to be refused.
        """
        if self.inverted == "keep" or not is_inverted(image if image.ndim == 2 else image.mean(2)):
            return image
        if self.inverted == "refuse":
            raise ValueError('is an inverted film, its background is bright: set inverted = "invert", or "keep"')
        return np.asarray(image.max() - (image - image.min()), image.dtype)

    def window(self, image: np.ndarray, side: Side = "", view: View = "", flipped: bool = False) -> tuple[Window, Mask]:
        """Return the window, and the breast in the image as it is stored, "h w".

        Args:
            image: "h w" or "h w c".
            side: right breasts are mirrored; where it is not known, those whose chest wall is on the right.
            view: CC is centred, MLO is at the top of the window; where it is not known, as CC.
            flipped: the file holds the mirror image, so that a right breast faces right in it and a left one left
                (DICOM's horizontal flip). Where the side is not known, the pixels tell that too.

        Raises:
            ValueError: no breast is found.
        """
        breast = find_breast(image)
        if breast.mean() < LEAST or image.min() == image.max():
            raise ValueError(f"no breast is found in it: {100 * breast.mean():.1f} % of it differs from the background")
        mirrored = (side == "R") != flipped if side else wall_is_right(breast)
        facing = breast[:, ::-1] if mirrored else breast
        y0, x0, y1, x1 = _with_buffer(facing)
        size = self.window_px or _smallest(y1 - y0, x1 - x0, self.image_size)
        top, left = _place(facing, (y0, x0, y1, x1), size, view)
        return Window(mirrored, top, left, *size), breast


def prepare(image: np.ndarray, window: Window, breast: Mask) -> np.ndarray:
    """Return the window of the image, with 0 wherever no breast is near."""
    from scipy.ndimage import binary_dilation

    step = factor(breast.shape)
    near = binary_dilation(breast[::step, ::step], iterations=max(1, round(BUFFER * breast.shape[0] / step)))
    keep = enlarged(near, step, breast.shape)
    return window.take(np.where(keep if image.ndim == 2 else keep[:, :, None], image, 0).astype(image.dtype))


def _with_buffer(breast: Mask) -> tuple[int, int, int, int]:
    """Return y0 x0 y1 x1 of a breast that faces right, half open, with a buffer above, below and right."""
    rows, columns = np.flatnonzero(breast.any(1)), np.flatnonzero(breast.any(0))
    if not rows.size:
        return 0, 0, *breast.shape
    free = round(BUFFER * breast.shape[0])
    return (
        max(0, int(rows[0]) - free),
        int(columns[0]),
        min(breast.shape[0], int(rows[-1]) + 1 + free),
        min(breast.shape[1], int(columns[-1]) + 1 + free),
    )


def _smallest(height: int, width: int, shape: tuple[int, int]) -> tuple[int, int]:
    """Return the smallest size of this shape that holds height and width."""
    scale = max(height / shape[0], width / shape[1])
    return max(height, round(scale * shape[0])), max(width, round(scale * shape[1]))


def _place(breast: Mask, box: tuple[int, int, int, int], size: tuple[int, int], view: View) -> tuple[int, int]:
    """Return top and left of a window of this size.

    Where the box is smaller, it is padded: to the right, and below, in a CC view as much above. Where it is
    larger, the window that holds the most breast wins among those that hold the breast's right-most point (in an
    MLO view the lowest of these), and of equals the one nearest to the box's centre.
    """
    y0, x0, y1, x1 = box
    spare = size[0] - (y1 - y0)
    top = y0 if view == "MLO" else y0 - spare // 2
    if spare >= 0 and size[1] >= x1 - x0:
        return top, x0
    inside = breast[y0:y1, x0:x1]
    held = _counts(inside, (min(size[0], y1 - y0), min(size[1], x1 - x0)))
    row, column = _tip(inside, view)
    rows, columns = np.arange(held.shape[0]), np.arange(held.shape[1])
    allowed = ((rows <= row) & (row < rows + size[0]))[:, None] & ((columns <= column) & (column < columns + size[1]))
    held = np.where(allowed, held, -1)
    found = np.argwhere(held == held.max())
    best = found[np.argmin(((found - (np.array(held.shape) - 1) / 2) ** 2).sum(1))]
    return (top if spare >= 0 else y0 + int(best[0])), x0 + int(best[1])


def _counts(inside: Mask, size: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Count the breast's pixels in every window of this size, by a summed-area table."""
    table = np.pad(inside.cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
    high, wide = size
    counts: npt.NDArray[np.int64] = (
        table[high:, wide:] - table[:-high, wide:] - table[high:, :-wide] + table[:-high, :-wide]
    )
    return counts


def _tip(inside: Mask, view: View) -> tuple[int, int]:
    """Return row and column of the right-most pixel in the lower two thirds: the middle one, of an MLO the lowest."""
    start = inside.shape[0] // 3
    lower = inside[start:] if inside[start:].any() else inside
    column = int(np.flatnonzero(lower.any(0))[-1])
    rows = np.flatnonzero(lower[:, column]) + (inside.shape[0] - lower.shape[0])
    return int(rows[-1] if view == "MLO" else rows[len(rows) // 2]), column
