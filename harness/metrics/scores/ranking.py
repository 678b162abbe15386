"""Areas under curves of scores, a class against the rest.

They equal scikit-learn's, as tests check. scikit-learn's input checks take 50 times as long as the arithmetic, and
these functions run for every head and class after every epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.arrays import Array, mean_defined

if TYPE_CHECKING:
    import pandas as pd


def auroc(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """Return the area under the ROC curve, one class against the rest, and its mean.

    Args:
        labels: "n k" of 1, 0 and NaN; unknown labels are left out, class by class.
        scores: "n k", finite; only their order counts.
        classes: the k names.

    Returns:
        A value per class, NaN if only one label occurs, and under "" the mean of the defined ones.

    Raises:
        ValueError: the shapes differ, a label is not 0, 1 or NaN, or a score is not finite.
    """
    labels, scores = checked(labels, scores, classes)
    known = ~np.isnan(labels)
    return with_mean({name: rank_auc(labels[known[:, k], k], scores[known[:, k], k]) for k, name in enumerate(classes)})


def to_arrays(predictions: pd.DataFrame, classes: Sequence[str]) -> tuple[Array, Array]:
    """Return labels and scores "n k" of one head of one trained model, images sorted by id.

    Raises:
        ValueError: an (image, class) occurs twice, for example because models or heads are mixed.
    """
    check_once(predictions)
    wide = [predictions.pivot(index="id", columns="class", values=name) for name in ("label", "score")]
    labels, scores = (table.reindex(columns=list(classes)).to_numpy(dtype=np.float64) for table in wide)
    return labels, scores


def check_once(rows: pd.DataFrame) -> None:
    """Check that each (image, class) has one row, as the tables of one model, head and map have.

    Raises:
        ValueError: an (image, class) has several rows; the message names it.
    """
    twice = rows.duplicated(["id", "class"])
    if twice.any():
        row = rows[twice].iloc[0]
        raise ValueError(
            f"image {row['id']!r} has several rows of class {row['class']!r}: models or heads are mixed; pass the rows "
            "of one."
        )


def with_mean(values: Mapping[str, float]) -> dict[str, float]:
    """Return the values, and under "" the mean of those that are defined."""
    return {"": mean_defined(list(values.values())), **values}


def is_probability(scores: Array) -> bool:
    """Return True if every score lies in [0, 1]."""
    return bool(((scores >= 0) & (scores <= 1)).all())


def rank_auc(labels: Array, scores: Array) -> float:
    """Return the share of (positive, negative) pairs in the right order, ties counted half; NaN without both labels.

    Args:
        labels: "n" of 1 and 0.
        scores: "n", finite.
    """
    if np.unique(labels).size < 2:
        return math.nan
    positive, negative = scores[labels == 1], np.sort(scores[labels == 0])
    won = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(won.mean() / 2 / negative.size)


def average_precision(labels: Array, scores: Array) -> float:
    """Return the precision over distinct scores, weighted by the recall each adds; arguments as in `rank_auc`."""
    if np.unique(labels).size < 2:
        return math.nan
    order = np.argsort(-scores, kind="stable")
    hits, called = np.cumsum(labels[order]), np.arange(1, labels.size + 1)
    last = np.append(np.diff(scores[order]) != 0, True)  # equal scores share one threshold
    return float(hits[last] / called[last] @ np.diff(hits[last], prepend=0.0) / hits[-1])


def checked(labels: Array, scores: Array, classes: Sequence[str]) -> tuple[Array, Array]:
    """Return labels and scores as float64.

    Raises:
        ValueError: as in `auroc`.
    """
    labels, scores = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if labels.shape != scores.shape or labels.ndim != 2 or labels.shape[1] != len(classes):
        raise ValueError(
            f"labels and scores must be (images, {len(classes)} classes), but got {labels.shape} and {scores.shape}."
        )
    if not np.isin(labels[~np.isnan(labels)], (0, 1)).all():
        raise ValueError("labels must be 0, 1 or NaN.")
    if not np.isfinite(scores[~np.isnan(labels)]).all():
        raise ValueError("scores must be finite.")
    return labels, scores
