"""Normalisation of mammograms: breasts face right, everything but the breast is 0, a window holds the breast.

Follows the preparation that GMIC was trained on, but finds the breast also where the background is
not strictly 0 (scanned film, detector noise) and where marks are burned in.

Source: Shen et al. 2021, Medical Image Analysis 68, 101908; Wu et al. 2020, IEEE TMI 39(4), 1184.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Side = Literal["L", "R", ""]
View = Literal["CC", "MLO", ""]

VERSION = 1
SEARCHED_PX = 512
"""Longest side of the reduced image in which the breast is searched: less noise, and it takes milliseconds."""
FAINT = 0.05
"""Of the way from background to the breast's median: darker pixels are background."""
NOISE_DEVIATIONS = 4.0
OPENING = 0.02
"""Radius over the longest side; parts connected to the breast by less are cut off: labels, film edges."""
BUFFER = 50 / 2944
"""Left free round the breast, over the image's height; not at the chest wall."""
_SIDES: dict[str, Side] = {"": "", "l": "L", "left": "L", "r": "R", "right": "R"}
_VIEWS: dict[str, View] = {"": "", "cc": "CC", "mlo": "MLO"}
_FLIPPED = {"yes": True, "true": True, "1": True, "1.0": True, "no": False, "false": False, "0": False, "0.0": False}


