"""Distance of a map's peak to the lesion."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness import MetricRecord

if TYPE_CHECKING:
    from harness.metrics.functional import Array


def peak_distance(saliency: Array, mask: Array, /) -> float:
    """Return the distance in image pixels from the map's peak to the nearest lesion, 0 inside.

    Where several pixels tie for the peak, as those of one cell of a small map do, it is their mean distance.

    Args:
        saliency: "i j", read at the mask's size by nearest neighbour.
        mask: "h w", True inside the lesions; not empty.
    """
    from scipy.ndimage import distance_transform_edt

    from harness.metrics.functional import resize_nearest

    drawn = resize_nearest(saliency, (mask.shape[0], mask.shape[1]))
    return float(distance_transform_edt(~mask)[drawn == drawn.max()].mean())


PEAK_DISTANCE = MetricRecord(
    name="peak_distance",
    label="peak distance, px",
    summary="image pixels from the map's peak to the nearest lesion, 0 inside; lower is better",
    build=peak_distance,
    form="term",
    reads="maps",
    bounds=(0.0, math.inf),
    needs=frozenset({"eval_masks", "region"}),
    assumed={"tied peaks": "their mean distance"},
    higher_is_better=False,
    order=142,
)
