"""Partial area under the ROC curve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness import MetricRecord

if TYPE_CHECKING:
    from harness.metrics.functional import Array, Scores


def pauc(terms: Scores, weights: Array | None, /, *, max_fpr: float = 0.1) -> Array | float:
    """Return the area under the ROC curve up to a false positive rate, standardised: .5 is chance, 1 is best.

    Equal to scikit-learn's `roc_auc_score(max_fpr=)`; NaN without both labels.

    Args:
        terms: one class against the rest.
        weights: "r n", how often each image counts.
        max_fpr: the highest false positive rate, in (0, 1].
    """
    import numpy as np

    counted = np.ones((1, len(terms.labels))) if weights is None else weights
    order = np.argsort(-terms.scores, kind="stable")
    sick = terms.labels[order] == 1
    last = np.append(np.diff(terms.scores[order]) != 0, True)[: len(order)]  # equal scores are called together
    false, true = (_rate(counted[:, order] * own, last) for own in (~sick, sick))
    area = _area(false, true, max_fpr)
    chance = max_fpr**2 / 2
    found: Array = (1 + (area - chance) / (max_fpr - chance)) / 2
    return float(found[0]) if weights is None else found


def check_max_fpr(*, max_fpr: float) -> Mapping[str, Any]:
    """Refuse a false positive rate that is none.

    Raises:
        ValueError: `max_fpr` is outside (0, 1].
    """
    if not 0 < max_fpr <= 1:
        raise ValueError(f"`0 < max_fpr <= 1` must hold, but got {max_fpr=}.")
    return {}


def _rate(counted: Array, last: Array) -> Array:
    """Return the share of a label that is called at each distinct score, "r t", after a first of 0."""
    import numpy as np

    called = np.cumsum(counted, axis=1)[:, last]
    total = counted.sum(1, keepdims=True)
    share = np.divide(called, total, out=np.full(called.shape, np.nan), where=total > 0)
    return np.concatenate([np.where(total > 0, 0.0, np.nan), share], axis=1)


def _area(false: Array, true: Array, max_fpr: float) -> Array:
    """Return the area under straight lines between the points, up to a false positive rate."""
    import numpy as np

    width, rise = np.diff(false, axis=1), np.diff(true, axis=1)
    within = np.clip(max_fpr - false[:, :-1], 0, width)
    share = np.divide(within, width, out=np.zeros_like(width), where=width > 0)
    height = true[:, :-1] + rise * share / 2
    area: Array = np.where(np.isnan(width), np.nan, within * height).sum(1)
    return np.where(np.isnan(false[:, 0]) | np.isnan(true[:, 0]), np.nan, area)


PAUC = MetricRecord(
    name="pauc",
    label="partial AUC",
    summary="area under the ROC curve up to a false positive rate of `max_fpr`, standardised; .5 is chance",
    source="McClish 1989, Medical Decision Making 9, 190-195",
    build=pauc,
    facts=check_max_fpr,
    reads="scores",
    form="statistic",
    order=11,
)
