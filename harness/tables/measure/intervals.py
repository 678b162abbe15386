"""95 % intervals of further figures of scores and maps: patients resampled, models and their thresholds as they are.

The calibration error, pixel AP and FROC have none: they are no means over images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from harness.contract.tables import OWN_HEAD
from harness.metrics.maps import layers as of_layers
from harness.metrics.maps.localisation import localisable
from harness.metrics.scores.classification import HALF, fitted_thresholds
from harness.metrics.scores.ranking import is_probability, to_arrays
from harness.statistics.arrays import Array
from harness.statistics.bootstrap import (
    DECISIONS,
    Resamples,
    auc,
    average,
    average_precision,
    decisions,
    if_enough,
    interval,
    means,
)
from harness.tables.compare.comparison import by_model
from harness.tables.measure.localisation_table import image_values, models_of

if TYPE_CHECKING:
    import pandas as pd

_BOUNDS = ("class", "metric", "value", "low", "high")
_Found: TypeAlias = dict[tuple[str, str], Array]
"""(class, metric) -> the figure in every resample: "r"; class "" is the mean over the classes that have it."""


def classification_intervals(
    predictions: pd.DataFrame, classes: Sequence[str], kind: str, *, resamples: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Intervals of what `classification.classification_table` holds of models' own outputs, means over their runs.

    Args:
        predictions: rows of the predictions table, of any number of models.
        classes: the classes' names.
        kind: the task's.
        resamples: how often the patients of test are drawn anew.
        seed: of that.

    Returns:
        `variant`, `head`, `class`, `metric`, `value`, `low` and `high`; bounds are NaN where too few patients tell
        (`statistics.interval`).
    """
    own = predictions[predictions["head"] == OWN_HEAD]
    tested, fitted = own[own["split"] == "test"], dict(by_model(own[own["split"] == "val"]))
    drawn = Resamples.draw(tested["group"], resamples, seed)
    runs: dict[tuple[str, str], list[_Found]] = {}
    for key, rows in by_model(tested):
        runs.setdefault((key[0], key[1]), []).append(_of_scores(rows, fitted.get(key), classes, kind, drawn))
    return _bounds(runs, ("variant", "head"))


