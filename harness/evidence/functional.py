"""Metrics as pure functions over numpy arrays: what a figure of merit is, said once.

The Metric classes of a plugin, the tables and their statistics all stand on these. No state,
no torch, no tables written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from harness.contract.tables import BINS

if TYPE_CHECKING:
    import pandas as pd

Array: TypeAlias = npt.NDArray[Any]
"""Any numpy array; the docstring gives its axes."""

_SLACK = 1e-6


def auroc(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """Area under the ROC curve, one class against the rest, and its mean.

    Args:
        labels: "n k" of 1, 0 and NaN; unknown labels are left out, class by class.
        scores: "n k", finite; only their order counts.
        classes: the k names.

    Returns:
        A value a class, NaN where only one label occurs, and under "" the mean of the defined ones.

    Raises:
        ValueError: the shapes differ, a label is not 0, 1 or NaN, or a score is not finite.
    """
    from sklearn.metrics import roc_auc_score

    return _per_class(labels, scores, classes, lambda y, s: float(roc_auc_score(y, s)), both=True)


def auprc(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """Average precision, a step-wise area under the precision-recall curve; chance is the prevalence.

    Arguments, result and errors as in `auroc`.
    """
    from sklearn.metrics import average_precision_score

    return _per_class(labels, scores, classes, lambda y, s: float(average_precision_score(y, s)), both=True)


def brier(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, float]:
    """Mean squared distance of a probability to its label, in [0, 1]; 0 is best.

    Each class counts as a question of its own, of a multi-class task too. Arguments, result and
    errors as in `auroc`, but a class with one label only is defined.
    """
    return _per_class(labels, scores, classes, lambda y, s: float(np.square(y - s).mean()), both=False)


def mean_defined(values: Sequence[float] | Array) -> float:
    """Mean of the values that are not NaN; NaN where there is none."""
    array = np.asarray(values, dtype=np.float64)
    known = array[~np.isnan(array)]
    return float(known.mean()) if known.size else math.nan


def resize_nearest(values: Array, size: tuple[int, int]) -> Array:
    """A map brought to another size; output pixel y takes input cell floor(y i / h), x likewise.

    The rule of torch's and OpenCV's "nearest" for upsampling, in exact integers: each cell becomes
    a rectangle, and no value is made that was not there. It is how GMIC's Dice reads saliency.

    Args:
        values: "i j".
        size: height and width to come to, in pixels.

    Returns:
        "h w".
    """
    rows, columns = (np.arange(out) * cells // out for out, cells in zip(size, values.shape, strict=True))
    resized: Array = values[np.ix_(rows, columns)]
    return resized


def map_terms(saliency: Array, mask: Array | None) -> dict[str, Any]:
    """Everything that localisation is later computed from: the last columns of the maps table.

    The map is read at the mask's size after `resize_nearest`. Equal cells are counted rather than
    drawn, so that a small map on a large image costs little more than reading the mask.

    Args:
        saliency: "i j" in [0, 1], at any size up to the mask's, or at the mask's own.
        mask: "h w", true inside the lesions of the class; None where it is not known.

    Returns:
        `mask_known`; `mask_area` as a fraction; `dice_overlap` = sum(A M) and `dice_sum` =
        sum(A) + sum(M); `peak_hit`, the fraction of the map's highest pixels that lie inside (1 or 0
        unless peaks tie, prevalence on a constant map, NaN on an empty mask); four histograms of
        BINS counts, where bin b counts b/1000 <= value < (b+1)/1000 and the last counts 1. A constant
        map scales to 0. With no mask the numbers are NaN and the histograms None.

    Raises:
        ValueError: the map leaves [0, 1] or is not finite.
    """
    values = _unit_interval(saliency)
    if mask is None:
        return _unknown_terms()
    inside, total = _cell_counts(values.shape, np.asarray(mask).astype(bool, copy=False))
    if inside.shape != values.shape:  # a map finer than the mask
        values = resize_nearest(values, inside.shape)
    flat, inside, outside = values.ravel(), inside.ravel(), (total - inside).ravel()
    area, pixels = int(inside.sum()), int(total.sum())
    peak = flat == flat.max()
    raw, scaled = _bins(flat), _bins(_min_max(flat))
    return {
        "mask_known": True,
        "mask_area": area / pixels,
        "dice_overlap": float(flat @ inside),
        "dice_sum": float(flat @ (inside + outside)) + area,
        "peak_hit": float(inside[peak].sum() / (inside + outside)[peak].sum()) if area else math.nan,
        "positive_raw": _histogram(raw, inside),
        "negative_raw": _histogram(raw, outside),
        "positive_scaled": _histogram(scaled, inside),
        "negative_scaled": _histogram(scaled, outside),
    }


def soft_dice(overlap: Array | float, total: Array | float) -> Array:
    """Soft Dice 2 sum(A M) / (sum(A) + sum(M)) from its two terms; NaN where both A and M are empty.

    Its ceiling on a real map is below 1: full overlap needs A = 1 inside and 0 outside.

    Source: Shen et al. 2020 report it for GMIC; the formula is the continuous F1 of their 2019 paper.
    """
    overlap, total = np.asarray(overlap, dtype=np.float64), np.asarray(total, dtype=np.float64)
    out: Array = np.full(np.shape(total), math.nan)
    return np.divide(2 * overlap, total, out=out, where=total > 0)


def pixel_ap(positive: Array, negative: Array) -> float:
    """Pixel average precision (PxAP) from pooled histograms; a constant map scores the prevalence.

    Pixels of all images are pooled, so large lesions weigh more than small ones.

    Args:
        positive: BINS counts of map values inside the masks.
        negative: the same outside.

    Returns:
        A value in [0, 1] (the source multiplies by 100); NaN where no pixel is inside.

    Source: Choe et al. 2020, CVPR; 2022, TPAMI.
    """
    hits = np.cumsum(np.asarray(positive, dtype=np.float64)[::-1])
    alarms = np.cumsum(np.asarray(negative, dtype=np.float64)[::-1])
    if not hits[-1]:
        return math.nan
    called = hits + alarms
    precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
    return float(precision @ np.diff(hits, prepend=0.0) / hits[-1])


def to_arrays(predictions: pd.DataFrame, classes: Sequence[str]) -> tuple[Array, Array]:
    """Labels and scores "n k" of one head of one trained model, images sorted by id.

    Args:
        predictions: rows of the predictions table.
        classes: the order of k.

    Raises:
        ValueError: an (image, class) occurs twice, as it does where models or heads are mixed.
    """
    twice = predictions.duplicated(["id", "class"])
    if twice.any():
        row = predictions[twice].iloc[0]
        raise ValueError(f"image {row['id']!r} has two scores for class {row['class']!r}: take one model and one head.")
    wide = [predictions.pivot(index="id", columns="class", values=name) for name in ("label", "score")]
    labels, scores = (table.reindex(columns=list(classes)).to_numpy(dtype=np.float64) for table in wide)
    return labels, scores


def localisable(maps: pd.DataFrame) -> pd.DataFrame:
    """The rows that count for localisation: the image has the class, and its mask is known and not empty."""
    return maps[(maps["label"] == 1) & maps["mask_known"].astype(bool) & (maps["mask_area"] > 0)]


def per_class(rows: pd.DataFrame, classes: Sequence[str], of: Callable[[pd.DataFrame], float]) -> dict[str, float]:
    """`of` the rows of each class, NaN where there are none, and under "" the mean of the defined values."""
    values = {}
    for name in classes:
        own = rows[rows["class"] == name]
        values[name] = of(own) if len(own) else math.nan
    return _with_mean(values)


def _per_class(
    labels: Array, scores: Array, classes: Sequence[str], of: Callable[[Array, Array], float], *, both: bool
) -> dict[str, float]:
    labels, scores = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    _check(labels, scores, classes)
    values = {}
    for k, name in enumerate(classes):
        known = ~np.isnan(labels[:, k])
        y, s = labels[known, k], scores[known, k]
        values[name] = of(y, s) if np.unique(y).size >= (2 if both else 1) else math.nan
    return _with_mean(values)


def _with_mean(values: Mapping[str, float]) -> dict[str, float]:
    return {"": mean_defined(list(values.values())), **values}


def _check(labels: Array, scores: Array, classes: Sequence[str]) -> None:
    if labels.shape != scores.shape or labels.ndim != 2 or labels.shape[1] != len(classes):
        raise ValueError(
            f"labels and scores are (images, {len(classes)} classes), but got {labels.shape} and {scores.shape}."
        )
    if not np.isin(labels[~np.isnan(labels)], (0, 1)).all():
        raise ValueError("labels are 0, 1 or NaN.")
    if not np.isfinite(scores[~np.isnan(labels)]).all():
        raise ValueError("scores must be finite.")


def _unit_interval(saliency: Array) -> Array:
    values = np.asarray(saliency, dtype=np.float64)
    low, high = values.min(), values.max()
    if not (low >= -_SLACK and high <= 1 + _SLACK):
        raise ValueError(f"a map must lie in [0, 1], but this one spans {low} to {high}.")
    return values.clip(0, 1)


def _cell_counts(shape: tuple[int, ...], mask: Array) -> tuple[Array, Array]:
    """Pixels inside the mask, and pixels, of each cell of a map of `shape` laid over the mask."""
    if shape[0] > mask.shape[0] or shape[1] > mask.shape[1] or shape == mask.shape:
        return mask.astype(np.float64), np.ones(mask.shape)
    # The first pixel of cell s is ceil(s h / i), where floor(y i / h) first comes to s.
    starts = [-(-np.arange(cells) * out // cells) for cells, out in zip(shape, mask.shape, strict=True)]
    extents = [np.diff(start, append=out) for start, out in zip(starts, mask.shape, strict=True)]
    inside = np.add.reduceat(mask, starts[0], axis=0, dtype=np.int32)
    inside = np.add.reduceat(inside, starts[1], axis=1)
    return inside.astype(np.float64), np.outer(*extents).astype(np.float64)


def _min_max(values: Array) -> Array:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _bins(values: Array) -> Array:
    # The slack keeps k/1000 in bin k where floating point lands just below it.
    return (values * (BINS - 1) + _SLACK).astype(np.int64)


def _histogram(bins: Array, weights: Array) -> Array:
    return np.bincount(bins, weights, minlength=BINS).astype(np.int32)


def _unknown_terms() -> dict[str, Any]:
    numbers = dict.fromkeys(("mask_area", "dice_overlap", "dice_sum", "peak_hit"), math.nan)
    return {
        "mask_known": False,
        **numbers,
        **dict.fromkeys(("positive_raw", "negative_raw", "positive_scaled", "negative_scaled")),
    }
