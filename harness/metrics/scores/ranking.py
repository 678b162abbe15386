"""Figures of scores: AUROC, average precision, Brier score, a class against the rest.

They equal scikit-learn's, which the tests hold them to; its checks of its input take 50 times as
long as the arithmetic, and these run for every head and class after every epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.arrays import Array, mean_defined

if TYPE_CHECKING:
    import pandas as pd


def auroc(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """Area under the ROC curve, one class against the rest, and its mean.

    Args:
        labels: "n k" of 1, 0 and NaN; unknown labels are left out, class by class.
        scores: "n k", finite; only their order counts.
        classes: the k names.

    Returns:
        A value a class, NaN where only one label occurs, and under "" the mean of the defined ones.

    Raises:
        ValueError: the shapes differ, a label is not 0, 1 or NaN, or a score is not finite.
    """
    return each_class(labels, scores, classes, _rank_auc, both=True)


def auprc(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """Average precision, a step-wise area under the precision-recall curve; chance is the prevalence.

    Arguments, result and errors as in `auroc`.
    """
    return each_class(labels, scores, classes, _average_precision, both=True)


def brier(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """Mean squared distance of a probability to its label, in [0, 1]; 0 is best.

    Each class counts as a question of its own, of a multi-class task too. Arguments, result and
    errors as in `auroc`, but a class with one label only is defined. NaN where a score leaves [0, 1].
    """
    return each_probability(labels, scores, classes, lambda y, s: float(np.square(y - s).mean()))


def to_arrays(predictions: pd.DataFrame, classes: Sequence[str]) -> tuple[Array, Array]:
    """Labels and scores "n k" of one head of one trained model, images sorted by id.

    Args:
        predictions: rows of the predictions table.
        classes: the order of k.

    Raises:
        ValueError: an (image, class) occurs twice, as it does where models or heads are mixed.
    """
    check_once(predictions)
    wide = [predictions.pivot(index="id", columns="class", values=name) for name in ("label", "score")]
    labels, scores = (table.reindex(columns=list(classes)).to_numpy(dtype=np.float64) for table in wide)
    return labels, scores


def check_once(rows: pd.DataFrame) -> None:
    """Sees that each (image, class) has one row, as the tables of one model, head and map have.

    Raises:
        ValueError: one has several; names it.
    """
    twice = rows.duplicated(["id", "class"])
    if twice.any():
        row = rows[twice].iloc[0]
        raise ValueError(f"image {row['id']!r} has several rows of class {row['class']!r}: models or heads are mixed.")


def with_mean(values: Mapping[str, float]) -> dict[str, float]:
    """The values, and under "" the mean of those that are defined."""
    return {"": mean_defined(list(values.values())), **values}


def each_class(
    labels: Array, scores: Array, classes: Sequence[str], of: Callable[[Array, Array], float], *, both: bool
) -> dict[str, float]:
    """`of` the known labels and scores of each class, and under "" the mean of the defined values.

    Args:
        labels: "n k" of 1, 0 and NaN.
        scores: "n k", finite where the label is known.
        classes: the k names.
        of: labels "n" of 1 and 0 and scores "n" to a value.
        both: whether it takes both labels to be defined; else one image is enough.

    Raises:
        ValueError: as in `auroc`.
    """
    labels, scores = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    _check(labels, scores, classes)
    values = {}
    for k, name in enumerate(classes):
        known = ~np.isnan(labels[:, k])
        y, s = labels[known, k], scores[known, k]
        values[name] = of(y, s) if np.unique(y).size >= (2 if both else 1) else math.nan
    return with_mean(values)


def each_probability(
    labels: Array, scores: Array, classes: Sequence[str], of: Callable[[Array, Array], float]
) -> dict[str, float]:
    """As `each_class` of figures that take probabilities and one label: all NaN where a known score leaves [0, 1].

    A reader's rating from 0 to 100 has ranks, and neither a Brier score nor a calibration error.
    """
    found = each_class(labels, scores, classes, lambda y, s: of(y, s) if is_probability(s) else math.nan, both=False)
    whole = is_probability(np.asarray(scores, dtype=np.float64)[~np.isnan(np.asarray(labels, dtype=np.float64))])
    return found if whole else dict.fromkeys(found, math.nan)


def is_probability(scores: Array) -> bool:
    """Whether every score lies in [0, 1]."""
    return bool(((scores >= 0) & (scores <= 1)).all())


def _rank_auc(labels: Array, scores: Array) -> float:
    """The share of (positive, negative) pairs in the right order, ties halved."""
    positive, negative = scores[labels == 1], np.sort(scores[labels == 0])
    won = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(won.mean() / 2 / negative.size)


def _average_precision(labels: Array, scores: Array) -> float:
    """Precision at each distinct score, weighted by the recall it adds."""
    order = np.argsort(-scores, kind="stable")
    hits, called = np.cumsum(labels[order]), np.arange(1, labels.size + 1)
    last = np.append(np.diff(scores[order]) != 0, True)  # of equal scores: they are called together
    return float(hits[last] / called[last] @ np.diff(hits[last], prepend=0.0) / hits[-1])


def _check(labels: Array, scores: Array, classes: Sequence[str]) -> None:
    if labels.shape != scores.shape or labels.ndim != 2 or labels.shape[1] != len(classes):
        raise ValueError(
            f"labels and scores are (images, {len(classes)} classes), but got {labels.shape} and {scores.shape}."
        )
    if not np.isin(labels[~np.isnan(labels)], (0, 1)).all():
        raise ValueError("labels are 0, 1 or NaN.")
    if not np.isfinite(scores[~np.isnan(labels)]).all():
        raise ValueError("scores must be finite.")
