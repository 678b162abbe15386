"""The localisation table: every metric of every map of every confirmed model, and of the controls.

Thresholds are fitted on tune_loc, never on test, class by class. A metric's `needs` name the masks it requires.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metrics.maps.froc import Froc
from harness.metrics.maps.layers import by_image
from harness.metrics.maps.localisation import localisable
from harness.metrics.metric import Metric
from harness.statistics.arrays import Array, mean_defined
from harness.tables.rows import by_model
from harness.tables.terms import with_terms

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "variant", "map", "seed", "fold", "class", "metric", "stratum", "value", "n", "threshold", "threshold_from",
)  # fmt: skip
OF_MAPS = ("maps", "lesions", "layers")
"""Input of the metrics of this table."""
STRATA = ("all", "small", "medium", "large")


@dataclass(frozen=True)
class Value:
    """One value of the table, of `n` images (of `n` lesions for FROC)."""

    metric: str
    value: float
    n: int
    threshold: float = math.nan
    threshold_from: str = ""


@dataclass(frozen=True)
class Model:
    """The rows of one map of one trained model, on one split."""

    maps: pd.DataFrame
    lesions: pd.DataFrame
    candidates: pd.DataFrame


def localisation_table(
    maps: pd.DataFrame,
    lesions: pd.DataFrame,
    candidates: pd.DataFrame,
    layers: pd.DataFrame,
    classes: Sequence[str],
    metrics: Sequence[Metric],
    terms: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return every metric of localisation on the test split, in long form.

    Returns:
        A row per value: `variant`, `map` ("native", an explainer, "control:…"), `seed`, `fold`, `class` ("" is the
        mean over the classes that have it), `metric`, `stratum`, `value`, `n` (number of images; of lesions for
        FROC), `threshold` (of the class; NaN if there is none or several) and `threshold_from`: "tune_loc",
        "fixed", "rate" (a given rate of false positives, read from the curve) or "". Strata other than "all" are
        terciles of lesion size on tune_loc, see `size_bounds`; they are left out if tune_loc has no lesion.
    """
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    if of_layers := [metric for metric in metrics if metric.record.reads == "layers"]:
        for key, own in by_model(layers[layers["split"] == "test"], "map"):
            rows += [(*key, *row) for row in _of_layers(own, classes, of_layers)]
        return pd.DataFrame(rows, columns=list(COLUMNS))
    tables = {name: dict(by_model(table, "map")) for name, table in (("maps", maps), ("candidates", candidates))}
    drawn = {key[0:1] + key[2:]: own for key, own in by_model(lesions.assign(map=""), "map")}
    stored = by_map(terms)
    for key, own in tables["maps"].items():
        parts = own, drawn.get(key[0:1] + key[2:], lesions[:0]), tables["candidates"].get(key, candidates[:0])
        tune, test = (Model(*(part[part["split"] == split] for part in parts)) for split in ("tune_loc", "test"))
        rows += [(*key, *row) for row in _of_regions(tune, test, classes, metrics, stored.get(key))]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def size_bounds(areas: Array) -> tuple[float, float] | None:
    """Return the terciles of areas on tune_loc, the upper bounds of small and medium; None if there is no lesion.

    small < first bound <= medium < second bound <= large.

    Args:
        areas: fractions of the image: of the whole mask for values of images, of one lesion for FROC.
    """
    if not len(areas):
        return None
    low, high = np.quantile(np.asarray(areas, dtype=np.float64), [1 / 3, 2 / 3])
    return float(low), float(high)


def unfitted_first(metrics: Iterable[Metric]) -> list[Metric]:
    """Return the metrics without a fitted threshold, then the others."""
    return sorted(metrics, key=lambda metric: bool(metric.split))


def image_values(
    tune: pd.DataFrame, test: pd.DataFrame, metrics: Sequence[Metric], terms: pd.DataFrame | None = None
) -> dict[str, tuple[Array, float]]:
    """Return the value of each row of `test` and the threshold, for each metric that is a mean over images."""
    found = {}
    for metric in metrics:
        threshold = metric.fitted(with_terms(tune, terms, metric)) if metric.split else math.nan
        found[metric.key] = metric.values(with_terms(test, terms, metric), threshold), threshold
    return found


def by_map(terms: pd.DataFrame | None) -> dict[tuple[Any, ...], pd.DataFrame]:
    """Return the stored values of each map of each trained model."""
    return {} if terms is None or terms.empty else dict(by_model(terms, "map"))


