"""Candidates: the lesions that a map proposes. Each is a local maximum with a score and a position."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.metrics.maps.grid import cell_edges, fitting
from harness.statistics.arrays import Array

MOST = 20
"""Maximum number of candidates of one map, the highest first."""
RADIUS = 0.05
"""Minimum distance of two candidates, as a fraction of the longer side of the image."""
_EIGHT = np.ones((3, 3), int)


def candidates(saliency: Array, size: tuple[int, int]) -> Array:
    """Return the local maxima of a map, highest first, without those too near a higher one.

    A local maximum is an 8-connected plateau of equal cells with only lower cells around it. Its position is the
    centre of the plateau's cell nearest to its middle. Equal scores are sorted from top to bottom, then left to right.
    A constant map has none. A map finer than the image is first reduced to its size by nearest neighbour.

    Args:
        saliency: "i j".
        size: height and width of the image.

    Returns:
        "p 3" of score (the map's value), x and y (pixels, of centres: the first pixel's is .5); at most MOST.

    Source: local maxima and greedy non-maximum suppression as in the CAMELYON16 evaluation (Ehteshami Bejnordi
    et al. 2017, JAMA); its radius is 75 px of a slide, here it is RADIUS of the longer side.
    """
    values = fitting(np.asarray(saliency, dtype=np.float64), size)
    edges = [cell_edges(cells, out) for cells, out in zip(values.shape, size, strict=True)]
    centres = [(edge[:-1] + edge[1:]) / 2 for edge in edges]
    peaks = np.array(list(_peaks(values)), dtype=np.intp).reshape(-1, 2)
    found = np.column_stack([values[peaks[:, 0], peaks[:, 1]], centres[1][peaks[:, 1]], centres[0][peaks[:, 0]]])
    found = found[np.lexsort((found[:, 1], found[:, 2], -found[:, 0]))]
    kept: list[Array] = []
    for peak in found:
        if len(kept) == MOST:
            break
        if all(np.hypot(peak[1] - other[1], peak[2] - other[2]) >= RADIUS * max(size) for other in kept):
            kept.append(peak)
    return np.array(kept).reshape(-1, 3)


def hits(found: Array, labelled: Array) -> Array:
    """Return the lesion of each candidate, "p" of 1, 2, … as in `components`; 0 outside all lesions."""
    columns, rows = (np.floor(found[:, place]).astype(np.intp) for place in (1, 2))
    lesion: Array = labelled[rows, columns]
    return lesion


def _peaks(values: Array) -> Iterator[tuple[int, int]]:
    """Yield row and column of every local maximum."""
    from scipy import ndimage

    if values.max() == values.min():
        return
    highest = values == ndimage.maximum_filter(values, size=3, mode="nearest")
    # A plateau with a higher neighbour has a cell that is not the highest around, and it touches one that is.
    around = ndimage.maximum_filter(np.where(highest, -np.inf, values), size=3, mode="constant", cval=-np.inf)
    labelled, count = ndimage.label(highest, structure=_EIGHT)
    sizes = np.bincount(labelled.ravel(), minlength=count + 1)
    sizes[labelled[highest & (around == values)]] = 0  # part of a plateau with a higher neighbour
    yield from ((row, column) for row, column in np.argwhere(highest & (sizes[labelled] == 1)).tolist())
    boxes = ndimage.find_objects(labelled) if (sizes[1:] > 1).any() else []
    for number in (np.flatnonzero(sizes[1:] > 1) + 1).tolist():
        box = boxes[number - 1]
        cells = np.argwhere(labelled[box] == number) + [side.start for side in box]
        row, column = cells[((cells - cells.mean(0)) ** 2).sum(1).argmin()]
        yield int(row), int(column)
