"""Whether a map shows what the score rests on: figures of the faithfulness table, and the decision chart.

Two readings of "Drop in Confidence" stand in the literature, and both are here. One covers the rest of
the image and wants a small drop (Chattopadhay et al. 2018; pytorch-grad-cam); the other covers what the
map calls important and wants a large one. "Increase in Confidence" covers the rest in both.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, stats

from harness.statistics.arrays import Array

if TYPE_CHECKING:
    pass

_WINDOW_SIGMA, _WINDOW_RADIUS = 1.5, 5


def drop(before: Array, after: Array) -> Array:
    """Drop in Confidence of each image: max(0, Y - O).

    Args:
        before: Y, the class's probability on the image as it is.
        after: O, on the covered image.
    """
    fall: Array = np.maximum(0.0, np.asarray(before, np.float64) - np.asarray(after, np.float64))
    return fall


def relative_drop(before: Array, after: Array) -> Array:
    """Average Drop % of each image: 100 max(0, Y - O) / Y, of probabilities; NaN where Y is 0.

    Source: Chattopadhay et al. 2018, WACV, section 4.1.
    """
    before = np.asarray(before, np.float64)
    share: Array = np.divide(100 * drop(before, after), before, out=np.full(before.shape, math.nan), where=before > 0)
    return share


def increase(before: Array, after: Array) -> Array:
    """Increase in Confidence of each image: 1 where O > Y, else 0.

    Source: Chattopadhay et al. 2018, WACV, section 4.1.
    """
    rose: Array = (np.asarray(after, np.float64) > np.asarray(before, np.float64)).astype(np.float64)
    return rose


def curve_area(scores: Array) -> float:
    """Area under a curve of scores at equal steps from 0 to all of the pixels, by the trapezoidal rule; in [0, 1].

    Source: Petsiuk et al. 2018, BMVC (insertion: higher is better; deletion: lower is better).
    """
    values = np.asarray(scores, np.float64)
    return float((values[1:] + values[:-1]).mean() / 2)


def rank_correlation(first: Array, second: Array) -> float:
    """Spearman's rank correlation of two maps, pixel by pixel; NaN where one of them is constant.

    Source: Adebayo et al. 2018, NeurIPS, section 4.
    """
    a, b = np.asarray(first, np.float64).ravel(), np.asarray(second, np.float64).ravel()
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(stats.spearmanr(a, b).statistic)


def structural_similarity(first: Array, second: Array) -> float:
    """SSIM of two maps in [0, 1]: Gaussian window of deviation 1.5 and 11 x 11 pixels, edges mirrored.

    Source: Wang et al. 2004, IEEE Transactions on Image Processing, equation 13, K1 = .01, K2 = .03, L = 1.
    """

    def smooth(values: Array) -> Array:
        found: Array = ndimage.gaussian_filter(values, _WINDOW_SIGMA, radius=_WINDOW_RADIUS)
        return found

    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    mean_a, mean_b = smooth(a), smooth(b)
    spread = smooth(a * a) - mean_a**2 + smooth(b * b) - mean_b**2
    shared = smooth(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    of = (2 * mean_a * mean_b + c1) * (2 * shared + c2) / ((mean_a**2 + mean_b**2 + c1) * (spread + c2))
    return float(of.mean())
