"""Calibration: the reliability curve (are 8 of 10 images with a score of .8 positive?) and its error."""

from __future__ import annotations

import math

import numpy as np

from harness.statistics.arrays import Array, ratio
from harness.statistics.bootstrap import Statistic

BINS = 15
"""Equal-width bins of [0, 1] (Guo et al. 2017); bin b holds b/BINS <= score < (b+1)/BINS, the last one 1 too."""


def reliability(labels: Array, scores: Array, bins: int = BINS) -> dict[str, Array]:
    """Return the reliability curve of one class: mean score and share of positives, by bins of the score.

    Args:
        labels: "n" of 1 and 0.
        scores: "n", probabilities in [0, 1].
        bins: number of bins of equal width.

    Returns:
        "b" arrays `low` and `high`, the bin's bounds; `count`; `score`, the mean score, and `share`, the
        share of positives, both NaN in an empty bin.

    Raises:
        ValueError: a score is outside [0, 1], or `bins` is below 1.

    Source: Guo et al. 2017, ICML, equations 2 and 3, of a class's probability in place of the winner's confidence.
    """
    labels, scores = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if bins < 1:
        raise ValueError(f"`bins >= 1` must hold, but got {bins=}.")
    if scores.size and not (scores.min() >= 0 and scores.max() <= 1):
        raise ValueError(f"a probability lies in [0, 1], but these span {scores.min()} to {scores.max()}.")
    edges, place = _binned(scores, bins)
    count = np.bincount(place, minlength=bins)
    score, share = (ratio(np.bincount(place, values, minlength=bins), count) for values in (scores, labels))
    return {"low": edges[:-1], "high": edges[1:], "count": count, "score": score, "share": share}


def calibration_error(labels: Array, scores: Array, bins: int = BINS) -> float:
    """Return the expected calibration error of one class in [0, 1]: `sum_b n_b / n |share_b - score_b|`.

    It depends on the bins and, with few images, is biased upwards: a calibrated model does not reach 0. NaN without
    images. Arguments and errors as in `reliability`.

    Source: Naeini et al. 2015, AAAI; Guo et al. 2017, ICML, equation 3.
    """
    curve = reliability(labels, scores, bins)
    filled = curve["count"] > 0
    if not filled.any():
        return math.nan
    gaps = np.abs(curve["share"] - curve["score"])[filled]
    return float(curve["count"][filled] @ gaps / curve["count"].sum())


def weighted_calibration_error(labels: Array, scores: Array, bins: int = BINS) -> Statistic:
    """Return `calibration_error` as a function of weights "r n", with the same arguments and errors."""
    labels, scores = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    gaps = np.eye(bins)[_binned(scores, bins)[1]] * (labels - scores)[:, None]  # n bins
    return lambda weights: ratio(np.abs(weights @ gaps).sum(1), weights.sum(1))


def _binned(scores: Array, bins: int) -> tuple[Array, Array]:
    """Return the edges of bins of equal width, and the bin of each score."""
    edges = np.linspace(0, 1, bins + 1)
    return edges, np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, bins - 1)
