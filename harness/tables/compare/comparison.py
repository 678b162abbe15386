"""A metric of every trained model over the same resamples of patients, for paired comparisons of variants."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.keys import RANKED
from harness.contract.types import SEEDED
from harness.metrics.metric import Metric
from harness.metrics.scores.ranking import check_once
from harness.statistics.arrays import Array
from harness.statistics.bootstrap import Resamples, auc, average, if_enough
from harness.tables.rows import Replicate, by_model
from harness.tables.terms import Tables, Terms

if TYPE_CHECKING:
    import pandas as pd

Resampled = Mapping[str, Array]
"""A metric of one trained model: "" and class -> values "r", the first without resampling."""


@dataclass(frozen=True)
class VariantValues:
    """One metric of the trained models of one variant, by replicate.

    Args:
        replicates: (seed, fold) -> the resampled metric; see `harness.contract.types.Replicate`.
        images: (seed, fold) -> its (image, class) pairs.
    """

    replicates: Mapping[Replicate, Resampled]
    images: Mapping[Replicate, frozenset[tuple[str, str]]]

    def over_replicates(self, key: str = "") -> Array:
        """Return the mean over replicates in every resample, "r"."""
        return average([values[key] for values in self.replicates.values()])

    def spread(self) -> float:
        """Return the standard deviation over replicates without resampling; NaN for one replicate."""
        values = [float(run[""][0]) for run in self.replicates.values()]
        return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan

    def minus(self, other: VariantValues, key: str = "") -> Array:
        """Return the difference over the same resamples, averaged over paired replicates (`replicate_pairs`), "r".

        Args:
            other: the subtrahend.
            key: a class, or "" for the mean over classes.

        Raises:
            ValueError: the two were tested on different images.
        """
        if not self.same_images(other):
            raise ValueError("two variants were tested on different images; paired comparison needs the same images.")
        pairs = replicate_pairs(self.replicates, other.replicates)
        return average([self.replicates[own][key] - other.replicates[base][key] for own, base in pairs])

    def paired(self, other: VariantValues, key: str = "") -> tuple[float, float]:
        """Return the two values whose difference `minus` gives: means over paired replicates, without resampling."""
        values = [
            (self.replicates[own][key][0], other.replicates[base][key][0])
            for own, base in replicate_pairs(self.replicates, other.replicates)
        ]
        known = [pair for pair in values if not math.isnan(sum(pair))]
        first, second = np.mean(known, axis=0) if known else (math.nan, math.nan)
        return float(first), float(second)

    def by_training(self, other: VariantValues, key: str = "") -> list[float]:
        """Return the difference at each seed, mean over its folds; empty unless the replicates of both are seeds.

        Folds vary the patients, whose share of the spread is in the resamples: only seeds are independent trainings.
        """
        pairs = replicate_pairs(self.replicates, other.replicates)
        if any(_axis(run) != "seed" for pair in pairs for run in pair):
            return []
        by_seed: dict[Any, list[float]] = {}
        for own, base in pairs:
            by_seed.setdefault(own[0], []).append(float(self.replicates[own][key][0] - other.replicates[base][key][0]))
        return [float(np.mean(values)) for values in by_seed.values()]

    def same_images(self, other: VariantValues) -> bool:
        """Return True if all paired replicates have the same images."""
        return all(
            self.images[own] == other.images[base] for own, base in replicate_pairs(self.replicates, other.replicates)
        )


def replicate_pairs(first: Iterable[Replicate], second: Iterable[Replicate]) -> list[tuple[Replicate, Replicate]]:
    """Return the pairs of replicates to compare: those with the same seed and fold, or of the same reader.

    Replicates of two kinds (seeds of a trained model, readers of a family, one table of external predictions) cannot
    be paired: each is compared with each, which equals the difference of their means.
    """
    own, others = list(first), list(second)
    if {_axis(run) for run in own} != {_axis(run) for run in others}:
        return [(run, other) for run in own for other in others]
    return [(run, other) for run in own for other in others if _same(run, other)]


def _axis(run: Replicate) -> str:
    """Return the kind of a replicate: seeds are numbers, readers are strings, None is neither."""
    return "none" if run[0] is None else "reader" if isinstance(run[0], str) else "seed"


def _same(run: Replicate, other: Replicate) -> bool:
    if run == other or _axis(run) != "reader":
        return run == other
    names = [str(item[0]).partition(SEEDED) for item in (run, other)]  # a reader alone goes with any seed
    return names[0][0] == names[1][0] and run[1] == other[1] and "" in (names[0][2], names[1][2])


def ranked(
    tested: pd.DataFrame, drawn: Resamples, classes: Sequence[str], kept: dict[Any, Any] | None = None
) -> dict[tuple[str, str], VariantValues]:
    """Return the AUROC of every (variant, head) of a predictions table, by which variants are ranked and tested.

    `kept` holds the values that other tables of the same models computed (`Tables.kept`), and gets those of this one.
    """
    patients = tested.groupby(["variant", "head", "class"])["group"].nunique().to_dict()
    found, kept = dict[tuple[str, str], VariantValues](), {} if kept is None else kept
    for key, own in by_model(tested):
        place = (RANKED, drawn, key, *classes)
        if place not in kept:
            check_once(own)
            values = {}
            for name in classes:
                rows = own[own["class"] == name]
                area = auc(rows["label"].to_numpy(np.float64), rows["score"].to_numpy(np.float64))
                count = patients.get((*key[:2], name), 0)
                values[name] = if_enough(drawn.apply(rows["group"].tolist(), area), count)
            images = frozenset(zip(own["id"], own["class"], strict=True))
            kept[place] = {"": average(list(values.values())), **values}, images
        _add(found, key, *kept[place])
    return found


def measured(
    tables: Tables, metric: Metric, drawn: Resamples, classes: Sequence[str]
) -> dict[tuple[str, str], VariantValues]:
    """Return a metric of every (variant, head) on the test split, over resamples of its patients.

    Thresholds are fitted on the metric's split and held fixed. The own map belongs to the own output; the maps of an
    explainer have a row of their own. If a model selects its patches, the images that count for its attention depend
    on the selection. Two such models share the resamples of patients, each with its own images.
    """
    place = (metric.key, repr(metric.params), drawn, *classes)
    if place not in tables.kept:
        tables.kept[place] = _measured(tables, metric, drawn, classes)
    found: dict[tuple[str, str], VariantValues] = tables.kept[place]
    return found


def _measured(
    tables: Tables, metric: Metric, drawn: Resamples, classes: Sequence[str]
) -> dict[tuple[str, str], VariantValues]:
    fits = tables.models(metric, metric.split) if metric.split else {}
    own = tables.models(metric)
    patients = _patients({key: rows.of(metric, classes) for key, rows in own.items()})
    found: dict[tuple[str, str], VariantValues] = {}
    for key, rows in own.items():
        values = {}
        for name, item, threshold, defined in rows.fitted(metric, fits.get(key), classes):
            resampled = _resampled(metric, item, threshold, drawn) if defined else _nothing(drawn)
            values[name] = if_enough(resampled, len(patients[key[0], key[1], name]))
        images = frozenset((image, name) for name, item in rows.of(metric, classes).items() for image in item.ids)
        _add(found, key, _with_whole(values, classes, drawn), images)
    return found


def comparable(equal: Mapping[str, float], variant: str, baseline: str) -> bool:
    """Return True if two variants agree in the quantity that must be equal (`Tables.equal`), if there is one."""
    return not equal or equal.get(variant) == equal.get(baseline)


def _patients(own: Mapping[tuple[Any, ...], Mapping[str, Terms]]) -> dict[tuple[str, str, str], set[Any]]:
    """Return the patients of each (variant, head, class), over all replicates: a fold has a part of them."""
    found: dict[tuple[str, str, str], set[Any]] = {}
    for key, terms in own.items():
        for name, item in terms.items():
            found.setdefault((key[0], key[1], name), set()).update(item.groups)
    return found


def _resampled(metric: Metric, terms: Terms, threshold: float, drawn: Resamples) -> Array:
    if not len(terms.groups):
        return _nothing(drawn)
    return drawn.apply(terms.groups, metric.statistic(terms.value, threshold))


def _nothing(drawn: Resamples) -> Array:
    return np.full(len(drawn.counts), math.nan)


def _with_whole(values: Mapping[str, Array], classes: Sequence[str], drawn: Resamples) -> Resampled:
    """Return the values of every class and under "" the metric's own value for all classes, or else their mean."""
    of_classes = {name: values.get(name, _nothing(drawn)) for name in classes}
    return {"": values[""] if "" in values else average(list(of_classes.values())), **of_classes}


def _add(
    found: dict[tuple[str, str], VariantValues],
    key: tuple[Any, ...],
    values: Resampled,
    images: frozenset[tuple[str, str]],
) -> None:
    """Add the values of the model (variant, head, seed, fold)."""
    variant, head, seed, fold = key
    before = found.get((variant, head), VariantValues({}, {}))
    replicates = {**before.replicates, (seed, fold): values}
    found[variant, head] = VariantValues(replicates, {**before.images, (seed, fold): images})
