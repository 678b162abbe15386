"""The attention of a model over patches with and without a lesion."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.statistics.arrays import Array


def touched(mask: npt.NDArray[np.generic], boxes: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Return True for boxes with a pixel of the mask "h w"; "n 4" of x0 y0 x1 y1, half open, cut at the border."""
    summed = np.pad((np.asarray(mask) > 0).cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
    height, width = np.asarray(mask).shape
    x0, x1 = (boxes[:, column].clip(0, width) for column in (0, 2))
    y0, y1 = (boxes[:, column].clip(0, height) for column in (1, 3))
    return np.asarray(summed[y1, x1] - summed[y0, x1] - summed[y1, x0] + summed[y0, x0] > 0)


def attention_gap(weights: Array, positive: npt.NDArray[np.bool_]) -> float:
    """Return the mean weight of positive instances minus that of negative ones; NaN if either are missing."""
    if positive.all() or not positive.any():
        return float("nan")
    return float(weights[positive].mean() - weights[~positive].mean())
