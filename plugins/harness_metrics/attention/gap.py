"""The attention gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import MetricRecord

if TYPE_CHECKING:
    import pandas as pd

    from harness.metrics.functional import Array


def attention_gap(rows: pd.DataFrame, /) -> Array:
    """Return the mean weight of the patches that the mask touches minus that of the others, of each image.

    Images whose patches under attention all touch the lesion, or none of which does, do not count.
    """
    import numpy as np

    return rows["gap"].to_numpy(np.float64)


ATTENTION_GAP = MetricRecord(
    name="attention_gap",
    label="attention gap",
    summary="mean attention of patches that touch the lesion minus that of the others; compare at equal n",
    source="Liu et al. 2024, Geomatics and Information Science of Wuhan University, 1070-1078",
    build=attention_gap,
    reads="attention",
    bounds=(-1.0, 1.0),
    needs=frozenset({"eval_masks", "region", "attention"}),
    assumed={
        "positive patch": "one that the mask touches",
        "images": "those that have the class, averaged; of the patches under attention alone",
    },
    equal="patches",
    order=310,
)
