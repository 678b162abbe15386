"""The pointing game."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    import pandas as pd

    from harness.metrics.functional import Array


def pointing(rows: pd.DataFrame, /) -> Array:
    """Return the share of each map's highest pixels that lie in the lesion: 1 or 0 unless peaks tie.

    Source: Zhang et al. 2018, IJCV, without its tolerance of 15 pixels.
    """
    import numpy as np

    return rows["peak_hit"].to_numpy(np.float64)


POINTING = MetricRecord(
    name="pointing",
    label="pointing",
    summary="share of lesions that the map's peak falls into; tied peaks are averaged",
    source="Zhang et al. 2018, IJCV",
    build=pointing,
    reads="maps",
    terms=("peak_hit",),
    needs=frozenset({"eval_masks", "region"}),
    order=140,
    standing=(Standing(level="replicates"),),
)
