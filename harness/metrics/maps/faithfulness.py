"""Metrics of faithfulness: the dependence of the score on the part of the image that a map marks.

The literature has two definitions of "Drop in Confidence", and both are here. One covers the rest of the image: a
small drop is good (Chattopadhay et al. 2018; pytorch-grad-cam). The other covers the part that the map marks: a large
drop is good. "Increase in Confidence" covers the rest in both.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage, stats

from harness.statistics.arrays import Array, ratio

_WINDOW_SIGMA, _WINDOW_RADIUS = 1.5, 5


def drop(before: Array, after: Array) -> Array:
    """Return the Drop in Confidence of each image: max(0, Y - O).

    Args:
        before: Y, the class's probability on the original image.
        after: O, on the covered image.
    """
    fall: Array = np.maximum(0.0, np.asarray(before, np.float64) - np.asarray(after, np.float64))
    return fall


def relative_drop(before: Array, after: Array) -> Array:
    """Return the Average Drop % of each image: 100 max(0, Y - O) / Y, of probabilities; NaN if Y is 0.

    Source: Chattopadhay et al. 2018, WACV, section 4.1.
    """
    before = np.asarray(before, np.float64)
    return ratio(100 * drop(before, after), before)


def increase(before: Array, after: Array) -> Array:
    """Return the Increase in Confidence of each image: 1 if O > Y, else 0.

    Source: Chattopadhay et al. 2018, WACV, section 4.1.
    """
    rose: Array = (np.asarray(after, np.float64) > np.asarray(before, np.float64)).astype(np.float64)
    return rose


def curve_area(scores: Array) -> float:
    """Return the area under a curve of scores at equal steps of the share of pixels, by the trapezoidal rule.

    Source: Petsiuk et al. 2018, BMVC (insertion: higher is better; deletion: lower is better).
    """
    values = np.asarray(scores, np.float64)
    return float((values[1:] + values[:-1]).mean() / 2)


def rank_correlation(first: Array, second: Array) -> float:
    """Return Spearman's rank correlation of two maps over pixels; NaN if one of them is constant.

    Source: Adebayo et al. 2018, NeurIPS, section 4.
    """
    a, b = np.asarray(first, np.float64).ravel(), np.asarray(second, np.float64).ravel()
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(stats.spearmanr(a, b).statistic)


def structural_similarity(first: Array, second: Array) -> float:
    """Return the SSIM of two maps in [0, 1]: Gaussian window of deviation 1.5 and 11 x 11 pixels, edges mirrored.

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
