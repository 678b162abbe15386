"""Multiple comparisons: p-values adjusted by Holm's method, and p-values against the best of several variants."""

from __future__ import annotations

import math

import numpy as np

from harness.statistics.arrays import Array
from harness.statistics.bootstrap import MOST_UNDEFINED, undefined_share


def holm(p_values: Array) -> Array:
    """Adjust p-values to keep the probability of any false rejection at the level, for any dependence.

    Args:
        p_values: "n" in [0, 1]; NaN stays NaN and does not count as a comparison.

    Raises:
        ValueError: a value lies outside [0, 1].

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(p_values))
    if ((p_values[known] < 0) | (p_values[known] > 1)).any():
        raise ValueError("p-values must lie in [0, 1].")
    order = known[np.argsort(p_values[known], kind="stable")]
    stepped = np.maximum.accumulate(p_values[order] * np.arange(order.size, 0, -1))
    adjusted = np.full_like(p_values, np.nan)
    adjusted[order] = np.minimum(1, stepped)
    return adjusted


def against_best(p_values: Array, variants: int) -> Array:
    """Adjust p-values of differences to the best of several variants, which is chosen by the same data.

    The largest difference among k equal variants follows the studentised range. Tukey's adjustment for all pairs
    is therefore valid for any best variant; it is conservative if variances and correlations differ. Holm's
    adjustment over the k - 1 comparisons would separate some of 20 independent equal variants in 23 % of studies
    instead of 5.

    Args:
        p_values: "n" in [0, 1], two-sided; NaN stays NaN.
        variants: k, the best included.

    Source: Tukey 1953; Hayter 1984, Annals of Statistics 12, 61-75.
    """
    from scipy.stats import norm, studentized_range

    p_values = np.asarray(p_values, dtype=np.float64)
    if variants < 2:
        return p_values
    adjusted: Array = studentized_range.sf(math.sqrt(2) * norm.isf(p_values / 2), variants, np.inf)
    return adjusted


def bootstrap_p(values: Array) -> float:
    """Compute the two-sided p-value of a difference from its resampled values "r"; the first is the difference.

    It is twice the smaller of the shares of resamples at or below 0 and at or above 0, at most 1. One is added to
    count and number, so that it is never 0. Apart from that, it is the smallest level at which the percentile
    interval excludes 0. NaN resamples do not count. The p-value is NaN if fewer than two remain or there is no
    interval (`bootstrap.MOST_UNDEFINED`). It is also NaN if every resample gives the same difference other than 0.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 15.4; the added one after
    Davison and Hinkley 1997, Bootstrap Methods and their Application, section 4.2.
    """
    values = np.asarray(values, dtype=np.float64)
    rest = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or rest.size < 2 or undefined_share(values) > MOST_UNDEFINED:
        return float("nan")
    if values[0] != 0 and rest.min() == rest.max():
        return float("nan")
    fewer = min(int((rest <= 0).sum()), int((rest >= 0).sum()))
    return min(1.0, 2 * (fewer + 1) / (rest.size + 1))
