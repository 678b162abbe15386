"""Several comparisons at once: p-values adjusted by Holm's method, and who is not separated from the best."""

from __future__ import annotations

import numpy as np

from harness.evidence.scores import Array
from harness.evidence.statistics import MOST_UNDEFINED, undefined_share


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


def bootstrap_p(values: Array) -> float:
    """Two-sided p-value of a difference from its resampled values "r", whose first is the difference itself.

    Twice the smaller of the shares of resamples at or below 0 and at or above 0, one added to count and
    number so that it is never 0, at most 1: (up to this one) the smallest level at which the percentile
    interval leaves out 0. NaN resamples do not count; NaN where fewer than two are left, or where so many are
    NaN that there is no interval either (`statistics.MOST_UNDEFINED`).

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 15.4; the added one after
    Davison and Hinkley 1997, Bootstrap Methods and their Application, section 4.2.
    """
    values = np.asarray(values, dtype=np.float64)
    rest = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or rest.size < 2 or undefined_share(values) > MOST_UNDEFINED:
        return float("nan")
    fewer = min(int((rest <= 0).sum()), int((rest >= 0).sum()))
    return min(1.0, 2 * (fewer + 1) / (rest.size + 1))