def localisation_intervals(
    maps: pd.DataFrame,
    layers: pd.DataFrame,
    classes: Sequence[str],
    mask_kind: str,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Intervals of those figures of `localising.localisation_table` that are means over all images of test.

    Args:
        maps: rows of the maps table, of any number of models; thresholds are fitted on its split `tune_loc`.
        layers: rows of the layers table; they are what counts where `mask_kind` is "layers".
        classes: the classes' names.
        mask_kind: the task's.
        resamples: how often the patients of test are drawn anew.
        seed: of that.

    Returns:
        `variant`, `map`, `class`, `metric`, `value`, `low` and `high`, of all sizes of lesion together.
    """
    of_regions = mask_kind != "layers"
    rows = maps if of_regions else layers
    tested = rows[rows["split"] == "test"]
    tuned = dict(models_of(rows[rows["split"] == "tune_loc"])) if of_regions else {}
    drawn = Resamples.draw(tested["group"], resamples, seed)
    counted = localisable(tested) if of_regions else tested[tested["label"] == 1]
    patients = counted.groupby(["variant", "map", "class"])["group"].nunique().to_dict()
    runs: dict[tuple[str, str], list[_Found]] = {}
    for key, own in models_of(tested):
        found: _Found = {}
        for name in classes:
            shown = own[own["class"] == name]
            tune = tuned.get(key, shown[:0])
            table = _regions(tune[tune["class"] == name], shown, mask_kind) if of_regions else _layers(shown)
            known = patients.get((key[0], key[1], name), 0)
            found |= {place: if_enough(values, known) for place, values in _columns(name, *table, drawn).items()}
        runs.setdefault((key[0], key[1]), []).append(_with_mean(found, classes))
    return _bounds(runs, ("variant", "map"))


def _of_scores(
    rows: pd.DataFrame, val: pd.DataFrame | None, classes: Sequence[str], kind: str, drawn: Resamples
) -> _Found:
    labels, scores = to_arrays(rows, classes)
    groups = rows.groupby("id")["group"].first().to_numpy()  # in the order of `to_arrays`: by id
    fits = None if val is None else to_arrays(val, classes)
    probable = is_probability(scores[~np.isnan(labels)])
    found: _Found = {}
    for k, name in enumerate(classes):
        known = ~np.isnan(labels[:, k])
        y, s, g = labels[known, k], scores[known, k], groups[known]
        found[name, "auroc"] = drawn.apply(g, auc(y, s))
        found[name, "auprc"] = drawn.apply(g, average_precision(y, s))
        if probable:
            found |= _columns(name, {"brier": np.square(y - s)}, g, drawn)
            decided = drawn.apply(g, decisions(y, s >= HALF))
            found |= {(name, figure): decided[:, place] for place, figure in enumerate(DECISIONS)}
        found |= _at_fitted(name, y, s, g, fits and (fits[0][:, k], fits[1][:, k]), drawn)
    if kind == "multiclass":
        found |= _of_top1(labels, scores, groups, classes, drawn)
    return _with_mean(found, classes)


def _at_fitted(
    name: str, labels: Array, scores: Array, groups: Array, fit: tuple[Array, Array] | None, drawn: Resamples
) -> _Found:
    """Figures at the thresholds that val gives, one resampling for each threshold."""
    known = None if fit is None else (fit[0][~np.isnan(fit[0])], fit[1][~np.isnan(fit[0])])
    decided: dict[float, Array] = {}
    found: _Found = {}
    for metric, (threshold, figure) in fitted_thresholds(known).items():
        if not math.isnan(threshold):
            if threshold not in decided:
                decided[threshold] = drawn.apply(groups, decisions(labels, scores >= threshold))
            found[name, metric] = decided[threshold][:, DECISIONS.index(figure)]
    return found


def _of_top1(labels: Array, scores: Array, groups: Array, classes: Sequence[str], drawn: Resamples) -> _Found:
    """Of calling the class of the highest score."""
    whole = ~np.isnan(labels).any(1)
    labels, groups = labels[whole], groups[whole]
    said = np.eye(len(classes), dtype=bool)[scores[whole].argmax(1)]
    right = labels[said].astype(float)
    found = {("", "top1"): drawn.apply(groups, means(right[:, None]))[:, 0]}
    for k, name in enumerate(classes):
        decided = drawn.apply(groups, decisions(labels[:, k], said[:, k]))
        for figure in ("precision", "recall", "f1"):
            found[name, f"{figure}_top1"] = decided[:, DECISIONS.index(figure)]
        found[name, "top1"] = found[name, "recall_top1"]
    return found


def _regions(tune: pd.DataFrame, shown: pd.DataFrame, kind: str) -> tuple[dict[str, Array], Array]:
    """Values "n" by figure of the images whose lesion is known, and their patients."""
    test = localisable(shown)
    found = image_values(localisable(tune), test, kind)
    return {name: own.values for name, own in found.items()}, test["group"].to_numpy()


def _layers(shown: pd.DataFrame) -> tuple[dict[str, Array], Array]:
    """The same beside layers, of the images that are of the class."""
    own = shown[shown["label"] == 1]
    images = of_layers.by_image(own)
    values = {name: np.array([of(rows) for rows in images], np.float64) for name, of in of_layers.FIGURES.items()}
    return values, own.drop_duplicates("id")["group"].to_numpy()


def _columns(name: str, values: Mapping[str, Array], groups: Array, drawn: Resamples) -> _Found:
    """Means over images; what has none is left out."""
    if not len(groups):
        return {}
    found = drawn.apply(groups, means(np.stack(list(values.values()), 1)))
    return {(name, metric): found[:, place] for place, metric in enumerate(values)}


def _with_mean(found: _Found, classes: Iterable[str]) -> _Found:
    """With the means over classes, as `scores.with_mean` has them."""
    metrics = dict.fromkeys(metric for _, metric in found)
    whole = {("", m): average([found[name, m] for name in classes if (name, m) in found]) for m in metrics}
    return whole | found


def _bounds(runs: Mapping[tuple[str, str], Sequence[_Found]], names: tuple[str, str]) -> pd.DataFrame:
    """Means over runs with their interval."""
    import pandas as pd

    rows = []
    for key, found in runs.items():
        for place in dict.fromkeys(place for own in found for place in own):
            bounds = interval(average([own[place] for own in found if place in own]))
            rows.append((*key, *place, bounds.value, bounds.low, bounds.high))
    return pd.DataFrame(rows, columns=[*names, *_BOUNDS])
