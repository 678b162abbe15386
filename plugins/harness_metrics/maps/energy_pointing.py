"""The energy-based pointing game."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import MetricRecord

if TYPE_CHECKING:
    import pandas as pd

    from harness.metrics.functional import Array


def energy_pointing(rows: pd.DataFrame, /) -> Array:
    """Return the share of each map's energy, the sum of its values, inside the lesion; 0 of a map of zeros.

    Source: Wang et al. 2020, CVPR Workshops (Score-CAM), section 4.3.
    """
    import numpy as np

    inside = rows["dice_overlap"].to_numpy(np.float64)
    pixels = np.array([np.sum(counts) for counts in rows["positive_raw"]], np.float64)
    energy = rows["dice_sum"].to_numpy(np.float64) - pixels
    found: Array = np.divide(inside, energy, out=np.zeros_like(inside), where=energy > 0)
    return found


ENERGY_POINTING = MetricRecord(
    name="energy_pointing",
    label="energy pointing",
    summary="share of a map's energy inside the lesion",
    source="Wang et al. 2020, CVPR Workshops (Score-CAM)",
    build=energy_pointing,
    reads="maps",
    terms=("dice_overlap", "dice_sum", "positive_raw"),
    needs=frozenset({"eval_masks", "region"}),
    assumed={"a map of zeros": "0: it points nowhere"},
    order=141,
)
