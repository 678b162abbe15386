"""Published claims about an order or an equality, tested on the models of a study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.contract.keys import RANKED
from harness.contract.tables import OWN_HEAD
from harness.contract.types import Claim
from harness.metrics.metric import Metric
from harness.statistics.bootstrap import Resamples, interval
from harness.statistics.retraining import retrained_bounds
from harness.tables.compare.comparison import VariantValues, measured, ranked
from harness.tables.terms import Tables

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "says", "metric", "class", "better", "than", "within", "not_below", "value", "other", "difference",
    "difference_low", "difference_high", "retrained_low", "retrained_high", "verdict", "n",
)  # fmt: skip
NOTE = (
    "The paired difference on the test split with its 95 % interval over patients, with the trained models held fixed, "
    "not adjusted for the number of claims. An order is supported if the interval lies above 0, "
    '"not below" if it lies above minus the margin, an equality if it lies within the margin on both sides. '
    "They are contradicted if the whole interval lies outside. Margins are the study's choice: sources state none. "
    'A verdict "for these trained models only" does not hold for the interval over patients and seeds together: models '
    "that are trained again may differ."
)
AGREES, DISAGREES, OPEN, MISSING = "supported", "contradicted", "not separated", "not measured"
UNTESTED = "cannot be tested"
"""A difference without an interval: too few patients, or the same value in every resample."""
THESE = " for these trained models only"
"""Suffix of a verdict that does not cover training again; see `harness.statistics.retraining`."""
UNEQUAL = "n differs"
"""Attention gaps scale with 1/n, the number of patches under attention: at different n they are not comparable."""
UNPAIRED = "images differ"
"""Maps of explainers may cover fewer images than the models' own maps."""

_BOUNDS = ("difference", "difference_low", "difference_high")
_RETRAINED = ("retrained_low", "retrained_high")


def claims_table(
    tables: Tables,
    metrics: Sequence[Metric] = (),
    *,
    claims: Sequence[Claim],
    classes: Sequence[str],
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return each claim with the paired difference that tests it, on the test split.

    Args:
        tables: of all confirmed models.
        metrics: that claims may name, in addition to the AUROC.
        claims: of the study file.
        classes: the classes' names, in order.
        resamples: bootstrap samples of patients.
        seed: of the resampling.

    Returns:
        `says`, `metric`, `class`, `better`, `than`, `within`, `not_below` as stated.
        `value` and `other`, the metric of the two, means over the replicates that both have, and their `difference`.
        `difference_low`, `_high`: 95 % of the bootstrap over patients with the models held fixed.
        `retrained_low`, `_high`: 95 % over patients and seeds, NaN for one seed or if nothing was trained.
        `verdict`: "supported", "contradicted" or "not separated" (see `verdict`), with " for these trained models
        only" if the wider bounds do not support it; "cannot be tested" (no interval: fewer patients than
        `bootstrap.LEAST_PATIENTS`, or every resample the same); "not measured" (a model is not confirmed, or the
        metric or class is absent); "n differs" (attention gaps over different numbers of patches); "images differ"
        (maps of different images).
        `n`: of an attention gap, the number of patches under attention.
        Intervals are not adjusted for the number of claims.
    """
    import pandas as pd

    assert tables.predictions is not None
    tested = tables.predictions[tables.predictions["split"] == "test"]
    drawn = Resamples.draw(tested["group"].unique(), resamples, seed)
    asked = {claim.metric for claim in claims}
    known = {metric.key: metric for metric in metrics if metric.key in asked and metric.key != RANKED}
    found = {key: measured(tables, metric, drawn, classes) for key, metric in known.items()}
    if RANKED in asked:
        found[RANKED] = ranked(tested, drawn, classes, tables.kept)
    equal = {key: tables.equal(metric) for key, metric in known.items()}
    rows = [
        _row(claim, found.get(claim.metric, {}), classes, drawn, equal.get(claim.metric, {}), known.get(claim.metric))
        for claim in claims
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def verdict(claim: Claim, low: float, high: float) -> str:
    """Return the verdict on a claim from the interval of a difference in which higher is better.

    An order is supported above 0 and contradicted below. `within` a margin (equivalence) is supported if the whole
    interval lies between minus and plus the margin, contradicted if the whole interval lies outside. `not_below` a
    margin is supported above minus the margin and contradicted below it. Otherwise the claim is not separated;
    without an interval it cannot be tested.
    """
    if math.isnan(low) or math.isnan(high):
        return UNTESTED
    if claim.within is not None:
        inside = -claim.within <= low and high <= claim.within
        return AGREES if inside else DISAGREES if low > claim.within or high < -claim.within else OPEN
    least = -(claim.not_below or 0.0)
    return AGREES if low > least else DISAGREES if high < least else OPEN


def _row(
    claim: Claim,
    of_variant: Mapping[tuple[str, str], VariantValues],
    classes: Sequence[str],
    drawn: Resamples,
    equal: Mapping[str, float],
    metric: Metric | None,
) -> dict[str, Any]:
    sign = metric.sign if metric else 1
    stated = {name: getattr(claim, name) for name in ("says", "metric", "better", "than")}
    margins = {
        name: math.nan if value is None else value
        for name, value in (("within", claim.within), ("not_below", claim.not_below))
    }
    row: dict[str, Any] = {**stated, "class": claim.label, **margins}
    row |= dict.fromkeys(("value", "other", *_BOUNDS, *_RETRAINED), math.nan) | {"verdict": MISSING, "n": math.nan}
    own, other = (of_variant.get(_model(name)) for name in (claim.better, claim.than))
    if own is None or other is None or (claim.label and claim.label not in classes):
        return row
    row |= dict(zip(("value", "other"), own.paired(other, claim.label), strict=True))
    counts = {equal.get(_model(name)[0], math.nan) for name in (claim.better, claim.than)} if equal else {math.nan}
    if len(counts) > 1:
        return row | {"verdict": UNEQUAL}
    if not own.same_images(other):
        return row | {"verdict": UNPAIRED}
    resampled = own.minus(other, claim.label)
    gap, trainings = interval(resampled), own.by_training(other, claim.label)
    again = retrained_bounds(trainings, resampled, len(drawn.groups))
    row |= dict(zip(_BOUNDS, (gap.value, gap.low, gap.high), strict=True)) | {"n": counts.pop()}
    row |= dict(zip(_RETRAINED, again, strict=True))
    if math.isnan(gap.value):
        return row
    found = verdict(claim, *_upwards(sign, gap.low, gap.high))
    lasting = found in {OPEN, UNTESTED} or not trainings or verdict(claim, *_upwards(sign, *again)) == found
    return row | {"verdict": found if lasting else found + THESE}


def _upwards(sign: int, low: float, high: float) -> tuple[float, float]:
    """Return the bounds of a difference in which higher is better."""
    return (low, high) if sign > 0 else (-high, -low)


def _model(name: str) -> tuple[str, str]:
    """Return variant and head of "variant" or "variant/head"."""
    variant, _, head = name.partition("/")
    return variant, head or OWN_HEAD