@dataclass(frozen=True)
class Window:
    """What is cut out of an image.

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
    """How to prepare a mammogram.

    Args:
        image_size: height and width that the result is brought to; the window has this shape.
        window_px: height and width of the window in the image's own pixels, as published (2944 x 1920); None
            takes for each image the smallest window of the shape that holds the whole breast.
    """

    image_size: tuple[int, int]
    window_px: tuple[int, int] | None = None

    def window(self, image: np.ndarray, side: Side = "", view: View = "", flipped: bool = False) -> tuple[Window, Mask]:
        """Return the window, and the breast in the image as it is stored, "h w".

        Args:
            image: "h w" or "h w c".
            side: right breasts are mirrored; where it is not known, those whose chest wall is on the right.
            view: CC is centred, MLO is at the top of the window; where it is not known, as CC.
            flipped: the file holds the mirror image, so that a right breast faces right in it and a left one left
                (DICOM's horizontal flip). Where the side is not known, the pixels tell that too.
        """
        breast = find_breast(image)
        mirrored = (side == "R") != flipped if side else wall_is_right(breast)
        facing = breast[:, ::-1] if mirrored else breast
        y0, x0, y1, x1 = _with_buffer(facing)
        size = self.window_px or _smallest(y1 - y0, x1 - x0, self.image_size)
        top, left = _place(facing, (y0, x0, y1, x1), size, view)
        return Window(mirrored, top, left, *size), breast


def prepare(image: np.ndarray, window: Window, breast: Mask) -> np.ndarray:
    """Return the window of the image, with 0 wherever no breast is near."""
    from scipy.ndimage import binary_dilation

    factor = _factor(breast.shape)
    near = binary_dilation(breast[::factor, ::factor], iterations=max(1, round(BUFFER * breast.shape[0] / factor)))
    keep = _enlarged(near, factor, breast.shape)
    return window.take(np.where(keep if image.ndim == 2 else keep[:, :, None], image, 0).astype(image.dtype))


def find_breast(image: np.ndarray) -> Mask:
    """Return the pixels of the breast, "h w": the largest bright object, filled, without thin attachments.

    The threshold is above the background's noise, and at least at 5 % of the way to the breast's
    median. Of an image without any contrast every pixel is breast.
    """
    from scipy.ndimage import binary_erosion, binary_fill_holes, binary_propagation, gaussian_filter, label

    grey = image if image.ndim == 2 else image.mean(2)
    factor = _factor(grey.shape)
    small = gaussian_filter(_block_means(grey, factor), 1.0)
    if small.max() <= small.min():
        return np.ones(grey.shape, bool)
    bright = small > _threshold(small)
    radius = max(1, round(OPENING * max(small.shape)))
    core = binary_erosion(np.pad(bright, radius, "edge"), iterations=radius)[radius:-radius, radius:-radius]
    parts, count = label(core if core.any() else bright)
    largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:])) if count else bright
    # Grown back as far as it was worn away and no further: a label that touches the breast stays cut off.
    grown = binary_propagation(largest, mask=bright & _within(largest, 2 * radius))
    return _enlarged(binary_fill_holes(grown), factor, grey.shape)


def wall_is_right(breast: Mask) -> bool:
    """Return True if the chest wall is on the right, where the breast is taller than at the nipple."""
    columns = np.flatnonzero(breast.any(0))
    if not columns.size:
        return False
    tall = breast[:, columns[0] : columns[-1] + 1].sum(0)
    edge = max(1, len(tall) // 5)
    return bool(tall[-edge:].mean() > tall[:edge].mean())


def side_of(text: str) -> Side:
    """Return L or R as tables write them.

    Raises:
        ValueError: it is neither.
    """
    if text.lower() not in _SIDES:
        raise ValueError(f"L or R expected, but got {text!r}")
    return _SIDES[text.lower()]


def view_of(text: str) -> View:
    """Return CC or MLO as tables write them.

    Raises:
        ValueError: it is neither.
    """
    if text.lower() not in _VIEWS:
        raise ValueError(f"CC or MLO expected, but got {text!r}")
    return _VIEWS[text.lower()]


def flipped_of(text: str) -> bool:
    """Return YES or NO, as exam lists write them, as a truth value; as a text even "NO" would be true.

    Raises:
        ValueError: it is neither; an empty cell does not say that an image was not flipped.
    """
    if text.lower() not in _FLIPPED:
        raise ValueError(f"YES or NO (1 or 0) expected, but got {text!r}")
    return _FLIPPED[text.lower()]


def _threshold(small: npt.NDArray[np.float32]) -> float:
    """Return a threshold above the background: its most frequent value plus noise or a share of the breast."""
    split = _otsu(small)
    low, core = small[small <= split], float(np.median(small[small > split]))
    counts, edges = np.histogram(low, 128)
    peak = int(np.argmax(counts))
    background = float(edges[peak] + edges[peak + 1]) / 2
    below = background - low[low < background]
    noise = 1.4826 * float(np.median(below)) if below.size else 0.0
    return min(split, background + max(NOISE_DEVIATIONS * noise, FAINT * (core - background)))


def _otsu(values: npt.NDArray[np.float32]) -> float:
    """Return the split of a histogram in two with the least variance within them (Otsu 1979)."""
    counts, edges = np.histogram(values, 256)
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = counts.cumsum()[:-1], counts[::-1].cumsum()[::-1][1:]
    sums = (counts * centres).cumsum()
    first, second = sums[:-1] / np.maximum(below, 1), (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return float(edges[1:-1][np.argmax(below * above * (first - second) ** 2)])


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


def _factor(shape: tuple[int, ...]) -> int:
    return max(1, -(-max(shape[:2]) // SEARCHED_PX))


def _block_means(grey: np.ndarray, factor: int) -> npt.NDArray[np.float32]:
    """Return means of blocks; the last of a row or column may be smaller."""
    height, width = (-(-length // factor) * factor for length in grey.shape)
    padded = np.pad(grey, ((0, height - grey.shape[0]), (0, width - grey.shape[1])), "edge")
    blocks = padded.reshape(height // factor, factor, width // factor, factor)
    means: npt.NDArray[np.float32] = blocks.mean((1, 3), dtype=np.float32)
    return means


def _enlarged(small: Mask, factor: int, shape: tuple[int, ...]) -> Mask:
    """Repeat every pixel and cut to the shape."""
    return small.repeat(factor, 0).repeat(factor, 1)[: shape[0], : shape[1]]


def _within(mask: Mask, distance: int) -> Mask:
    from scipy.ndimage import binary_dilation

    found: Mask = binary_dilation(mask, iterations=distance)
    return found
