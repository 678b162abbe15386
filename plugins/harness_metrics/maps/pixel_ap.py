"""Pixel average precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    import pandas as pd

    from harness.metrics.functional import Array


def pixel_ap(rows: pd.DataFrame, weights: Array | None, /) -> Array | float:
    """Return the average precision of the pixels of all images as one list, maps min-max scaled image by image."""
    from harness.metrics.functional import histograms, weighted_pixel_ap
    from harness.metrics.functional import pixel_ap as of_histograms

    positive, negative = histograms(rows, scaled=True)
    if weights is None:
        return of_histograms(positive.sum(0), negative.sum(0))
    return weighted_pixel_ap(positive, negative)(weights)


PIXEL_AP = MetricRecord(
    name="pixel_ap",
    label="pixel AP",
    summary="average precision over pixels (PxAP), maps min-max scaled per image",
    source="Choe et al. 2020, CVPR; 2022, TPAMI",
    build=pixel_ap,
    reads="maps",
    form="statistic",
    terms=("positive_scaled", "negative_scaled"),
    per="pixel",
    needs=frozenset({"eval_masks", "region"}),
    assumed={"pooling": "over the images that have the class, at image size rather than 224 px"},
    interval=False,
    order=130,
    standing=(Standing(level="replicates"),),
)
