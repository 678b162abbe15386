"""Metrics as pure functions over numpy arrays: what a figure of merit is, said once.

The Metric classes of a plugin, the tables and their statistics all stand on these. No state,
no torch, no tables written.
"""

from harness.evidence.localisation import (
    dice_per_class,
    localisable,
    map_terms,
    pixel_ap,
    pixel_ap_per_class,
    pointing_per_class,
    resize_nearest,
    soft_dice,
)
from harness.evidence.scores import Array, auprc, auroc, brier, check_once, mean_defined, to_arrays

__all__ = [
    "Array",
    "auprc",
    "auroc",
    "brier",
    "check_once",
    "dice_per_class",
    "localisable",
    "map_terms",
    "mean_defined",
    "pixel_ap",
    "pixel_ap_per_class",
    "pointing_per_class",
    "resize_nearest",
    "soft_dice",
    "to_arrays",
]
