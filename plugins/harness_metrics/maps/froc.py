"""FROC: the share of lesions found against false positives per image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    from harness.metrics.functional import Array, Froc

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per image at which sensitivity is stated (van Ginneken et al. 2010)."""
FITTED_RATE = 1.0
"""False positives per image, on tune_loc, at which a threshold on candidates is fitted."""


def froc(terms: Froc, weights: Array | None, /) -> Array | float:
    """Return the mean over RATES of the sensitivity."""
    import numpy as np

    found: Array = np.mean(terms.sensitivities(RATES)(_once(terms) if weights is None else weights), axis=0)
    return float(found[0]) if weights is None else found


def froc_sensitivity(terms: Froc, weights: Array | None, /, *, rate: float = 1.0) -> Array | float:
    """Return the highest share of lesions hit at no more than `rate` false positives per image, not interpolated.

    Args:
        terms: lesions and candidates.
        weights: "r n", the count of each image in each resample; None to count each once.
        rate: the highest number of false positives an image, at least 0.

    Source: Bunch et al. 1977, SPIE 127, 124-135.
    """
    of = terms.sensitivity(rate)
    return float(of(_once(terms))[0]) if weights is None else of(weights)


def lesion_sensitivity_fitted(terms: Froc, weights: Array | None, threshold: float, /) -> Array | float:
    """Return the share of lesions with a candidate at or above the threshold."""
    return terms.at(threshold)[0] if weights is None else terms.weighted_at(threshold, weights)[0]


def false_positives_fitted(terms: Froc, weights: Array | None, threshold: float, /) -> Array | float:
    """Return the candidates outside every lesion at or above the threshold, an image."""
    return terms.at(threshold)[1] if weights is None else terms.weighted_at(threshold, weights)[1]


def at_rate(terms: Froc, /) -> float:
    """Return the lowest score with at most FITTED_RATE false positives per image; NaN without images."""
    return terms.threshold(FITTED_RATE) if terms.images else math.nan


def check_rate(*, rate: float) -> Mapping[str, Any]:
    """Refuse a rate that is none.

    Raises:
        ValueError: `rate` is not above 0.
    """
    if not 0 < rate < math.inf:
        raise ValueError(f"`0 < rate < inf` must hold, but got {rate=}.")
    return {}


def _once(terms: Froc) -> Array:
    import numpy as np

    return np.ones((1, len(terms.images)))


_LESIONS: dict[str, Any] = {
    "reads": "lesions",
    "form": "statistic",
    "needs": frozenset({"eval_masks", "region"}),
    "interval": False,
}
_BUNCH = "Bunch et al. 1977, SPIE 127, 124-135"

FROC = MetricRecord(
    name="froc",
    label="FROC",
    summary="mean share of lesions found at stated rates of false positives per image",
    source="van Ginneken et al. 2010, Medical Image Analysis 14, 707-722",
    build=froc,
    per="lesion",
    threshold=lambda terms, /: math.nan,
    threshold_from="rate",
    **_LESIONS,
    order=160,
    standing=(Standing(level="report"),),
)
FROC_SENSITIVITY = MetricRecord(
    name="froc_sensitivity",
    label="FROC sensitivity",
    summary="share of lesions found at `rate` false positives per image",
    source=_BUNCH,
    build=froc_sensitivity,
    facts=check_rate,
    per="lesion",
    threshold=lambda terms, /, *, rate: terms.threshold(rate),
    threshold_from="rate",
    **_LESIONS,
    order=170,
    standing=tuple(
        Standing(
            level="tables",
            name=f"froc_sensitivity_at_{rate:g}_fp",
            label=f"sensitivity at {rate:g} false positives",
            params={"rate": rate},
        )
        for rate in RATES
    ),
)
LESION_SENSITIVITY_FITTED = MetricRecord(
    name="lesion_sensitivity_fitted",
    label="lesions found, fitted",
    summary="share of lesions found at the threshold of 1 false positive per image on tune_loc",
    source=_BUNCH,
    build=lesion_sensitivity_fitted,
    fit=at_rate,
    per="lesion",
    **_LESIONS,
    order=180,
    standing=(Standing(level="tables"),),
)
FALSE_POSITIVES_FITTED = MetricRecord(
    name="false_positives_fitted",
    label="false positives, fitted",
    summary="false positives per image at the threshold of 1 per image on tune_loc; lower is better",
    source=_BUNCH,
    build=false_positives_fitted,
    fit=at_rate,
    bounds=(0.0, math.inf),
    higher_is_better=False,
    **_LESIONS,
    order=181,
    standing=(Standing(level="tables"),),
)
