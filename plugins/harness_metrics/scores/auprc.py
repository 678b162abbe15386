"""Average precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    from harness.metrics.functional import Array, Scores


def auprc(terms: Scores, weights: Array | None, /) -> Array | float:
    """Return the step-wise area under the precision-recall curve; chance is the prevalence."""
    from harness.metrics.functional import average_precision, weighted_average_precision

    if weights is None:
        return average_precision(terms.labels, terms.scores)
    return weighted_average_precision(terms.labels, terms.scores)(weights)


AUPRC = MetricRecord(
    name="auprc",
    label="average precision",
    summary="step-wise area under the precision-recall curve; chance is the prevalence",
    build=auprc,
    reads="scores",
    form="statistic",
    order=20,
    standing=(Standing(level="replicates"),),
)
