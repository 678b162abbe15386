"""95 % intervals of further metrics of scores and maps: patients are resampled, models and thresholds held fixed.

The calibration error, pixel AP, FROC and the Jaccard index of layers have no interval in these tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from harness.contract.tables import OWN_HEAD
from harness.metrics.maps.layers import by_image
from harness.metrics.maps.localisation import localisable
from harness.metrics.metric import Metric
from harness.statistics.arrays import Array
from harness.statistics.bootstrap import Resamples, average, if_enough, interval, means
from harness.tables.measure.localisation_table import by_map, image_values, unfitted_first
from harness.tables.rows import by_model
from harness.tables.terms import Rows

if TYPE_CHECKING:
    import pandas as pd

_BOUNDS = ("class", "metric", "value", "low", "high")
_Found: TypeAlias = dict[tuple[str, str], Array]
"""(class, metric) -> the value in every resample: "r"; class "" is the mean over the classes that have it."""


def classification_intervals(
    predictions: pd.DataFrame,
    classes: Sequence[str],
    metrics: Sequence[Metric],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return intervals of the classification table's values of own outputs, means over replicates.

    Returns:
        `variant`, `head`, `class`, `metric`, `value`, `low` and `high`; bounds are NaN with too few patients
        (`bootstrap.interval`).
    """
    own = predictions[predictions["head"] == OWN_HEAD]
    tested, fitted = own[own["split"] == "test"], dict(by_model(own[own["split"] == "val"]))
    drawn = Resamples.draw(tested["group"], resamples, seed)
    runs: dict[tuple[str, str], list[_Found]] = {}
    shown = [metric for metric in metrics if metric.record.interval]
    for key, rows in by_model(tested):
        fit = Rows({"predictions": fitted[key]}) if key in fitted else None
        runs.setdefault((key[0], key[1]), []).append(
            _of_scores(Rows({"predictions": rows}), fit, classes, shown, drawn)
        )
    return _bounds(runs, ("variant", "head"))


def localisation_intervals(
    maps: pd.DataFrame,
    layers: pd.DataFrame,
    classes: Sequence[str],
    metrics: Sequence[Metric],
    terms: pd.DataFrame | None = None,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return intervals of those values of the localisation table that are means over all images of test.

    Returns:
        `variant`, `map`, `class`, `metric`, `value`, `low` and `high`, over lesions of all sizes.
    """
    of_layers = [metric for metric in metrics if metric.record.reads == "layers" and metric.record.interval]
    rows = layers if of_layers else maps
    tested = rows[rows["split"] == "test"]
    tuned = {} if of_layers else dict(by_model(rows[rows["split"] == "tune_loc"], "map"))
    drawn = Resamples.draw(tested["group"], resamples, seed)
    counted = tested[tested["label"] == 1] if of_layers else localisable(tested)
    patients = counted.groupby(["variant", "map", "class"])["group"].nunique().to_dict()
    shown = unfitted_first(m for m in metrics if m.record.reads == "maps" and m.record.form != "statistic")
    runs: dict[tuple[str, str], list[_Found]] = {}
    stored = by_map(terms)
    for key, own in by_model(tested, "map"):
        found: _Found = {}
        for name in classes:
            rows_of = own[own["class"] == name]
            tune = tuned.get(key, rows_of[:0])
            table = (
                _layers(rows_of, of_layers)
                if of_layers
                else _regions(tune[tune["class"] == name], rows_of, shown, stored.get(key))
            )
            known = patients.get((key[0], key[1], name), 0)
            found |= {place: if_enough(values, known) for place, values in _columns(name, *table, drawn).items()}
        runs.setdefault((key[0], key[1]), []).append(_with_mean(found, classes))
    return _bounds(runs, ("variant", "map"))


def _of_scores(
    rows: Rows, val: Rows | None, classes: Sequence[str], metrics: Sequence[Metric], drawn: Resamples
) -> _Found:
    found: _Found = {}
    for metric in metrics:
        for name, item, threshold, defined in rows.fitted(metric, val, classes):
            if defined and (not metric.split or not np.isnan(threshold)):
                found[name, metric.key] = drawn.apply(item.groups, metric.statistic(item.value, threshold))
    return _with_mean(found, classes)


def _regions(
    tune: pd.DataFrame, shown: pd.DataFrame, metrics: Sequence[Metric], terms: pd.DataFrame | None
) -> tuple[dict[str, Array], Array]:
    """Return values "n" of the images with a known lesion by metric, and their patients."""
    test = localisable(shown)
    found = image_values(localisable(tune), test, metrics, terms)
    return {name: values for name, (values, _) in found.items()}, test["group"].to_numpy()


def _layers(shown: pd.DataFrame, metrics: Sequence[Metric]) -> tuple[dict[str, Array], Array]:
    """Return values of layers of the images that have the class by metric, and their patients."""
    own = shown[shown["label"] == 1]
    images = by_image(own)
    return {metric.key: metric.values(images) for metric in metrics}, own.drop_duplicates("id")["group"].to_numpy()


def _columns(name: str, values: Mapping[str, Array], groups: Array, drawn: Resamples) -> _Found:
    """Return means over images; empty if there are none."""
    if not len(groups) or not values:
        return {}
    found = drawn.apply(groups, means(np.stack(list(values.values()), 1)))
    return {(name, metric): found[:, place] for place, metric in enumerate(values)}


def _with_mean(found: _Found, classes: Iterable[str]) -> _Found:
    """Return the values and under "" their means over classes, unless the metric has its own value for all classes."""
    metrics = dict.fromkeys(metric for _, metric in found)
    whole = {("", m): average([found[name, m] for name in classes if (name, m) in found]) for m in metrics}
    return whole | found


def _bounds(runs: Mapping[tuple[str, str], Sequence[_Found]], names: tuple[str, str]) -> pd.DataFrame:
    """Return means over replicates with their intervals."""
    import pandas as pd

    rows = []
    for key, found in runs.items():
        for place in dict.fromkeys(place for own in found for place in own):
            bounds = interval(average([own[place] for own in found if place in own]))
            rows.append((*key, *place, bounds.value, bounds.low, bounds.high))
    return pd.DataFrame(rows, columns=[*names, *_BOUNDS])
