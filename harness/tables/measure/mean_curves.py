"""Mean ROC and precision-recall curves of a variant, averaged over replicates at equal steps of the x axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.metrics.scores.roc import roc_curve
from harness.statistics.arrays import Array

GRID = 201
"""Number of points at which curves are averaged."""


def mean_roc(runs: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Return the mean sensitivity over replicates at equal steps of 1 - specificity (vertical averaging).

    A single replicate keeps its own thresholds.

    Args:
        runs: labels "n" of 1, 0 and NaN, and scores "n", of each replicate; each must have both labels.

    Returns:
        False positive rates and mean true positive rates, from (0, 0) to (1, 1).

    Source: Fawcett 2006, Pattern Recognition Letters 27, 861-874, section 9.1.
    """
    return _averaged([roc_curve(labels, scores) for labels, scores in runs], _between, first=0.0)


def mean_precision(runs: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Return the mean precision over replicates at equal steps of recall, without interpolation (it is optimistic).

    Arguments as in `mean_roc`.

    Returns:
        Recall and mean precision at the highest threshold that reaches it.

    Source: Davis and Goadrich 2006, ICML, on why precision must not be interpolated linearly.
    """
    from sklearn.metrics import precision_recall_curve

    found = []
    for labels, scores in runs:
        known = ~np.isnan(labels)
        precision, recall, _ = precision_recall_curve(labels[known], scores[known])
        found.append((recall[-2::-1], precision[-2::-1]))  # without the point (0, 1), which has no threshold
    return _averaged(found, _first_reaching, first=None)


def _averaged(
    curves: Sequence[tuple[Array, Array]], read: Callable[[Array, Array, Array], Array], first: float | None
) -> tuple[Array, Array]:
    if len(curves) == 1:
        return curves[0]
    places = np.linspace(0, 1, GRID)
    mean: Array = np.mean([read(places, x, y) for x, y in curves], axis=0)
    return (places, mean) if first is None else (np.append(0.0, places), np.append(first, mean))


def _between(places: Array, x: Array, y: Array) -> Array:
    """Return the curve at places by linear interpolation; at a vertical step, its upper end."""
    left = np.clip(np.searchsorted(x, places, side="right") - 1, 0, len(x) - 2)
    wide = x[left + 1] - x[left]
    share = np.divide(places - x[left], wide, out=np.ones_like(places), where=wide > 0)
    found: Array = y[left] + share * (y[left + 1] - y[left])
    return found


def _first_reaching(places: Array, x: Array, y: Array) -> Array:
    found: Array = y[np.minimum(np.searchsorted(x, places - 1e-12), len(y) - 1)]
    return found
