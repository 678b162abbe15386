"""Decisions for the class of the highest score, in tasks in which exactly one class holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    from harness.metrics.functional import Array, Winners


def top1(terms: Winners, weights: Array | None, /) -> Array | float:
    """Return the share of images whose highest score is their class's; of a class the share among its own images."""
    import numpy as np

    from harness.metrics.functional import mean_defined, weighted_means

    if terms.place is not None:
        return _decided(terms, weights, "recall")
    right = np.take_along_axis(terms.labels, terms.scores.argmax(1)[:, None], 1)
    return mean_defined(right) if weights is None else weighted_means(right)(weights)[:, 0]


def precision_top1(terms: Winners, weights: Array | None, /) -> Array | float:
    """Return the share of a class among the images that are called it; NaN where none is."""
    return _decided(terms, weights, "precision")


def recall_top1(terms: Winners, weights: Array | None, /) -> Array | float:
    """Return the share of a class's images that are called it."""
    return _decided(terms, weights, "recall")


def f1_top1(terms: Winners, weights: Array | None, /) -> Array | float:
    """Return the harmonic mean of the two."""
    return _decided(terms, weights, "f1")


def ece_top1(terms: Winners, weights: Array | None, /) -> Array | float:
    """Return the calibration error of the highest score as the confidence that its class is the right one.

    Source: Guo et al. 2017, ICML, equation 3.
    """
    from harness.metrics.functional import calibration_error, weighted_calibration_error

    right = (terms.labels.argmax(1) == terms.scores.argmax(1)).astype(float)
    highest = terms.scores.max(1) if len(right) else right
    return calibration_error(right, highest) if weights is None else weighted_calibration_error(right, highest)(weights)


def _decided(terms: Winners, weights: Array | None, name: str) -> Array | float:
    from harness.metrics.functional import decision

    return decision(terms.labels[:, terms.place], terms.scores.argmax(1) == terms.place, weights, name)


_EXCLUSIVE: dict[str, Any] = {"reads": "winners", "form": "statistic", "needs": frozenset({"multiclass"})}
_MACRO = "of calling the class of the highest score, mean over classes; multi-class tasks"

TOP1 = MetricRecord(
    name="top1",
    label="top 1",
    summary="share of images whose highest score is that of their class; multi-class tasks",
    build=top1,
    whole="own",
    **_EXCLUSIVE,
    order=50,
    standing=(Standing(level="report"),),
)
PRECISION_TOP1, RECALL_TOP1, F1_TOP1 = (
    MetricRecord(
        name=build.__name__,
        label=f"{word}, top 1",
        summary=f"{word} {_MACRO}",
        build=build,
        **_EXCLUSIVE,
        order=order,
        standing=(Standing(level="tables"),),
    )
    for build, word, order in ((precision_top1, "precision", 51), (recall_top1, "recall", 52), (f1_top1, "F1", 53))
)
ECE_TOP1 = MetricRecord(
    name="ece_top1",
    label="calibration error, top 1",
    summary="calibration error of the highest score as confidence; multi-class tasks; lower is better",
    source="Guo et al. 2017, ICML",
    build=ece_top1,
    whole="only",
    probabilities=True,
    higher_is_better=False,
    interval=False,
    **_EXCLUSIVE,
    order=54,
    standing=(Standing(level="tables"),),
)
