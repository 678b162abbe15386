"""Calibration curves of every confirmed model, by bins of the score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metrics.scores.calibration import BINS, reliability
from harness.metrics.scores.ranking import is_probability
from harness.tables.rows import REPLICATE, by_model

if TYPE_CHECKING:
    import pandas as pd


def reliability_table(predictions: pd.DataFrame, classes: Sequence[str], bins: int = BINS) -> pd.DataFrame:
    """Return the reliability curve of every trained model and head on the test split, a row per class and bin.

    Returns:
        `variant`, `head`, `seed`, `fold`, `class`, `low`, `high`, `count`, `score`, `share`. A head with scores
        outside [0, 1], such as a reader's rating, has no rows.
    """
    import pandas as pd

    from harness.metrics.scores.ranking import to_arrays

    columns, rows = ["variant", "head", *REPLICATE, "class", "low", "high", "count", "score", "share"], list[Any]()
    for key, own in by_model(predictions[predictions["split"] == "test"]):
        labels, scores = to_arrays(own, classes)
        if not is_probability(scores[~np.isnan(labels)]):
            continue
        for k, name in enumerate(classes):
            known = ~np.isnan(labels[:, k])
            curve = reliability(labels[known, k], scores[known, k], bins)
            rows += [(*key, name, *values) for values in zip(*curve.values(), strict=True)]
    return pd.DataFrame(rows, columns=columns)


def pooled_reliability(table: pd.DataFrame) -> pd.DataFrame:
    """Return the reliability curves of own outputs, with the images of all replicates of a variant pooled.

    Returns:
        `variant`, `class`, `low`, `high`, `count`, `score`, `share`; NaN in an empty bin.
    """
    from harness.contract.tables import OWN_HEAD

    own = table[table["head"] == OWN_HEAD]
    sums = own.assign(score=own["score"] * own["count"], share=own["share"] * own["count"])
    pooled = sums.groupby(["variant", "class", "low", "high"], sort=False)[["count", "score", "share"]].sum()
    filled = pooled["count"].where(pooled["count"] > 0)
    return pooled.assign(score=pooled["score"] / filled, share=pooled["share"] / filled).reset_index()
