"""Decisions on one class (positive at or above a threshold), and thresholds fitted on another split."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from harness.statistics.arrays import Array
from harness.statistics.bootstrap import decisions

_SLACK = 1e-12  # 1 - 1/10 is a little less than 9/10


class Decisions(NamedTuple):
    """Values of decisions, in the order of `bootstrap.decisions`; NaN if the denominator is 0.

    Args:
        accuracy: (TP + TN) / n.
        balanced_accuracy: mean of recall and specificity.
        precision: TP / (TP + FP).
        recall: TP / (TP + FN), the sensitivity.
        specificity: TN / (TN + FP).
        f1: 2 TP / (2 TP + FP + FN).
    """

    accuracy: float
    balanced_accuracy: float
    precision: float
    recall: float
    specificity: float
    f1: float


def decide(labels: Array, called: Array) -> Decisions:
    """Return the values of the decisions on one class.

    Args:
        labels: "n" of 1 and 0.
        called: "n", whether an image is called positive.
    """
    called, sick = np.asarray(called, dtype=bool), np.asarray(labels) == 1
    tp, fp = int((called & sick).sum()), int((called & ~sick).sum())
    fn, tn = int((~called & sick).sum()), int((~called & ~sick).sum())
    recall, specificity = _share(tp, tp + fn), _share(tn, tn + fp)
    f1 = _share(2 * tp, 2 * tp + fp + fn) if tp + fn else math.nan
    balanced = (recall + specificity) / 2
    return Decisions(_share(tp + tn, sick.size), balanced, _share(tp, tp + fp), recall, specificity, f1)


def decision(labels: Array, called: Array, weights: Array | None, name: str) -> Array | float:
    """Return one of `Decisions` by name; "r", in each resample, with `weights` "r n"."""
    place = Decisions._fields.index(name)
    if weights is None:
        return decide(labels, called)[place]
    found: Array = decisions(labels, called)(weights)[:, place]
    return found


def youden_threshold(labels: Array, scores: Array) -> float:
    """Return the score with the largest sensitivity + specificity - 1, the highest of equals; NaN without both labels.

    Args:
        labels: "n" of 1 and 0, of the split that thresholds may be fitted on.
        scores: "n".

    Source: Youden 1950, Cancer 3(1), 32-35.
    """
    points = _operating_points(labels, scores)
    if points is None:
        return math.nan
    thresholds, sensitivity, specificity = points
    return float(thresholds[np.argmax(sensitivity + specificity)])


def threshold_at_specificity(labels: Array, scores: Array, level: float) -> float:
    """Return the lowest threshold whose specificity is at least `level`: the most sensitive of those allowed.

    The result is inf (no positive decisions) if no score of the split is specific enough. Arguments as in
    `youden_threshold`.

    Raises:
        ValueError: `level` is outside (0, 1].
    """
    points = _operating_points(labels, scores, level)
    if points is None:
        return math.nan
    thresholds, _, specificity = points
    return float(thresholds[np.flatnonzero(specificity >= level - _SLACK)[-1]])


def threshold_at_sensitivity(labels: Array, scores: Array, level: float) -> float:
    """Return the highest threshold whose sensitivity is at least `level`: the most specific of those allowed.

    Arguments as in `youden_threshold`.

    Raises:
        ValueError: `level` is outside (0, 1].
    """
    points = _operating_points(labels, scores, level)
    if points is None:
        return math.nan
    thresholds, sensitivity, _ = points
    return float(thresholds[np.flatnonzero(sensitivity >= level - _SLACK)[0]])


def _operating_points(labels: Array, scores: Array, level: float = 1.0) -> tuple[Array, Array, Array] | None:
    """Return thresholds from inf down with their sensitivity and specificity; None with one label only."""
    if not 0 < level <= 1:
        raise ValueError(f"`0 < level <= 1` must hold, but got {level=}.")
    if np.unique(labels).size < 2:
        return None
    from sklearn.metrics import roc_curve

    false_alarms, sensitivity, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    return thresholds, sensitivity, 1 - false_alarms


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
