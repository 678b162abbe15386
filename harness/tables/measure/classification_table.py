"""The classification table: every metric of scores of every confirmed model, at fixed and at fitted thresholds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.metrics.metric import Metric
from harness.statistics.arrays import mean_defined
from harness.tables.rows import by_model
from harness.tables.terms import Rows

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("variant", "head", "seed", "fold", "class", "metric", "value", "threshold", "threshold_from")
OF_SCORES = ("scores", "winners")
"""Input of the metrics of this table."""


def classification_table(predictions: pd.DataFrame, classes: Sequence[str], metrics: Sequence[Metric]) -> pd.DataFrame:
    """Return every metric of scores of every trained model and head on the test split, in long form.

    Args:
        predictions: rows of the predictions table, of any number of models; thresholds are fitted on its split
            `val`, values are of its split `test`.
        classes: the classes' names, in order.
        metrics: those that read scores.

    Returns:
        A row per value: `variant`, `head`, `seed`, `fold`, `class` ("" is the mean over classes that have the
        value, or the metric's own value for all classes), `metric`, `value`, `threshold` and `threshold_from`: "val",
        "fixed" or "". Without val rows a value at a fitted threshold is NaN. Metrics of probabilities are NaN for
        scores that are no probabilities.

    Raises:
        ValueError: a score is NaN, or an (image, class) occurs twice in one model.
    """
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    fits = {key: Rows({"predictions": own}) for key, own in by_model(predictions[predictions["split"] == "val"])}
    for key, own in by_model(predictions[predictions["split"] == "test"]):
        test = Rows({"predictions": own})
        for metric in metrics:
            rows += [(*key, *row) for row in _values(metric, test, fits.get(key), classes)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _values(
    metric: Metric, test: Rows, fit: Rows | None, classes: Sequence[str]
) -> Iterator[tuple[str, str, float, float, str]]:
    """Yield class, metric, value, threshold and source of the threshold."""
    found = {}
    for name, item, threshold, defined in test.fitted(metric, fit, classes):
        value = float(metric.value(item.value, None, threshold)) if defined else math.nan
        found[name] = (value, *metric.stated(item.value, threshold))
    if "" not in found:
        thresholds = {threshold for _, threshold, _ in found.values()}
        shared = thresholds.pop() if len(thresholds) == 1 and not metric.split else math.nan
        source = next(iter(found.values()))[2]
        found = {"": (mean_defined([value for value, *_ in found.values()]), shared, source), **found}
    yield from ((name, metric.key, *values) for name, values in found.items())
