"""Coverage: how hot a map is in each layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    from harness.metrics.functional import Array, LayerImages

_KEY, _BACKGROUND = 255, 0
_SHARES = {255: 1.0, 128: 0.5, 64: 0.25}


def s_plus(images: LayerImages, /) -> Array:
    """Return the mean of the map over its maximum in the key layer; NaN where there is no key layer."""
    return _mean_heat(images, {_KEY: 1.0})


def s_minus(images: LayerImages, /) -> Array:
    """Return the mean of the map over its maximum in the background; NaN where there is no background."""
    return _mean_heat(images, {_BACKGROUND: 1.0})


def s_123(images: LayerImages, /) -> Array:
    """Return the weighted heat (1, 1/2, 1/4) of levels 255, 128 and 64 over their pixels."""
    return _mean_heat(images, _SHARES)


def _mean_heat(images: LayerImages, shares: dict[int, float]) -> Array:
    import numpy as np

    values = []
    for rows in images:
        heat = sum(share * rows[level]["heat"] for level, share in shares.items())
        pixels = sum(rows[level]["pixels"] for level in shares)
        values.append(float(heat / pixels) if pixels else math.nan)
    return np.array(values, np.float64)


S_PLUS, S_MINUS, S_123 = (
    MetricRecord(
        name=build.__name__,
        label=label,
        summary=summary,
        source="SaliencyCNNAnalysis, skin-layer maps in grey code",
        build=build,
        reads="layers",
        needs=frozenset({"eval_masks", "layers"}),
        assumed={"negatives": "only images of the class count"},
        higher_is_better=better,
        order=order,
        standing=(Standing(level="report"),),
    )
    for build, label, summary, better, order in (
        (s_plus, "S+", "mean of the map over its maximum in the key layer", True, 212),
        (s_minus, "S-", "mean of the map over its maximum in the background; lower is better", False, 213),
        (s_123, "S123", "mean of the weighted map over its maximum in the three upper layers", True, 214),
    )
)
