"""Figures of decisions: a score at or above a threshold is called positive. The threshold is stated or fitted on val.

Ranks and probabilities are judged in `scores` and `calibration`. A class counts against the rest;
`top1` is what a multi-class task asks besides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.scores.ranking import each_probability, is_probability, with_mean
from harness.statistics.arrays import Array

if TYPE_CHECKING:
    pass

HALF = 0.5
"""The threshold of every figure whose name states none; of probabilities only."""
LEVELS = (0.9, 0.95)
"""The specificities, and sensitivities, at which the other is told."""
_SLACK = 1e-12  # 1 - 1/10 is a little less than 9/10


def decision_figures(labels: Array, scores: Array, threshold: float) -> dict[str, float]:
    """What the decisions `score >= threshold` of one class come to.

    Args:
        labels: "n" of 1 and 0.
        scores: "n".
        threshold: NaN decides nothing: every figure is NaN.

    Returns:
        `accuracy`; `balanced_accuracy`, mean of the next two; `recall` (sensitivity) TP / (TP + FN);
        `specificity` TN / (TN + FP); `precision` TP / (TP + FP), NaN where nothing is called positive;
        `f1` 2 TP / (2 TP + FP + FN). A figure without a denominator is NaN.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    if math.isnan(threshold):
        return dict.fromkeys(("accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1"), math.nan)
    called, sick = scores >= threshold, labels == 1
    tp, fp = int((called & sick).sum()), int((called & ~sick).sum())
    fn, tn = int((~called & sick).sum()), int((~called & ~sick).sum())
    recall, specificity = _share(tp, tp + fn), _share(tn, tn + fp)
    return {
        "accuracy": _share(tp + tn, labels.size),
        "balanced_accuracy": (recall + specificity) / 2,
        "precision": _share(tp, tp + fp),
        "recall": recall,
        "specificity": specificity,
        "f1": _share(2 * tp, 2 * tp + fp + fn) if tp + fn else math.nan,
    }


def youden_threshold(labels: Array, scores: Array) -> float:
    """The score that makes sensitivity + specificity - 1 largest; of equals the highest. NaN where a label is missing.

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
    """The lowest threshold whose specificity is at least `level`: the most sensitive of those allowed.

    inf, which calls nobody, where no score of the split is specific enough. Arguments as in `youden_threshold`.

    Raises:
        ValueError: `level` is outside (0, 1].
    """
    points = _operating_points(labels, scores, level)
    if points is None:
        return math.nan
    thresholds, _, specificity = points
    return float(thresholds[np.flatnonzero(specificity >= level - _SLACK)[-1]])


def threshold_at_sensitivity(labels: Array, scores: Array, level: float) -> float:
    """The highest threshold whose sensitivity is at least `level`: the most specific of those allowed.

    Arguments as in `youden_threshold`.

    Raises:
        ValueError: `level` is outside (0, 1].
    """
    points = _operating_points(labels, scores, level)
    if points is None:
        return math.nan
    thresholds, sensitivity, _ = points
    return float(thresholds[np.flatnonzero(sensitivity >= level - _SLACK)[0]])


def accuracy(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """Share of right decisions at threshold .5, a class against the rest, and its mean; arguments as in `auroc`."""
    return _at_half(labels, scores, classes, "accuracy")


def balanced_accuracy(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """Mean of sensitivity and specificity at threshold .5; arguments as in `auroc`."""
    return _at_half(labels, scores, classes, "balanced_accuracy")


def precision(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """Share of positives among those called positive at threshold .5; NaN where none is. Arguments as in `auroc`."""
    return _at_half(labels, scores, classes, "precision")


def recall(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """Share of positives called positive at threshold .5 (sensitivity); arguments as in `auroc`."""
    return _at_half(labels, scores, classes, "recall")


def f1(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """Harmonic mean of precision and recall at threshold .5; arguments as in `auroc`."""
    return _at_half(labels, scores, classes, "f1")


def top1(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """Share of images whose highest score is that of their class; of equal scores the first class counts.

    For multi-class tasks: exactly one label is 1. Images with an unknown label are left out.

    Args:
        labels: "n k" of 1, 0 and NaN.
        scores: "n k".
        classes: the k names.

    Returns:
        Under "" the share; under each class's name the share among its own images (recall of top 1).

    Raises:
        ValueError: the shapes differ, a score is not finite, or an image has no class or several.
    """
    labels, scores = _whole_rows(labels, scores, classes)
    true, said = labels.argmax(1), scores.argmax(1)
    per_class = {
        name: _share(int((said[true == k] == k).sum()), int((true == k).sum())) for k, name in enumerate(classes)
    }
    return {"": _share(int((true == said).sum()), len(true)), **per_class}


def top1_decisions(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 of calling the class of the highest score, and their means over classes (macro).

    Arguments and errors as in `top1`.

    Returns:
        `precision_top1`, `recall_top1` (its mean is the balanced accuracy), `f1_top1`, each with every class's
        and "" the mean over the classes that have it. Precision is NaN for a class that is never called, recall
        and F1 for one without images.
    """
    labels, scores = _whole_rows(labels, scores, classes)
    called = np.eye(len(classes))[scores.argmax(1)] if len(scores) else scores
    found: dict[str, dict[str, float]] = {}
    for k, name in enumerate(classes):
        figures = decision_figures(labels[:, k], called[:, k], HALF)
        for figure in ("precision", "recall", "f1"):
            found.setdefault(f"{figure}_top1", {})[name] = figures[figure]
    return {figure: with_mean(values) for figure, values in found.items()}


