"""Several comparisons at once: p-values adjusted by Holm's method, and those against the best of several."""

from __future__ import annotations

import math

import numpy as np

from harness.statistics.arrays import Array
from harness.statistics.bootstrap import MOST_UNDEFINED, undefined_share


def holm(p_values: Array) -> Array:
    """p-values adjusted so that the chance of any false rejection stays at the level, whatever their dependence.

    Args:
        p_values: "n" in [0, 1]; NaN is no comparison: it stays NaN and does not count.

    Raises:
        ValueError: a value lies outside [0, 1].

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(p_values))
    if ((p_values[known] < 0) | (p_values[known] > 1)).any():
        raise ValueError("p-values lie in [0, 1].")
    order = known[np.argsort(p_values[known], kind="stable")]
    stepped = np.maximum.accumulate(p_values[order] * np.arange(order.size, 0, -1))
    adjusted = np.full_like(p_values, np.nan)
    adjusted[order] = np.minimum(1, stepped)
    return adjusted


def against_best(p_values: Array, systems: int) -> Array:
    """p-values of differences to the best of several systems, adjusted for its having been chosen by the same data.

    The largest difference among k equal systems has the law of the studentised range, whichever of them came out best:
    Tukey's adjustment for all pairs, conservative where systems are not alike in variance and correlation. Holm's over
    the k - 1 comparisons would separate some of 20 independent equal systems in 23 % of studies instead of 5.

    Args:
        p_values: "n" in [0, 1], two-sided; NaN stays NaN.
        systems: k, the best included.

    Source: Tukey 1953; Hayter 1984, Annals of Statistics 12, 61-75.
    """
    from scipy.stats import norm, studentized_range

    p_values = np.asarray(p_values, dtype=np.float64)
    if systems < 2:
        return p_values
    adjusted: Array = studentized_range.sf(math.sqrt(2) * norm.isf(p_values / 2), systems, np.inf)
    return adjusted


def bootstrap_p(values: Array) -> float:
    """Two-sided p-value of a difference from its resampled values "r", whose first is the difference itself.

    Twice the smaller of the shares of resamples at or below 0 and at or above 0, one added to count and
    number so that it is never 0, at most 1: (up to this one) the smallest level at which the percentile
    interval leaves out 0. NaN resamples do not count; NaN where fewer than two are left, where so many are
    NaN that there is no interval either (`statistics.MOST_UNDEFINED`), or where every resample gives the same
    difference, and that is not 0.

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
