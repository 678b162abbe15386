"""Boxes around lesions and around the highest values of a map, and their overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.maps.grid import cell_edges, fitting, min_max
from harness.statistics.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

STEPS = 50
"""Thresholds tried on a min-max scaled map: 0, .02, …, .98."""
_EIGHT = np.ones((3, 3), int)


def components(mask: Array) -> tuple[Array, int]:
    """Return the 8-connected components (lesions) of a mask, "h w" of 0 (outside) and 1, 2, …, and their number."""
    from scipy import ndimage

    labelled, count = ndimage.label(np.asarray(mask) > 0, structure=_EIGHT)
    return labelled, int(count)


def boxes_of(labelled: Array) -> Array:
    """Return the smallest box around each component, "l 4" of x0 y0 x1 y1 in pixels, half open."""
    from scipy import ndimage

    found = [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(labelled)]
    return np.array(found, dtype=np.int64).reshape(-1, 4)


def box_ious(saliency: Array, boxes: Array, size: tuple[int, int]) -> Array:
    """Return the IoU of the box around the highest values of a map with a lesion's box, at every threshold.

    The box is that of the largest 8-connected component of the pixels at or above the threshold, in the min-max
    scaled map. Its IoU is the highest over the boxes of the lesions. A constant map has the box of the whole image.

    Args:
        saliency: "i j", at any size.
        boxes: "l 4", of the lesions, in pixels.
        size: height and width of the image.

    Returns:
        "t", STEPS values in [0, 1]; the threshold at index t is t / STEPS.

    Source: Choe et al. 2020, CVPR, section 3.2 (MaxBoxAcc), with nearest-neighbour upsampling.
    """
    from scipy import ndimage

    scaled = min_max(fitting(saliency, size))
    scaled = scaled if scaled.any() else scaled + 1  # a constant map is above every threshold everywhere
    rows, columns = (cell_edges(cells, out) for cells, out in zip(scaled.shape, size, strict=True))
    extents = np.outer(np.diff(rows), np.diff(columns)).ravel()
    pixels = None if extents.min() == extents.max() else extents  # equal cells need no weights, which is faster
    found, last, value = np.zeros(STEPS, np.float32), -1, 0.0
    for step in range(STEPS):
        hot = scaled >= step / STEPS
        if (count := int(hot.sum())) != last:  # a small map has few levels: most thresholds change nothing
            labelled, _ = ndimage.label(hot, structure=_EIGHT)
            sizes = np.bincount(labelled.ravel(), pixels)
            largest = labelled == int(sizes[1:].argmax()) + 1
            (top, bottom), (left, right) = (np.flatnonzero(largest.any(axis))[[0, -1]] for axis in (1, 0))
            own = [int(edge) for edge in (columns[left], rows[top], columns[right + 1], rows[bottom + 1])]
            last, value = count, max((iou(own, box) for box in boxes.tolist()), default=0.0)
        found[step] = value
    return found


def box_terms(rows: pd.DataFrame) -> Array:
    """Return the box terms of rows of the maps table, "n t"; NaN in rows without, as in tables of version 1."""
    nothing = np.full(STEPS, math.nan)
    held = rows["box_iou"] if "box_iou" in rows else [None] * len(rows)
    found = [nothing if item is None or np.ndim(item) == 0 else np.asarray(item, np.float64) for item in held]
    return np.stack(found) if found else np.zeros((0, STEPS))


def iou(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the intersection over union of two boxes x0 y0 x1 y1, half open."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(wide, 0) * max(high, 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return float(shared / (areas - shared))
