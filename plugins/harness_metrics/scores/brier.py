"""Brier score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    from harness.metrics.functional import Array, Scores


def brier(terms: Scores, /) -> Array:
    """Return the squared distance of each probability to its label."""
    import numpy as np

    found: Array = np.square(terms.labels - terms.scores)
    return found


BRIER = MetricRecord(
    name="brier",
    label="Brier",
    summary="mean squared error of probabilities; lower is better",
    source="Brier 1950, Monthly Weather Review 78, 1-3",
    build=brier,
    reads="scores",
    probabilities=True,
    higher_is_better=False,
    order=30,
    standing=(Standing(level="replicates"),),
)
