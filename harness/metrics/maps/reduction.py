"""Masks brought to fewer cells by the area that a lesion covers, in exact integers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.statistics.arrays import Array

_EIGHT = np.ones((3, 3), int)


def reduced_mask(mask: Array, size: tuple[int, int]) -> tuple[npt.NDArray[np.uint8], int]:
    """Return a mask at another size, and the number of its lesions that kept only one cell against the rule.

    A cell is lesion if at least half of its area is covered. An 8-connected lesion that would vanish by this rule
    keeps the cell of which it covers most, so that no lesion is lost.

    Args:
        mask: "h w", more than 0 inside.
        size: height and width of the result.

    Returns:
        "h w" uint8 of 0 and 1, and the number of lesions that kept their best-covered cell.
    """
    inside = np.asarray(mask) > 0
    if inside.shape == size:
        return inside.astype(np.uint8), 0
    found = (2 * covered_area(inside, size) >= inside.size).astype(np.uint8)
    return found, _keep(inside, found) if inside.any() else 0


def covered_area(mask: Array, size: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Return how much of each cell a mask "h w" of 0 and 1 covers, in units of which `mask.size` fill a cell."""
    inside = np.asarray(mask) > 0
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    if not rows.size:
        return np.zeros(size, np.int64)
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return _area(inside[box], box, inside.shape, size)


def _area(
    part: Array, box: tuple[slice, slice], shape: tuple[int, ...], size: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """Return the same of a part of a mask; all else of it is 0."""
    high = _along(np.asarray(part, np.int64), size[0], (box[0].start, shape[0]))
    return _along(high.T, size[1], (box[1].start, shape[1])).T


def _along(values: npt.NDArray[np.int64], cells: int, place: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Return sums of rows over cells of equal height; a row counts as `cells` units, a cell is `whole` units high.

    Args:
        values: "n m", the rows of a part of an image.
        cells: over the whole image.
        place: the part's first row, and the number of rows of the image.
    """
    first, whole = place
    edges = np.clip(np.arange(cells + 1) * whole - first * cells, 0, len(values) * cells)
    rows, rest = np.divmod(edges, cells)
    sums = np.pad(values.cumsum(0), ((1, 0), (0, 0)))
    ends = np.pad(values, ((0, 1), (0, 0)))
    return np.diff(sums[rows] * cells + ends[rows] * rest[:, None], axis=0)


def _keep(inside: npt.NDArray[np.bool_], found: npt.NDArray[np.uint8]) -> int:
    """Add the best-covered cell of each lesion without a cell to `found`, and return their number."""
    from scipy import ndimage

    labelled, count = ndimage.label(inside, structure=_EIGHT)
    held = _touched(inside.shape, found)
    lost = np.setdiff1d(np.arange(1, count + 1), np.unique(labelled[held]))
    boxes = ndimage.find_objects(labelled) if lost.size else []
    for number in lost.tolist():
        box = boxes[number - 1]
        area = _area(labelled[box] == number, box, inside.shape, (found.shape[0], found.shape[1]))
        found[np.unravel_index(int(area.argmax()), area.shape)] = 1
    return len(lost)


def _touched(shape: tuple[int, ...], found: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return the pixels of an image whose centre lies in a cell of `found`."""
    rows, columns = ((2 * np.arange(n) + 1) * cells // (2 * n) for n, cells in zip(shape, found.shape, strict=True))
    held: npt.NDArray[np.bool_] = found[np.ix_(rows, columns)] > 0
    return held
