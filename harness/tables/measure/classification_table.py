"""The classification table: every metric of scores of every confirmed model, at fixed and at fitted thresholds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metrics.scores.calibration import ece
from harness.metrics.scores.classification import (
    HALF,
    decision_figures,
    ece_top1,
    f1_top1,
    fitted_thresholds,
    precision_top1,
    recall_top1,
    top1,
)
from harness.metrics.scores.ranking import auprc, auroc, brier, is_probability, to_arrays, with_mean
from harness.statistics.arrays import Array
from harness.tables.compare.comparison import by_model

if TYPE_CHECKING:
    import pandas as pd


COLUMNS = ("variant", "head", "seed", "fold", "class", "metric", "value", "threshold", "threshold_from")


def classification_table(predictions: pd.DataFrame, classes: Sequence[str], kind: str) -> pd.DataFrame:
    """Every figure of scores of every trained model and head on the test split, in long form.

    Args:
        predictions: rows of the predictions table, of any number of models; thresholds are fitted on its split
            `val`, figures are of its split `test`.
        classes: the classes' names, in order.
        kind: the task's, "multilabel" or "multiclass"; the latter adds `top1`, `ece_top1` and what
            `top1_decisions` gives.

    Returns:
        A row a figure: `variant`, `head`, `seed`, `fold`, `class` ("" is the mean over classes that have the
        figure), `metric`, `value`, `threshold` and `threshold_from`. A figure at a fitted threshold has it in
        its name (`f1_at_youden`, `sensitivity_at_specificity_90`) and `threshold_from` "val"; without val rows
        it is NaN. `specificity_at_specificity_90` is what test reaches at the threshold that reaches .90 on val.
        Figures at .5 have "fixed"; those without a threshold "". Scores that are no probabilities have neither Brier
        score, calibration error nor figures at .5: NaN.

    Raises:
        ValueError: a score is NaN, or an (image, class) occurs twice in one model.
    """
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    fitted = dict(by_model(predictions[predictions["split"] == "val"]))
    for key, own in by_model(predictions[predictions["split"] == "test"]):
        test = to_arrays(own, classes)
        val = to_arrays(fitted[key], classes) if key in fitted else None
        rows += [(*key, *row) for row in _whole(*test, classes, kind)]
        rows += [(*key, *row) for row in _decisions(test, val, classes)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _whole(labels: Array, scores: Array, classes: Sequence[str], kind: str) -> list[tuple[Any, ...]]:
    """Rows of the figures that need no threshold."""
    of: dict[str, Callable[..., Mapping[str, float]]] = {"auroc": auroc, "auprc": auprc, "brier": brier, "ece": ece}
    if kind == "multiclass":
        of |= {"top1": top1, "precision_top1": precision_top1, "recall_top1": recall_top1, "f1_top1": f1_top1}
        of |= {"ece_top1": ece_top1}
    figures = {name: function(labels, scores, classes) for name, function in of.items()}
    return [(key, name, value, math.nan, "") for name, values in figures.items() for key, value in values.items()]


def _decisions(
    test: tuple[Array, Array], val: tuple[Array, Array] | None, classes: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Rows of the figures at a threshold: at .5, and at those fitted on val."""
    probable = is_probability(test[1][~np.isnan(test[0])])
    found: dict[str, dict[str, tuple[float, float]]] = {}  # metric -> class -> value, threshold
    for k, name in enumerate(classes):
        own, fit = _known(test, k), None if val is None else _known(val, k)
        for metric, value in decision_figures(*own, HALF if probable else math.nan).items():
            found.setdefault(metric, {})[name] = value, HALF
        for metric, (threshold, figure) in fitted_thresholds(fit).items():
            value = decision_figures(*own, threshold)[figure]
            found.setdefault(metric, {})[name] = value, threshold
    rows: list[tuple[Any, ...]] = []
    for metric, values in found.items():
        source = "val" if "_at_" in metric else "fixed"
        means = with_mean({name: value for name, (value, _) in values.items()})
        rows.append(("", metric, means[""], HALF if source == "fixed" else math.nan, source))
        rows += [(name, metric, value, threshold, source) for name, (value, threshold) in values.items()]
    return rows


def _known(arrays: tuple[Array, Array], k: int) -> tuple[Array, Array]:
    labels, scores = arrays[0][:, k], arrays[1][:, k]
    known = ~np.isnan(labels)
    return labels[known], scores[known]
