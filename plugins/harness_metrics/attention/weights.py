"""How flat a model's attention is, and over how many patches or instances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness import MetricRecord

if TYPE_CHECKING:
    from harness.metrics.functional import Array

_NEITHER = {"perfect_is_best_and_inverted_is_worst": "a number of patches is neither good nor bad"}


def attention_count(weights: Array, /) -> float:
    """Return the number of instances under attention; the gap means nothing without it."""
    return float(len(weights))


def attention_entropy(weights: Array, /) -> float:
    """Return the entropy of the weights over that of n equal ones; 1 is flat."""
    import numpy as np

    shares = weights / weights.sum()
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum() / np.log(len(weights))) if len(weights) > 1 else 1.0


def attention_peak(weights: Array, /) -> float:
    """Return the highest weight over the mean one; 1 is flat."""
    shares = weights / weights.sum()
    return float(len(weights) * shares.max())


ATTENTION_COUNT, ATTENTION_ENTROPY, ATTENTION_PEAK = (
    MetricRecord(
        name=build.__name__,
        label=label,
        summary=summary,
        build=build,
        reads="weights",
        form="term",
        whole="only",
        bounds=bounds,
        needs=frozenset({"attention"}),
        xfail=_NEITHER if build is attention_count else {},
        higher_is_better=build is not attention_entropy,
        order=order,
    )
    for build, label, summary, bounds, order in (
        (attention_count, "patches", "n, the patches that share the attention", (1.0, math.inf), 311),
        (
            attention_entropy,
            "entropy of attention",
            "entropy of the attention over that of equal weights; 1 is flat, lower is sharper",
            (0.0, 1.0),
            312,
        ),
        (attention_peak, "peak of attention", "highest attention over the mean; 1 is flat", (1.0, math.inf), 313),
    )
)
