"""Hit Rate: the layer that a map's peak lies in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    from harness.metrics.functional import Array, LayerImages

_WORTH_1 = {255: 3, 128: 2, 64: 1, 32: 0, 0: -1}
_WORTH_2 = {255: 1, 128: 0, 64: 0, 32: 0, 0: -1}


def hit_rate_1(images: LayerImages, /) -> Array:
    """Return the mean over the map's highest pixels of 3, 2, 1, 0, -1 for level 255, 128, 64, 32, 0."""
    return _worth(images, _WORTH_1)


def hit_rate_2(images: LayerImages, /) -> Array:
    """Return the mean over the map's highest pixels of 1 in level 255, 0 in 128, 64 and 32, -1 in the background."""
    return _worth(images, _WORTH_2)


def _worth(images: LayerImages, worth: Mapping[int, int]) -> Array:
    import numpy as np

    sums = [(sum(worth[level] * row["peak"] for level, row in rows.items()), rows.values()) for rows in images]
    counts = [sum(row["peak"] for row in levels) for _, levels in sums]
    values = [part / count if count else math.nan for (part, _), count in zip(sums, counts, strict=True)]
    return np.array(values, np.float64)


HIT_RATE_1, HIT_RATE_2 = (
    MetricRecord(
        name=build.__name__,
        label=label,
        summary=summary,
        source="SaliencyCNNAnalysis, skin-layer maps in grey code",
        build=build,
        reads="layers",
        bounds=bounds,
        needs=frozenset({"eval_masks", "layers"}),
        assumed={
            "peak": "all pixels whose 8-bit value, 255 map / max rounded, is 255",
            "negatives": "only images of the class count",
        },
        order=order,
        standing=(Standing(level="report"),),
    )
    for build, label, summary, bounds, order in (
        (hit_rate_1, "Hit Rate 1", "worth of the skin layer under the map's peak, -1 to 3", (-1.0, 3.0), 210),
        (
            hit_rate_2,
            "Hit Rate 2",
            "1 for a peak in the key layer, 0 in another, -1 in the background",
            (-1.0, 1.0),
            211,
        ),
    )
)
