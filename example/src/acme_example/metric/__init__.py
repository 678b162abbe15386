"""The metric `hits`: its formula and record. A metric needs no torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import MetricRecord, hookimpl

if TYPE_CHECKING:
    from harness.metrics.functional import Array, Scores


def hits(terms: Scores, weights: Array | None, /, *, threshold: float = 0.5) -> Array | float:
    """Return the share of right answers.

    Args:
        terms: labels and scores of one class, "n" each.
        weights: "r n", the count of each row in each of r resamples; None to count each row once.
        threshold: scores from here on are called positive, in [0, 1].
    """
    from harness.metrics.functional import decide, weighted_decisions

    called = terms.scores >= threshold
    if weights is None:
        return decide(terms.labels, called).accuracy
    return weighted_decisions(terms.labels, called)(weights)[:, 0]


def hits_facts(*, threshold: float) -> dict[str, object]:
    """Check the parameters while the study is planned.

    Raises:
        ValueError: a parameter is out of range.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"`0 <= threshold <= 1` must hold, but got {threshold=}.")
    return {}


@hookimpl
def harness_metrics() -> Iterable[MetricRecord]:
    """Yield the metrics of this package."""
    yield MetricRecord(
        name="hits",
        label="right answers",
        build=hits,
        facts=hits_facts,
        summary="share of right answers",
        reads="scores",
        form="statistic",
        probabilities=True,
    )
