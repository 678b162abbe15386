"""Dice of a map with the outline of the lesion: soft, and at a threshold that is fitted on tune_loc."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    import pandas as pd

    from harness.metrics.functional import Array

_OUTLINES = frozenset({"eval_masks", "outline"})


def dice(rows: pd.DataFrame, /) -> Array:
    """Return 2 sum(A M) / (sum(A) + sum(M)) of each image.

    Source: Shen et al. 2020, Medical Image Analysis, 101908; the formula is the continuous F1 of their 2019 paper.
    """
    from harness.metrics.functional import soft_dice

    return soft_dice(rows["dice_overlap"].to_numpy(), rows["dice_sum"].to_numpy())


def dice_fitted(rows: pd.DataFrame, threshold: float, /, *, scaled: bool = False) -> Array:
    """Return 2 |B and M| / (|B| + |M|) of B = {map >= threshold} of each image.

    Args:
        rows: an image and class each, with the terms of the record.
        threshold: of the map, in [0, 1].
        scaled: True to scale each map to [0, 1] by its own lowest and highest value.
    """
    import numpy as np

    from harness.metrics.functional import BINS, dice_curves, histograms

    place = round(threshold * (BINS - 1))
    return dice_curves(*histograms(rows, scaled))[:, place] if len(rows) else np.zeros(0)


def best_threshold(rows: pd.DataFrame, /, *, scaled: bool) -> float:
    """Return the threshold with the largest mean Dice; of equally good ones the middle one."""
    import numpy as np

    from harness.metrics.functional import BINS, dice_curves, histograms, middle_best

    if not len(rows):
        return math.nan
    return middle_best(np.nanmean(dice_curves(*histograms(rows, scaled)), axis=0)) / (BINS - 1)


DICE = MetricRecord(
    name="dice",
    label="Dice",
    summary="soft Dice of the saliency map, over images that have the lesion",
    source="Shen et al. 2020, Medical Image Analysis, 101908",
    build=dice,
    reads="maps",
    terms=("dice_overlap", "dice_sum"),
    needs=_OUTLINES,
    assumed={"formula": "2 sum(A M) / (sum(A) + sum(M)), nearest-neighbour upsampling: not printed in the paper"},
    order=110,
    standing=(Standing(level="leaderboard"),),
)
DICE_FITTED = MetricRecord(
    name="dice_fitted",
    label="Dice, fitted",
    summary="Dice of the map at the threshold that is best on tune_loc",
    build=dice_fitted,
    fit=best_threshold,
    reads="maps",
    terms=("positive_raw", "negative_raw", "positive_scaled", "negative_scaled"),
    needs=_OUTLINES,
    order=120,
    standing=(
        Standing(level="report"),
        Standing(level="tables", name="dice_fitted_scaled", label="Dice, fitted, scaled", params={"scaled": True}),
    ),
)
