"""The localisation table: every figure of every map of every confirmed model, its controls beside it.

Thresholds are fitted on tune_loc, never on test, class by class. Which figures a kind of mask allows
stands in `harness.contract.masks.ALLOWED`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.masks import ALLOWED, LAYERS
from harness.contract.tables import BINS
from harness.metrics.maps import layers as of_layers
from harness.metrics.maps.boxes import STEPS
from harness.metrics.maps.froc import RATES, Froc
from harness.metrics.maps.localisation import dice_curves, localisable, pixel_ap, soft_dice
from harness.statistics.arrays import Array, mean_defined

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "variant", "map", "seed", "fold", "class", "metric", "stratum", "value", "n", "threshold", "threshold_from",
)  # fmt: skip
MODEL = ["variant", "map", "seed", "fold"]
BOX_IOUS = (0.3, 0.5, 0.7)
STRATA = ("all", "small", "medium", "large")
FITTED_RATE = 1.0
"""False positives an image, on tune_loc, at which a threshold on candidates is fitted."""


@dataclass(frozen=True)
class Figure:
    """One value of the table; `n` images (or lesions, of FROC) stand behind it."""

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
    mask_kind: str,
) -> pd.DataFrame:
    """Every figure of localisation on the test split, in long form.

    Args:
        maps: rows of the maps table, of any number of models; the splits `tune_loc` and `test` are read.
        lesions: rows of the lesions table of the same models.
        candidates: rows of the candidates table.
        layers: rows of the layers table.
        classes: the classes' names, in order.
        mask_kind: the task's: what it does not allow is left out.

    Returns:
        A row a figure: `variant`, `map` ("native", an explainer, "control:…"), `seed`, `fold`, `class` ("" is the
        mean over the classes that have it), `metric`, `stratum`, `value`, `n` images behind it (lesions, for
        FROC), `threshold` (of the class; NaN where there is none or several) and `threshold_from`: "tune_loc",
        "fixed", "rate" (a stated rate of false positives, read off the curve) or "". Strata other than "all" are
        terciles of lesion size on tune_loc, see `size_bounds`; they are left out where tune_loc has no lesion.
    """
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    if mask_kind == "layers":
        for key, own in models_of(layers[layers["split"] == "test"]):
            rows += [(*key, *row) for row in _of_layers(own, classes)]
        return pd.DataFrame(rows, columns=list(COLUMNS))
    tables = {name: dict(models_of(table)) for name, table in (("maps", maps), ("candidates", candidates))}
    drawn = {key[0:1] + key[2:]: own for key, own in models_of(lesions.assign(map=""))}
    for key, own in tables["maps"].items():
        parts = own, drawn.get(key[0:1] + key[2:], lesions[:0]), tables["candidates"].get(key, candidates[:0])
        tune, test = (Model(*(part[part["split"] == split] for part in parts)) for split in ("tune_loc", "test"))
        rows += [(*key, *row) for row in _of_regions(tune, test, classes, mask_kind)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def size_bounds(areas: Array) -> tuple[float, float] | None:
    """Where small ends and large begins: terciles of areas on tune_loc; None where there is no lesion.

    small < first bound <= medium < second bound <= large.

    Args:
        areas: fractions of the image: of an image's whole mask for figures of images, of one lesion for FROC.
    """
    if not len(areas):
        return None
    low, high = np.quantile(np.asarray(areas, dtype=np.float64), [1 / 3, 2 / 3])
    return float(low), float(high)


def fitted_dice(tune: pd.DataFrame, test: pd.DataFrame, scaling: str = "raw") -> tuple[Array, float]:
    """Dice 2 |B and M| / (|B| + |M|) of B = {map >= threshold}, fitted to be largest on average over tune_loc.

    Args:
        tune: rows of one class in tune_loc that count, see `localisable`.
        test: rows of the same class in test.
        scaling: "raw" maps as they are, "scaled" min-max normalised.

    Returns:
        Dice of each test row, and the threshold; of equally good ones the middle one. NaN without tune rows.
    """
    if not len(tune):
        return np.full(len(test), math.nan), math.nan
    place = _middle_best(np.nanmean(dice_curves(*_histograms(tune, scaling)), axis=0))
    return (dice_curves(*_histograms(test, scaling))[:, place] if len(test) else np.zeros(0)), place / (BINS - 1)


def fitted_box_accuracy(tune: pd.DataFrame, test: pd.DataFrame, iou: float) -> tuple[Array, float]:
    """Whether the map's box overlaps a lesion's by at least `iou`, at the threshold that is best on tune_loc.

    Arguments and result as in `fitted_dice`: 1, 0, or NaN in tables that hold no box terms.

    Source: Choe et al. 2020, CVPR (BoxAcc at the threshold that maximises it; there on a split with boxes too).
    """
    fitted, asked = (_box_ious(rows) for rows in (tune, test))
    if not len(fitted) or np.isnan(fitted).all():
        return np.full(len(test), math.nan), math.nan
    least = iou - 1e-6  # tables hold float32, in which 70 / 100 is just below .7
    place = _middle_best((fitted >= least).mean(0))
    hit = np.where(np.isnan(asked[:, place]), math.nan, asked[:, place] >= least)
    return hit, place / STEPS


@dataclass(frozen=True)
class OfImages:
    """A figure that is a mean over images: what each has, "n", and the threshold behind it."""

    values: Array
    threshold: float = math.nan
    threshold_from: str = ""


def image_values(tune: pd.DataFrame, test: pd.DataFrame, kind: str) -> dict[str, OfImages]:
    """The figures that are means over images, by name, of the rows of `test`.

    Args:
        tune: rows of one class in tune_loc that count, see `localisable`.
        test: rows of the same class in test.
        kind: the masks'; what it does not allow is left out.
    """
    found = {}
    if kind in ALLOWED["dice"]:
        found["dice"] = OfImages(soft_dice(test["dice_overlap"].to_numpy(), test["dice_sum"].to_numpy()))
    if kind in ALLOWED["pointing"]:
        found["pointing"] = OfImages(test["peak_hit"].to_numpy(np.float64))
    for metric, scaling in (("dice_fitted", "raw"), ("dice_fitted_scaled", "scaled")):
        if kind in ALLOWED[metric]:
            found[metric] = OfImages(*fitted_dice(tune, test, scaling), "tune_loc")
    for iou in BOX_IOUS if kind in ALLOWED["box_accuracy"] else ():
        found[f"box_accuracy_{100 * iou:.0f}"] = OfImages(*fitted_box_accuracy(tune, test, iou), "tune_loc")
    return found


def _of_regions(tune: Model, test: Model, classes: Sequence[str], kind: str) -> Iterator[tuple[Any, ...]]:
    """Rows of one map of one model, without the keys: class, metric, stratum, value, n, threshold, its source."""
    shown, fit = localisable(test.maps), localisable(tune.maps)
    bounds = size_bounds(fit["mask_area"].to_numpy(np.float64))
    images = {name: _Images(_in(fit, name), _in(shown, name), kind, bounds) for name in classes}
    for stratum in _strata(bounds):
        yield from _told({name: list(own.figures(stratum)) for name, own in images.items()}, stratum)
    if kind not in ALLOWED["froc"]:
        return
    drawn, fitted = (_drawn(model) for model in (test, tune))
    bounds = size_bounds(fitted["area"].to_numpy(np.float64))
    pairs = {name: (_froc(tune, fitted, name), _froc(test, drawn, name)) for name in classes}
    places = {name: _place(_in(drawn, name)["area"], bounds) for name in classes}
    for stratum in _strata(bounds):
        found = {
            name: list(_froc_figures(tuned, tested.only(_within(places[name], stratum))))
            for name, (tuned, tested) in pairs.items()
        }
        yield from _told(found, stratum)


class _Images:
    """Figures of images of one class, by stratum; what does not depend on the stratum is computed once."""

    def __init__(self, tune: pd.DataFrame, test: pd.DataFrame, kind: str, bounds: tuple[float, float] | None) -> None:
        self._values = image_values(tune, test, kind)
        self._pixels = _histograms(test, "scaled") if kind in ALLOWED["pixel_ap"] else None
        self._place = _place(test["mask_area"], bounds)

    def figures(self, stratum: str) -> Iterator[Figure]:
        chosen = _within(self._place, stratum)
        count = int(chosen.sum())
        if self._pixels is not None:
            positive, negative = (pixels[chosen].sum(0) for pixels in self._pixels)
            yield Figure("pixel_ap", pixel_ap(positive, negative), count)
        for metric, own in self._values.items():
            yield Figure(metric, mean_defined(own.values[chosen]), count, own.threshold, own.threshold_from)


def _drawn(model: Model) -> pd.DataFrame:
    """The lesions in the images that have this map: an explainer may have been measured on some alone."""
    lesions = model.lesions
    return lesions[(lesions["label"] == 1) & lesions["id"].isin(model.maps["id"])]


def _froc(model: Model, lesions: pd.DataFrame, name: str) -> Froc:
    known = model.maps.loc[(model.maps["class"] == name) & model.maps["mask_known"].astype(bool), "id"]
    return Froc.of(known.tolist(), _in(lesions, name), _in(model.candidates, name))


def _froc_figures(tune: Froc, test: Froc) -> Iterator[Figure]:
    """Figures of lesions, of one class in one stratum; false positives are those of all images."""
    once, n = np.ones((1, len(test.images))), test.found.size
    yield Figure("froc", float(test.mean_sensitivity()(once)[0]), n, math.nan, "rate")
    for rate in RATES:
        value = float(test.sensitivity(rate)(once)[0])
        yield Figure(f"froc_sensitivity_at_{rate:g}_fp", value, n, test.threshold(rate), "rate")
    threshold = tune.threshold(FITTED_RATE) if tune.images else math.nan
    sensitivity, rate = (math.nan, math.nan) if math.isnan(threshold) else test.at(threshold)
    yield Figure("lesion_sensitivity_fitted", sensitivity, n, threshold, "tune_loc")
    yield Figure("false_positives_fitted", rate, len(test.images), threshold, "tune_loc")


def _of_layers(rows: pd.DataFrame, classes: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    found = {}
    for name in classes:
        own = _in(rows, name)
        found[name] = list(_layer_figures(of_layers.by_image(own[own["label"] == 1])))
    yield from _told(found, "all")


def _layer_figures(images: Sequence[Mapping[int, Mapping[str, Any]]]) -> Iterator[Figure]:
    for metric, of in of_layers.FIGURES.items():
        yield Figure(metric, mean_defined([of(rows) for rows in images]), len(images))
    for level, weight in LAYERS.items():
        curves = [of_layers.layer_jaccard(rows, level) for rows in images]
        for place, tau in enumerate(of_layers.TAUS):
            value = mean_defined([curve[place] for curve in curves])
            yield Figure(f"layer_jaccard_{weight}_at_{100 * tau:.0f}", value, len(images), tau, "fixed")
        whole = mean_defined([mean_defined(curve) for curve in curves])
        yield Figure(f"layer_jaccard_{weight}", whole, len(images), math.nan, "fixed")


def _told(found: Mapping[str, Sequence[Figure]], stratum: str) -> Iterator[tuple[Any, ...]]:
    """Rows of each class, after that of their mean: a figure's places agree between classes."""
    for figures in zip(*found.values(), strict=True):
        first = figures[0]
        value = mean_defined([figure.value for figure in figures])
        yield "", first.metric, stratum, value, sum(f.n for f in figures), _shared(figures), first.threshold_from
        for name, figure in zip(found, figures, strict=True):
            yield name, figure.metric, stratum, figure.value, figure.n, figure.threshold, figure.threshold_from


