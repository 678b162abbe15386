"""How sure a difference is when the models may be trained again: patients and seeds both vary."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.statistics.arrays import Array


def retrained_bounds(
    differences: Sequence[float], resampled: Array, groups: int, level: float = 0.95
) -> tuple[float, float]:
    """Bounds of a mean paired difference over patients and trainings.

    Half the width is the root of two squares: half of Student's interval of the mean over n trainings (n - 1 degrees of
    freedom), and half of the normal one over patients with the models as they are. Where either variance is all there
    is, that is its own interval. One t with Satterthwaite's degrees of freedom would call 13 % of equal methods
    different in a simulation with two seeds, which agree by chance too often.

    Args:
        differences: of each pair of trainings, n of them.
        resampled: "r", the mean difference in each resample of patients, the first as the data are.
        groups: how many patients there are.
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
