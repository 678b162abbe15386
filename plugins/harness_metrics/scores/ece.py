"""Expected calibration error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    from harness.metrics.functional import Array, Scores


def ece(terms: Scores, weights: Array | None, /) -> Array | float:
    """Return sum_b n_b / n |share_b - score_b| over 15 bins of equal width.

    Source: Naeini et al. 2015, AAAI; Guo et al. 2017, ICML, equation 3.
    """
    from harness.metrics.functional import calibration_error, weighted_calibration_error

    if weights is None:
        return calibration_error(terms.labels, terms.scores)
    return weighted_calibration_error(terms.labels, terms.scores)(weights)


ECE = MetricRecord(
    name="ece",
    label="calibration error",
    summary="expected calibration error, 15 bins of equal width; lower is better",
    source="Guo et al. 2017, ICML; Naeini et al. 2015, AAAI",
    build=ece,
    reads="scores",
    form="statistic",
    probabilities=True,
    higher_is_better=False,
    interval=False,
    order=40,
    standing=(Standing(level="report"),),
)