def _shared(figures: Sequence[Figure]) -> float:
    values = {figure.threshold for figure in figures}
    return values.pop() if len(values) == 1 else math.nan


def _place(areas: pd.Series[float], bounds: tuple[float, float] | None) -> Array:
    """Of each area, which of the terciles it is in: 0, 1 or 2; 0 where there are none."""
    return np.digitize(areas.to_numpy(np.float64), bounds) if bounds is not None else np.zeros(len(areas), np.intp)


def _strata(bounds: tuple[float, float] | None) -> tuple[str, ...]:
    return STRATA if bounds is not None else STRATA[:1]


def _within(place: Array, stratum: str) -> Array:
    return np.ones(len(place), bool) if stratum == STRATA[0] else place == STRATA.index(stratum) - 1


def models_of(rows: pd.DataFrame) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """The rows of each map of each trained model, by variant, map, seed and fold, in the order they come."""
    for key, own in rows.groupby(MODEL, dropna=False, sort=False):
        yield tuple(None if value != value else value for value in key), own


def _in(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    return rows[rows["class"] == name]


def _histograms(rows: pd.DataFrame, scaling: str) -> tuple[Array, Array]:
    """Pixels inside and outside the masks, "n BINS" each."""
    held = [list(rows[f"{sign}_{scaling}"]) for sign in ("positive", "negative")]
    positive, negative = (np.stack(own) if own else np.zeros((0, BINS)) for own in held)
    return positive, negative


def _box_ious(rows: pd.DataFrame) -> Array:
    """Box terms "n t"; NaN in a row that has none, as in tables of version 1."""
    nothing = np.full(STEPS, math.nan)
    held = rows["box_iou"] if "box_iou" in rows else [None] * len(rows)
    found = [nothing if item is None or np.ndim(item) == 0 else np.asarray(item, np.float64) for item in held]
    return np.stack(found) if found else np.zeros((0, STEPS))


def _middle_best(values: Array) -> int:
    best = np.flatnonzero(values == np.nanmax(values))
    return int(best[len(best) // 2])