def _of_regions(
    tune: Model, test: Model, classes: Sequence[str], metrics: Sequence[Metric], terms: pd.DataFrame | None
) -> Iterator[tuple[Any, ...]]:
    """Yield rows of one map of one model, without the keys: class, metric, stratum, value, n, threshold, its source."""
    shown, fit = localisable(test.maps), localisable(tune.maps)
    bounds = size_bounds(fit["mask_area"].to_numpy(np.float64))
    of_maps = [metric for metric in metrics if metric.record.reads == "maps"]
    images = {name: _Images(_in(fit, name), _in(shown, name), of_maps, terms, bounds) for name in classes}
    for stratum in _strata(bounds):
        yield from _stated({name: list(own.values(stratum)) for name, own in images.items()}, stratum)
    of_lesions = [metric for metric in metrics if metric.record.reads == "lesions"]
    if not of_lesions:
        return
    drawn, fitted = (_drawn(model) for model in (test, tune))
    bounds = size_bounds(fitted["area"].to_numpy(np.float64))
    pairs = {name: (_froc(tune, fitted, name), _froc(test, drawn, name)) for name in classes}
    places = {name: _place(_in(drawn, name)["area"], bounds) for name in classes}
    for stratum in _strata(bounds):
        found = {
            name: list(_lesion_values(tuned, tested.only(_within(places[name], stratum)), of_lesions))
            for name, (tuned, tested) in pairs.items()
        }
        yield from _stated(found, stratum)


class _Images:
    """Values of images of one class, by stratum; parts that do not depend on the stratum are computed once."""

    def __init__(
        self,
        tune: pd.DataFrame,
        test: pd.DataFrame,
        metrics: Sequence[Metric],
        terms: pd.DataFrame | None,
        bounds: tuple[float, float] | None,
    ) -> None:
        self._pooled = [metric for metric in metrics if metric.record.form == "statistic"]
        self._means = unfitted_first(metric for metric in metrics if metric.record.form != "statistic")
        self._found, self._test = image_values(tune, test, self._means, terms), test
        self._thresholds = {metric.key: metric.fitted(tune) for metric in self._pooled}
        self._place = _place(test["mask_area"], bounds)

    def values(self, stratum: str) -> Iterator[Value]:
        """Yield the values of one stratum: first those pooled over images, then means."""
        chosen = _within(self._place, stratum)
        count, rows = int(chosen.sum()), self._test[chosen]
        for metric in self._pooled:
            threshold = self._thresholds[metric.key]
            value = float(metric.value(rows, None, threshold))
            yield Value(metric.key, value, count, *metric.stated(rows, threshold))
        for metric in self._means:
            values, threshold = self._found[metric.key]
            yield Value(metric.key, mean_defined(values[chosen]), count, *metric.stated(rows, threshold))


def _drawn(model: Model) -> pd.DataFrame:
    """Return the lesions in the images that have this map; an explainer may have fewer images."""
    lesions = model.lesions
    return lesions[(lesions["label"] == 1) & lesions["id"].isin(model.maps["id"])]


def _froc(model: Model, lesions: pd.DataFrame, name: str) -> Froc:
    known = model.maps.loc[(model.maps["class"] == name) & model.maps["mask_known"].astype(bool), "id"]
    return Froc.of(known.tolist(), _in(lesions, name), _in(model.candidates, name))


def _lesion_values(tune: Froc, test: Froc, metrics: Sequence[Metric]) -> Iterator[Value]:
    """Yield values of lesions of one class in one stratum; false positives are those of all images."""
    for metric in metrics:
        threshold = metric.fitted(tune) if metric.split else math.nan
        n = test.found.size if metric.record.per == "lesion" else len(test.images)
        yield Value(metric.key, float(metric.value(test, None, threshold)), n, *metric.stated(test, threshold))


def _of_layers(rows: pd.DataFrame, classes: Sequence[str], metrics: Sequence[Metric]) -> Iterator[tuple[Any, ...]]:
    found = {}
    for name in classes:
        own = _in(rows, name)
        images = by_image(own[own["label"] == 1])
        found[name] = [
            Value(metric.key, float(metric.value(images)), len(images), *metric.stated(images)) for metric in metrics
        ]
    yield from _stated(found, STRATA[0])


def _stated(found: Mapping[str, Sequence[Value]], stratum: str) -> Iterator[tuple[Any, ...]]:
    """Yield the row of the mean, then those of the classes; all classes list their values in the same order."""
    for values in zip(*found.values(), strict=True):
        first = values[0]
        mean = mean_defined([item.value for item in values])
        yield "", first.metric, stratum, mean, sum(item.n for item in values), _shared(values), first.threshold_from
        for name, item in zip(found, values, strict=True):
            yield name, item.metric, stratum, item.value, item.n, item.threshold, item.threshold_from


def _shared(values: Sequence[Value]) -> float:
    thresholds = {item.threshold for item in values}
    return thresholds.pop() if len(thresholds) == 1 else math.nan


def _place(areas: pd.Series[float], bounds: tuple[float, float] | None) -> Array:
    """Return the tercile of each area, 0, 1 or 2; 0 without bounds."""
    return np.digitize(areas.to_numpy(np.float64), bounds) if bounds is not None else np.zeros(len(areas), np.intp)


def _strata(bounds: tuple[float, float] | None) -> tuple[str, ...]:
    return STRATA if bounds is not None else STRATA[:1]


def _within(place: Array, stratum: str) -> Array:
    return np.ones(len(place), bool) if stratum == STRATA[0] else place == STRATA.index(stratum) - 1


def _in(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    return rows[rows["class"] == name]
