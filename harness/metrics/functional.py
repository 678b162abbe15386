"""Pure functions over NumPy arrays, and the terms of metrics. No torch, no state."""

from harness.contract.tables import BINS
from harness.metrics.maps.attention import attention_gap, touched
from harness.metrics.maps.boxes import STEPS, box_terms, boxes_of, components
from harness.metrics.maps.froc import Froc
from harness.metrics.maps.grid import resize_nearest
from harness.metrics.maps.layers import LayerImages, decode_layers, layer_overlap, layer_terms
from harness.metrics.maps.localisation import (
    dice_curves,
    histograms,
    localisable,
    map_terms,
    middle_best,
    peak_hit,
    pixel_ap,
    soft_dice,
    weighted_pixel_ap,
)
from harness.metrics.maps.reduction import reduced_mask
from harness.metrics.scores.calibration import calibration_error, weighted_calibration_error
from harness.metrics.scores.classification import (
    Decisions,
    decide,
    decision,
    threshold_at_sensitivity,
    threshold_at_specificity,
    youden_threshold,
)
from harness.metrics.scores.ranking import auroc, average_precision, check_once, rank_auc, to_arrays
from harness.metrics.terms import Scores, Winners
from harness.statistics.arrays import Array, mean_defined
from harness.statistics.bootstrap import auc as weighted_auc
from harness.statistics.bootstrap import average_precision as weighted_average_precision
from harness.statistics.bootstrap import decisions as weighted_decisions
from harness.statistics.bootstrap import means as weighted_means

__all__ = [
    "BINS",
    "STEPS",
    "Array",
    "Decisions",
    "Froc",
    "LayerImages",
    "Scores",
    "Winners",
    "attention_gap",
    "auroc",
    "average_precision",
    "box_terms",
    "boxes_of",
    "calibration_error",
    "check_once",
    "components",
    "decide",
    "decision",
    "decode_layers",
    "dice_curves",
    "histograms",
    "layer_overlap",
    "layer_terms",
    "localisable",
    "map_terms",
    "mean_defined",
    "middle_best",
    "peak_hit",
    "pixel_ap",
    "rank_auc",
    "reduced_mask",
    "resize_nearest",
    "soft_dice",
    "threshold_at_sensitivity",
    "threshold_at_specificity",
    "to_arrays",
    "touched",
    "weighted_auc",
    "weighted_average_precision",
    "weighted_calibration_error",
    "weighted_decisions",
    "weighted_means",
    "weighted_pixel_ap",
    "youden_threshold",
]
