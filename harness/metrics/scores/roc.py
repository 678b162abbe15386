"""ROC curves and operating points as arrays, without areas (in the tables) and pictures (in the report)."""

from __future__ import annotations

import numpy as np

from harness.statistics.arrays import Array

SUSPICIOUS = 0.02
"""Likelihood of malignancy above which a finding is BI-RADS 4, so that a biopsy is advised.

Source: ACR BI-RADS Atlas, 5th edition, 2013.
"""


def roc_curve(labels: Array, scores: Array) -> tuple[Array, Array]:
    """Return false and true positive rate at every distinct score, from (0, 0) to (1, 1).

    Args:
        labels: "n" of 1, 0 and NaN; unknown ones are left out.
        scores: "n"; equal scores share one threshold.

    Raises:
        ValueError: only one label occurs.
    """
    from sklearn.metrics import roc_curve as curve

    known = ~np.isnan(labels)
    if np.unique(labels[known]).size < 2:
        raise ValueError("only one label occurs; a ROC curve needs both.")
    false, true, _ = curve(labels[known], scores[known])
    return false, true


def operating_point(labels: Array, scores: Array, threshold: float) -> tuple[float, float]:
    """Return 1 - specificity and sensitivity of scores above `threshold`; NaN without such labels."""
    called = scores > threshold
    rates = [called[labels == label] for label in (0, 1)]
    false, true = (float(rate.mean()) if rate.size else float("nan") for rate in rates)
    return false, true
