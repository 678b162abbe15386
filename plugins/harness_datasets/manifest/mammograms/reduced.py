"""The reduced image in which breast and film are searched, and the threshold between dark and bright."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
SEARCHED_PX = 512
"""Longest side of the reduced image in which the breast is searched: less noise, and it takes milliseconds."""


def factor(shape: tuple[int, ...]) -> int:
    """Return how many pixels of the image are one of the reduced image, in each direction."""
    return max(1, -(-max(shape[:2]) // SEARCHED_PX))


def block_means(grey: np.ndarray, factor: int) -> npt.NDArray[np.float32]:
    """Return means of blocks; the last of a row or column may be smaller."""
    height, width = (-(-length // factor) * factor for length in grey.shape)
    padded = np.pad(grey, ((0, height - grey.shape[0]), (0, width - grey.shape[1])), "edge")
    blocks = padded.reshape(height // factor, factor, width // factor, factor)
    means: npt.NDArray[np.float32] = blocks.mean((1, 3), dtype=np.float32)
    return means


def enlarged(small: Mask, factor: int, shape: tuple[int, ...]) -> Mask:
    """Repeat every pixel and cut to the shape."""
    return small.repeat(factor, 0).repeat(factor, 1)[: shape[0], : shape[1]]


def otsu(values: npt.NDArray[np.float32]) -> float:
    """Return the split of a histogram in two with the least variance within them (Otsu 1979)."""
    counts, edges = np.histogram(values, 256)
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = counts.cumsum()[:-1], counts[::-1].cumsum()[::-1][1:]
    sums = (counts * centres).cumsum()
    first, second = sums[:-1] / np.maximum(below, 1), (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return float(edges[1:-1][np.argmax(below * above * (first - second) ** 2)])
