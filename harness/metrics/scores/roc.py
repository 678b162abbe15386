"""ROC curves and operating points as numbers. Neither the areas (in the tables) nor the picture (in the report)."""

from __future__ import annotations

import numpy as np

from harness.statistics.arrays import Array

SUSPICIOUS = 0.02
"""Above it a finding is BI-RADS 4, whose likelihood of malignancy is above 2 %: a reader would ask for a biopsy.

Source: ACR BI-RADS Atlas, 5th edition, 2013.
"""


def roc_curve(labels: Array, scores: Array) -> tuple[Array, Array]:
    """False and true positive rate at every distinct score, from (0, 0) to (1, 1).

    Args:
        labels: "n" of 1, 0 and NaN; unknown ones do not count.
        scores: "n"; rows of one score are called together.

    Raises:
        ValueError: only one label occurs: there is no curve.
    """
    from sklearn.metrics import roc_curve as curve

    known = ~np.isnan(labels)
    if np.unique(labels[known]).size < 2:
        raise ValueError("only one label occurs, so that there is no ROC curve.")
    false, true, _ = curve(labels[known], scores[known])
    return false, true


def operating_point(labels: Array, scores: Array, threshold: float) -> tuple[float, float]:
    """1 - specificity and sensitivity of calling positive what scores above `threshold`; NaN without such labels."""
    called = scores > threshold
    rates = [called[labels == label] for label in (0, 1)]
    false, true = (float(rate.mean()) if rate.size else float("nan") for rate in rates)
    return false, true