def precision_top1(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """See `top1_decisions`."""
    return top1_decisions(labels, scores, classes)["precision_top1"]


def recall_top1(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """See `top1_decisions`."""
    return top1_decisions(labels, scores, classes)["recall_top1"]


def f1_top1(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """See `top1_decisions`."""
    return top1_decisions(labels, scores, classes)["f1_top1"]


def ece_top1(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """Calibration error of the highest score as the confidence that its class is the right one; under "" alone.

    Arguments and errors as in `top1`; NaN where a score leaves [0, 1].

    Source: Guo et al. 2017, ICML, equation 3.
    """
    from harness.metrics.scores.calibration import calibration_error

    labels, scores = _whole_rows(labels, scores, classes)
    if not len(scores) or not is_probability(scores):
        return {"": math.nan}
    right = labels.argmax(1) == scores.argmax(1)
    return {"": calibration_error(right.astype(float), scores.max(1))}


def fitted_thresholds(val: tuple[Array, Array] | None) -> dict[str, tuple[float, str]]:
    """Name of each figure at a fitted threshold -> the threshold, and which figure it is.

    Args:
        val: labels "n" of 1 and 0 and scores "n" of the split that thresholds may be fitted on; None gives NaN.
    """
    labels, scores = val or (np.zeros(0), np.zeros(0))
    youden = youden_threshold(labels, scores)
    names = ("accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1")
    found = {f"{name}_at_youden": (youden, name) for name in names}
    for level in LEVELS:
        percent = f"{100 * level:g}"
        specific, sensitive = (
            threshold_at_specificity(labels, scores, level),
            threshold_at_sensitivity(labels, scores, level),
        )
        for name, threshold in (("specificity", specific), ("sensitivity", sensitive)):
            found[f"sensitivity_at_{name}_{percent}"] = threshold, "recall"
            found[f"specificity_at_{name}_{percent}"] = threshold, "specificity"
    return found


def _operating_points(labels: Array, scores: Array, level: float = 1.0) -> tuple[Array, Array, Array] | None:
    """Thresholds from inf down, and sensitivity and specificity at each; None with one label only."""
    if not 0 < level <= 1:
        raise ValueError(f"`0 < level <= 1` must hold, but got {level=}.")
    if np.unique(labels).size < 2:
        return None
    from sklearn.metrics import roc_curve

    false_alarms, sensitivity, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    return thresholds, sensitivity, 1 - false_alarms


def _at_half(labels: Array, scores: Array, classes: Sequence[str], figure: str) -> dict[str, float]:
    return each_probability(labels, scores, classes, lambda y, s: decision_figures(y, s, HALF)[figure])


def _whole_rows(labels: Array, scores: Array, classes: Sequence[str]) -> tuple[Array, Array]:
    """The images of which every label is known."""
    labels, scores = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if labels.shape != scores.shape or labels.ndim != 2 or labels.shape[1] != len(classes):
        raise ValueError(
            f"labels and scores are (images, {len(classes)} classes), but got {labels.shape} and {scores.shape}."
        )
    known = ~np.isnan(labels).any(1)
    labels, scores = labels[known], scores[known]
    if not (labels.sum(1) == 1).all():
        raise ValueError("an image of a multi-class task has exactly one class.")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite.")
    return labels, scores


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
