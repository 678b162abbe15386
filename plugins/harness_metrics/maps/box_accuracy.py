"""Accuracy of the box around the hottest part of a map."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    import pandas as pd

    from harness.metrics.functional import Array

_IOUS = (0.3, 0.5, 0.7)
_SLACK = 1e-6  # tables hold float32, in which 70 / 100 is just below .7


def box_accuracy(rows: pd.DataFrame, threshold: float, /, *, iou: float = 0.5) -> Array:
    """Return 1 for each image where the box of {map >= threshold} overlaps a lesion's by at least `iou`, else 0.

    NaN in tables that hold no box terms.

    Args:
        rows: of the maps table.
        threshold: fitted on tune_loc.
        iou: the least overlap of two boxes, as intersection over union, in (0, 1].

    Source: Choe et al. 2020, CVPR (MaxBoxAcc; there the threshold is fitted on a split with boxes too).
    """
    import numpy as np

    from harness.metrics.functional import STEPS, box_terms

    found = box_terms(rows)[:, round(threshold * STEPS)]
    return np.where(np.isnan(found), math.nan, found >= iou - _SLACK)


def best_threshold(rows: pd.DataFrame, /, *, iou: float) -> float:
    """Return the threshold with the highest accuracy; of equally good ones the middle one."""
    import numpy as np

    from harness.metrics.functional import STEPS, box_terms, middle_best

    fitted = box_terms(rows)
    if not len(fitted) or np.isnan(fitted).all():
        return math.nan
    return middle_best((fitted >= iou - _SLACK).mean(0)) / STEPS


def check_iou(*, iou: float) -> Mapping[str, Any]:
    """Refuse an overlap that no box can have.

    Raises:
        ValueError: `iou` is outside (0, 1].
    """
    if not 0 < iou <= 1:
        raise ValueError(f"`0 < iou <= 1` must hold, but got {iou=}.")
    return {}


BOX_ACCURACY = MetricRecord(
    name="box_accuracy",
    label="box",
    summary="share of images where the map's box overlaps a lesion's by `iou`, at the threshold best on tune_loc",
    source="Choe et al. 2020, CVPR",
    build=box_accuracy,
    fit=best_threshold,
    facts=check_iou,
    reads="maps",
    terms=("box_iou",),
    needs=frozenset({"eval_masks", "region"}),
    order=150,
    standing=tuple(
        Standing(
            level="report",
            name=f"box_accuracy_{100 * iou:.0f}",
            label=f"box {iou:g}".replace("0.", "."),
            params={"iou": iou},
        )
        for iou in _IOUS
    ),
)
