"""Decisions at a threshold: at .5, and where sensitivity + specificity is largest on the validation split."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    from harness.metrics.functional import Array, Scores

HALF = 0.5
"""The threshold where none is fitted; of probabilities only."""

_METRICS = {
    "accuracy": ("accuracy", "share of right decisions"),
    "balanced_accuracy": ("balanced accuracy", "mean of sensitivity and specificity"),
    "precision": ("precision", "positives among those called positive"),
    "recall": ("sensitivity", "positives called positive: sensitivity"),
    "specificity": ("specificity", "negatives called negative"),
    "f1": ("F1", "harmonic mean of precision and recall"),
}
"""Name in `Decisions` -> label and summary."""


def youden(terms: Scores, /) -> float:
    """Return the score with the largest sensitivity + specificity - 1; of equals the highest."""
    from harness.metrics.functional import youden_threshold

    return youden_threshold(terms.labels, terms.scores)


def _at(name: str) -> Callable[..., Array | float]:
    def decided(terms: Scores, weights: Array | None, threshold: float, /) -> Array | float:
        from harness.metrics.functional import decision

        return decision(terms.labels, terms.scores >= threshold, weights, name)

    return decided


def _at_half(name: str) -> Callable[..., Array | float]:
    return lambda terms, weights, /: _at(name)(terms, weights, HALF)


def _records() -> Iterator[MetricRecord]:
    for place, (name, (label, summary)) in enumerate(_METRICS.items()):
        yield MetricRecord(
            name=name,
            label=f"{label} at .5",
            summary=f"{summary} at threshold .5",
            build=_at_half(name),
            reads="scores",
            form="statistic",
            probabilities=True,
            threshold=lambda terms, /: HALF,
            threshold_from="fixed",
            order=60 + place,
            standing=(Standing(level="tables"),),
        )
        yield MetricRecord(
            name=f"{name}_at_youden",
            label=label,
            summary=f"{summary} at the threshold of the largest Youden index on val",
            source="Youden 1950, Cancer 3(1), 32-35",
            build=_at(name),
            fit=youden,
            reads="scores",
            form="statistic",
            order=70 + place,
            standing=(Standing(level="report" if name == "balanced_accuracy" else "tables"),),
        )


RECORDS = tuple(_records())
