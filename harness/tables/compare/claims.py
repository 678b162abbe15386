"""What a source states of an order or an equality, held against a study's own models: does this run agree?"""

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
from harness.tables.compare.comparison import Figures, measured, ranked
from harness.tables.terms import Tables

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "says", "metric", "class", "better", "than", "within", "not_below", "value", "other", "difference",
    "difference_low", "difference_high", "retrained_low", "retrained_high", "verdict", "n",
)  # fmt: skip
NOTE = (
    "The paired difference on the test split with its 95 % interval over patients, the trained models as they are, not "
    'adjusted for the number of statements. An order agrees where the interval lies above 0, "not below" where it lies '
    "above minus the margin, an equality where it lies within the margin on either side; they disagree where all of it "
    "lies beyond. The margins are the study's: sources state none. Where the verdict does not hold for an interval "
    'over patients and seeds together it is of "these models": trained again, they may say otherwise.'
)
AGREES, DISAGREES, OPEN, MISSING = "agrees", "disagrees", "not separated", "not measured"
UNTESTED = "cannot be tested"
"""A difference without an interval: too few patients, or the same in every resample."""
THESE = ", these models"
"""Behind a verdict that does not allow for training again; see `harness.statistics.retraining`."""
UNEQUAL = "n differs"
"""Attention gaps scale with 1/n, the number of patches under attention: at different n they tell nothing."""
UNPAIRED = "images differ"
"""Explainers' maps may be drawn of fewer images than the models' own."""

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
    """Each claim with the paired difference that speaks to it, on the test split.

    Args:
        tables: of all confirmed models.
        metrics: that claims may be of, beside the AUROC.
        claims: what the study file says of its source.
        classes: the classes' names, in order.
        resamples: bootstrap samples of patients.
        seed: of the resampling.

    Returns:
        `says`, `metric`, `class`, `better`, `than`, `within`, `not_below` as stated; `value` and `other`, the metric
        of the two, means over the runs that both have, and their `difference`; its `_low` and `_high`, 95 % of the
        bootstrap over patients with the models as they are; `retrained_low` and `_high`, 95 % over patients and seeds,
        NaN of one seed or where nothing was trained; `verdict`: "agrees", "disagrees", "not separated" (see
        `verdict`), with ", these models" where the wider bounds do not bear it out, "cannot be tested" (no interval:
        `statistics.LEAST_PATIENTS`, or every resample the same), "not measured" (one of the two was not confirmed,
        has no such figure, or there is no such class), "n differs" (attention gaps over different numbers of patches)
        or "images differ" (maps of different images); `n`, what both must agree in: the patches under attention, of an
        attention gap.
        Not adjusted for the number of claims.
    """
    import pandas as pd

    assert tables.predictions is not None
    tested = tables.predictions[tables.predictions["split"] == "test"]
    drawn = Resamples.draw(tested["group"].unique(), resamples, seed)
    asked = {claim.metric for claim in claims}
    known = {metric.key: metric for metric in metrics if metric.key in asked and metric.key != RANKED}
    found = {key: measured(tables, metric, drawn, classes) for key, metric in known.items()}
    if RANKED in asked:
        found[RANKED] = ranked(tested, drawn, classes)
    equal = {key: tables.equal(metric) for key, metric in known.items()}
    rows = [
        _row(claim, found.get(claim.metric, {}), classes, drawn, equal.get(claim.metric, {}), known.get(claim.metric))
        for claim in claims
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def verdict(claim: Claim, low: float, high: float) -> str:
    """Return whether an interval of a difference, in which higher is better, agrees with a claim.

    An order: agrees above 0, disagrees below. `within` a margin: agrees where all of the interval lies between minus
    and plus the margin (equivalence), disagrees where all of it lies outside. `not_below` a margin: agrees above minus
    the margin, disagrees below it. Else not separated; without an interval it cannot be tested.
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
    figures: Mapping[tuple[str, str], Figures],
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
    own, other = (figures.get(_model(name)) for name in (claim.better, claim.than))
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
    """Variant and head of "variant" or "variant/head"."""
    variant, _, head = name.partition("/")
    return variant, head or OWN_HEAD
