"""Intervals of a difference under retraining: patients and seeds both vary."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.statistics.arrays import Array


def retrained_bounds(
    differences: Sequence[float], resampled: Array, groups: int, level: float = 0.95
) -> tuple[float, float]:
    """Compute bounds of a mean paired difference over patients and trainings.

    Half the width is the root of two squares. One is half of Student's interval of the mean over n trainings, with
    n - 1 degrees of freedom. The other is half of the normal interval over patients with fixed models. If one
    variance is 0, the other gives its own interval. A single t with Satterthwaite's degrees of freedom would call 13 %
    of equal methods different in a simulation with two seeds. Two seeds agree by chance too often.

    Args:
        differences: n, one per pair of trainings.
        resampled: "r", the mean difference in each resample of patients, the first on the data.
        groups: number of patients.
        level: of the interval.

    Returns:
        low and high; NaN with fewer than two trainings or patients.

    Source: the recovery of variance estimates of Zou and Donner 2008, Statistics in Medicine 27, 1693.
    """
    from scipy import stats

    count, rest = len(differences), resampled[1:][~np.isnan(resampled[1:])]
    if count < 2 or groups < 2 or rest.size < 2:
        return math.nan, math.nan
    trainings, patients = float(np.var(differences, ddof=1)) / count, float(np.var(rest, ddof=1))
    value = float(resampled[0])
    tail = (1 + level) / 2
    half = math.hypot(stats.t.ppf(tail, count - 1) * math.sqrt(trainings), stats.norm.ppf(tail) * math.sqrt(patients))
    return value - half, value + half
