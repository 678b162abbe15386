"""Terms of a map and a picture of the skin's layers in grey values.

Layers have grey values (`harness.contract.masks.LAYERS`): 255 is the key layer, 128, 64 and 32 are less important, 0
is the background. All values are of one map divided by its maximum, H in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from harness.contract.masks import LAYERS, TOLERANCE
from harness.metrics.maps.grid import resize_nearest
from harness.statistics.arrays import Array, ratio

if TYPE_CHECKING:
    import pandas as pd

TAUS = tuple(step / 100 for step in range(50, 100, 5))
"""Thresholds of the coverage masks, as fractions of the map's maximum: .50, .55, …, .95."""

LayerRows: TypeAlias = Mapping[int, Mapping[str, Any]]
"""Level -> its row of the layers table, of one image and map."""
LayerImages: TypeAlias = Sequence[LayerRows]
"""Input of the formulas of layers: one mapping per image."""


def decode_layers(grey: Array) -> Array:
    """Return the layer of LAYERS within TOLERANCE of each grey value; all other values are background (0).

    Args:
        grey: "h w", uint8.

    Returns:
        "h w", uint8.
    """
    found = np.zeros(np.shape(grey), np.uint8)
    for level in LAYERS:
        found[np.abs(np.asarray(grey).astype(np.int16) - level) <= TOLERANCE] = level
    return found


def layer_terms(saliency: Array, layers: Array) -> list[dict[str, Any]]:
    """Return the terms of Hit Rate and coverage, a row per level: the last columns of the layers table.

    The map is resized to the picture by `resize_nearest`. Its peak is the set of pixels with the highest 8-bit value,
    255 H rounded: 255, except for a map of zeros.

    Args:
        saliency: "i j", not negative; a map of zeros stays zero, and all its pixels tie for the peak.
        layers: "h w" of the grey values of LAYERS.

    Returns:
        `level`; `pixels`, its number of pixels; `peak`, the number of the map's highest pixels (255 in 8 bits) in it;
        `heat`, sum of H; `covered`, the number of its pixels with H >= tau, for each of TAUS.

    Raises:
        ValueError: the map has a negative or non-finite value.
    """
    values = np.asarray(saliency, dtype=np.float64)
    if not (np.isfinite(values).all() and values.min() >= 0):
        raise ValueError(f"a map must be finite and not negative, but this one spans {values.min()} to {values.max()}.")
    highest = values.max()
    heat = resize_nearest(values / highest if highest > 0 else values, (layers.shape[0], layers.shape[1]))
    stored = np.rint(255 * heat)  # the source saves its maps in 8 bits before it searches for 255
    peak = stored == stored.max()
    rows: list[dict[str, Any]] = []
    for level in LAYERS:
        inside = layers == level
        own = heat[inside]
        covered = np.array([(own >= tau - 1e-9).sum() for tau in TAUS], np.int32)
        counted = {"pixels": int(inside.sum()), "peak": int((peak & inside).sum())}
        rows.append({"level": level, **counted, "heat": float(own.sum()), "covered": covered})
    return rows


def layer_overlap(rows: LayerRows, level: int) -> Array:
    """Return `|B and L| / |B or L|` of B = {H >= tau} and the layer L, for each of TAUS; NaN if both are empty."""
    covered = np.asarray(rows[level]["covered"], dtype=np.float64)
    called = np.sum([np.asarray(row["covered"], dtype=np.float64) for row in rows.values()], axis=0)
    union = called + rows[level]["pixels"] - covered
    return ratio(covered, union)


def by_image(layers: pd.DataFrame) -> list[LayerRows]:
    """Return the rows of one class and one map of one model as the input of formulas."""
    found: dict[str, dict[int, Mapping[str, Any]]] = {}
    for row in layers.to_dict("records"):
        found.setdefault(str(row["id"]), {})[int(row["level"])] = {str(key): value for key, value in row.items()}
    return list(found.values())


def focus_by_map(layers: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return (variant, map) -> (Hit Rate 1 + 1) / 4 in [0, 1], mean over test images and replicates.

    A peak in the key layer scores 1, in the background 0, in the layers between 3/4, 1/2 and 1/4.

    Args:
        layers: rows of the layers table, of any number of models.
    """
    shown = layers[(layers["split"] == "test") & (layers["label"] == 1)]
    worth = shown["level"].map(LAYERS) * shown["peak"]
    keys = ["variant", "map", "seed", "fold", "id", "class"]
    sums = shown.assign(worth=worth).groupby(keys, dropna=False, sort=False)[["worth", "peak"]].sum()
    rates = ((sums["worth"] / sums["peak"] + 1) / 4).groupby(["variant", "map"], sort=False)
    return {(str(variant), str(name)): float(own.mean()) for (variant, name), own in rates}
