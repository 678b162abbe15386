"""A small map laid over a large image: which pixels each cell covers. Nearest neighbour, in exact integers."""

from __future__ import annotations

import numpy as np

from harness.statistics.arrays import Array


def resize_nearest(values: Array, size: tuple[int, int]) -> Array:
    """A map brought to another size; output pixel y takes input cell floor(y i / h), x likewise.

    The rule of torch's and OpenCV's "nearest" for upsampling, in exact integers: each cell becomes
    a rectangle, and no value is made that was not there. It is how GMIC's Dice reads saliency.

    Args:
        values: "i j".
        size: height and width to come to, in pixels.

    Returns:
        "h w".
    """
    rows, columns = (np.arange(out) * cells // out for out, cells in zip(size, values.shape, strict=True))
    resized: Array = values[np.ix_(rows, columns)]
    return resized


def fitting(values: Array, size: tuple[int, int]) -> Array:
    """The map itself where no side is longer than the image's, else brought to the image's size."""
    fits = values.shape[0] <= size[0] and values.shape[1] <= size[1]
    return values if fits else resize_nearest(values, size)


def cell_edges(cells: int, pixels: int) -> Array:
    """First pixel of each cell of an axis, and after the last one its length: "cells + 1"."""
    # The first pixel of cell s is ceil(s h / i), where floor(y i / h) first comes to s.
    edges: Array = -(-np.arange(cells + 1) * pixels // cells)
    return edges


def min_max(values: Array) -> Array:
    """The values scaled to [0, 1]; a constant map becomes 0."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values, dtype=np.float64)
