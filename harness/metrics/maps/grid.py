"""The grid of a small map over a large image: nearest-neighbour resizing and cell edges, in exact integers."""

from __future__ import annotations

import numpy as np

from harness.statistics.arrays import Array


def resize_nearest(values: Array, size: tuple[int, int]) -> Array:
    """Resize a map; output pixel y takes input cell floor(y i / h), x likewise.

    This is the rule of "nearest" in torch and OpenCV for upsampling, in exact integers: each cell becomes
    a rectangle, and no new values occur. GMIC's Dice uses it for saliency.

    Args:
        values: "i j".
        size: height and width of the result, in pixels.

    Returns:
        "h w".
    """
    rows, columns = (np.arange(out) * cells // out for out, cells in zip(size, values.shape, strict=True))
    resized: Array = values[np.ix_(rows, columns)]
    return resized


def fitting(values: Array, size: tuple[int, int]) -> Array:
    """Return the map unchanged if no side is longer than the image's, else resized to the image."""
    fits = values.shape[0] <= size[0] and values.shape[1] <= size[1]
    return values if fits else resize_nearest(values, size)


def cell_edges(cells: int, pixels: int) -> Array:
    """Return the first pixel of each cell of an axis, followed by its length, "cells + 1"."""
    # The first pixel of cell s is ceil(s h / i), the lowest y with floor(y i / h) = s.
    edges: Array = -(-np.arange(cells + 1) * pixels // cells)
    return edges


def min_max(values: Array) -> Array:
    """Scale the values to [0, 1]; a constant map becomes 0."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values, dtype=np.float64)
