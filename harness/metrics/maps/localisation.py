"""Terms of a saliency map and a mask, and the formulas of Dice and PxAP."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.tables import BINS
from harness.metrics.maps.grid import cell_edges, min_max, resize_nearest
from harness.statistics.arrays import Array, ratio
from harness.statistics.bootstrap import Statistic

if TYPE_CHECKING:
    import pandas as pd

_SLACK = 1e-6


def map_terms(saliency: Array, mask: Array | None) -> dict[str, Any]:
    """Return the terms of all localisation metrics: the last columns of the maps table.

    The map has the mask's size after `resize_nearest`. Cells are counted instead of resized,
    so that a small map on a large image costs little more than reading the mask.

    Args:
        saliency: "i j" in [0, 1]; a map finer than the mask is reduced to its size.
        mask: "h w", true inside the lesions of the class; None if unknown.

    Returns:
        `mask_known`; `mask_area` as a fraction; `dice_overlap` = sum(A M) and `dice_sum` =
        sum(A) + sum(M); `peak_hit`, the fraction of the map's highest pixels that lie inside (1 or 0
        unless peaks tie, prevalence on a constant map, NaN on an empty mask); four histograms of
        BINS counts, where bin b counts b/1000 <= value < (b+1)/1000 and the last counts 1. A constant
        map scales to 0. Without a mask the numbers are NaN and the histograms None.

    Raises:
        ValueError: a value of the map is outside [0, 1] or not finite.
    """
    values = _unit_interval(saliency)
    if mask is None:
        return _unknown_terms()
    inside, total = _cell_counts(values.shape, np.asarray(mask).astype(bool, copy=False))
    if inside.shape != values.shape:  # a map finer than the mask
        values = resize_nearest(values, inside.shape)
    hit = _peak_hit(values, inside, total)
    flat, inside, outside = values.ravel(), inside.ravel(), (total - inside).ravel()
    area, pixels = int(inside.sum()), int(total.sum())
    raw, scaled = _bins(flat), _bins(min_max(flat))
    return {
        "mask_known": True,
        "mask_area": area / pixels,
        "dice_overlap": float(flat @ inside),
        "dice_sum": float(flat @ (inside + outside)) + area,
        "peak_hit": hit,
        "positive_raw": _histogram(raw, inside),
        "negative_raw": _histogram(raw, outside),
        "positive_scaled": _histogram(scaled, inside),
        "negative_scaled": _histogram(scaled, outside),
    }


def peak_hit(saliency: Array, mask: Array) -> float:
    """Return the fraction of a map's highest pixels that lie inside a mask; NaN on an empty mask.

    Args:
        saliency: "i j" in [0, 1].
        mask: "h w", true inside; the map takes its size.
    """
    values = np.asarray(saliency, np.float64)
    inside, total = _cell_counts(values.shape, np.asarray(mask).astype(bool, copy=False))
    return _peak_hit(values if inside.shape == values.shape else resize_nearest(values, inside.shape), inside, total)


def soft_dice(overlap: Array | float, total: Array | float) -> Array:
    """Return soft Dice 2 sum(A M) / (sum(A) + sum(M)) from its two terms; NaN if both A and M are empty.

    Source: Shen et al. 2020 report it for GMIC; the formula is the continuous F1 of their 2019 paper.
    """
    overlap, total = np.asarray(overlap, dtype=np.float64), np.asarray(total, dtype=np.float64)
    return ratio(2 * overlap, total)


def pixel_ap(positive: Array, negative: Array) -> float:
    """Return the pixel average precision (PxAP) from pooled histograms; a constant map scores the prevalence.

    Pixels of all images are pooled, so large lesions weigh more than small ones.

    Args:
        positive: BINS counts of map values inside the masks.
        negative: the same outside.

    Returns:
        A value in [0, 1] (the source multiplies by 100); NaN if no pixel is inside.

    Source: Choe et al. 2020, CVPR; 2022, TPAMI.
    """
    hits = np.cumsum(np.asarray(positive, dtype=np.float64)[::-1])
    alarms = np.cumsum(np.asarray(negative, dtype=np.float64)[::-1])
    if not hits[-1]:
        return math.nan
    called = hits + alarms
    precision = ratio(hits, called, 0.0)
    return float(precision @ np.diff(hits, prepend=0.0) / hits[-1])


def weighted_pixel_ap(positive: Array, negative: Array) -> Statistic:
    """Return `pixel_ap` as a function of weights "r n", of the histograms "n BINS" of each image."""
    inside, outside = (np.asarray(counts, dtype=np.float64)[:, ::-1] for counts in (positive, negative))

    def of(weights: Array) -> Array:
        hits = np.cumsum(weights @ inside, axis=1)
        called = hits + np.cumsum(weights @ outside, axis=1)
        precision = ratio(hits, called, 0.0)
        area, total = np.einsum("rt,rt->r", precision, np.diff(hits, axis=1, prepend=0.0)), hits[:, -1]
        return ratio(area, total)

    return of


def dice_curves(positive: Array, negative: Array) -> Array:
    """Return the Dice of {map >= threshold} with the mask, image by image, from histograms.

    Args:
        positive: "n BINS" counts of map values inside the masks.
        negative: the same outside.

    Returns:
        "n BINS": index b is the threshold b / (BINS - 1). NaN where map and mask are empty.
    """
    hits = np.cumsum(np.asarray(positive, dtype=np.float64)[:, ::-1], axis=1)[:, ::-1]
    called = hits + np.cumsum(np.asarray(negative, dtype=np.float64)[:, ::-1], axis=1)[:, ::-1]
    return soft_dice(hits, called + hits[:, :1])


def histograms(rows: pd.DataFrame, scaled: bool) -> tuple[Array, Array]:
    """Return the counts of map values inside and outside the masks, "n BINS" each."""
    held = [list(rows[f"{sign}_{'scaled' if scaled else 'raw'}"]) for sign in ("positive", "negative")]
    positive, negative = (np.stack(own) if own else np.zeros((0, BINS)) for own in held)
    return positive, negative


def middle_best(values: Array) -> int:
    """Return the index of the highest value; the middle one of equals."""
    best = np.flatnonzero(values == np.nanmax(values))
    return int(best[len(best) // 2])


def localisable(maps: pd.DataFrame) -> pd.DataFrame:
    """Return the rows for localisation: the image has the class, and its mask is known and not empty."""
    return maps[(maps["label"] == 1) & maps["mask_known"].astype(bool) & (maps["mask_area"] > 0)]


def _peak_hit(values: Array, inside: Array, total: Array) -> float:
    peak = values == values.max()
    return float(inside[peak].sum() / total[peak].sum()) if inside.any() else math.nan


def _unit_interval(saliency: Array) -> Array:
    values = np.asarray(saliency, dtype=np.float64)
    low, high = values.min(), values.max()
    if not (low >= -_SLACK and high <= 1 + _SLACK):
        raise ValueError(f"a map must lie in [0, 1], but this one spans {low} to {high}.")
    return values.clip(0, 1)


def _cell_counts(shape: tuple[int, ...], mask: Array) -> tuple[Array, Array]:
    """Count the pixels inside the mask, and all pixels, of each cell of a map of `shape` over the mask."""
    if shape[0] > mask.shape[0] or shape[1] > mask.shape[1] or shape == mask.shape:
        return mask.astype(np.float64), np.ones(mask.shape)
    edges = [cell_edges(cells, out) for cells, out in zip(shape, mask.shape, strict=True)]
    inside = np.add.reduceat(mask, edges[0][:-1], axis=0, dtype=np.int32)
    inside = np.add.reduceat(inside, edges[1][:-1], axis=1)
    return inside.astype(np.float64), np.outer(*map(np.diff, edges)).astype(np.float64)


def _bins(values: Array) -> Array:
    # The slack, a ten-thousandth of a bin, keeps k/1000 in bin k if its float32 is slightly below it.
    return (values * (BINS - 1) + 1e-4).astype(np.int64)


def _histogram(bins: Array, weights: Array) -> Array:
    return np.bincount(bins, weights, minlength=BINS).astype(np.int32)


def _unknown_terms() -> dict[str, Any]:
    numbers = dict.fromkeys(("mask_area", "dice_overlap", "dice_sum", "peak_hit"), math.nan)
    return {
        "mask_known": False,
        **numbers,
        **dict.fromkeys(("positive_raw", "negative_raw", "positive_scaled", "negative_scaled")),
    }
