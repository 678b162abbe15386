"""Metrics as pure functions over numpy arrays: what a figure of merit is, said once.

The Metric classes of a plugin, the tables and their statistics all stand on these. No state,
no torch, no tables written.
"""

from harness.metrics.maps.attention import attention_gap, touched
from harness.metrics.maps.boxes import boxes_of, components
from harness.metrics.maps.grid import resize_nearest
from harness.metrics.maps.layers import FIGURES as LAYER_FIGURES
from harness.metrics.maps.layers import decode_layers, layer_terms
from harness.metrics.maps.localisation import (
    dice_per_class,
    localisable,
    map_terms,
    pixel_ap,
    pixel_ap_per_class,
    pointing_per_class,
    soft_dice,
)
from harness.metrics.scores.calibration import ece
from harness.metrics.scores.classification import (
    accuracy,
    balanced_accuracy,
    f1,
    f1_top1,
    precision,
    precision_top1,
    recall,
    recall_top1,
    top1,
)
from harness.metrics.scores.ranking import auprc, auroc, brier, check_once, to_arrays
from harness.statistics.arrays import Array, mean_defined

__all__ = [
    "LAYER_FIGURES",
    "Array",
    "accuracy",
    "attention_gap",
    "auprc",
    "auroc",
    "balanced_accuracy",
    "boxes_of",
    "brier",
    "check_once",
    "components",
    "decode_layers",
    "dice_per_class",
    "ece",
    "f1",
    "f1_top1",
    "layer_terms",
    "localisable",
    "map_terms",
    "mean_defined",
    "pixel_ap",
    "pixel_ap_per_class",
    "pointing_per_class",
    "precision",
    "precision_top1",
    "recall",
    "recall_top1",
    "resize_nearest",
    "soft_dice",
    "to_arrays",
    "top1",
    "touched",
]
