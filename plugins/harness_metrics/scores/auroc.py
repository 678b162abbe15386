"""Area under the ROC curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    from harness.metrics.functional import Array, Scores


def auroc(terms: Scores, weights: Array | None, /) -> Array | float:
    """Return the share of (positive, negative) pairs in the right order, ties halved."""
    from harness.metrics.functional import rank_auc, weighted_auc

    if weights is None:
        return rank_auc(terms.labels, terms.scores)
    return weighted_auc(terms.labels, terms.scores)(weights)


AUROC = MetricRecord(
    name="auroc",
    label="AUC",
    summary="area under the ROC curve, one against the rest",
    source="Hanley and McNeil 1982, Radiology 143, 29-36",
    build=auroc,
    reads="scores",
    form="statistic",
    order=10,
    standing=(Standing(level="leaderboard"),),
)
