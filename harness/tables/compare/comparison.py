"""A metric of every trained model over the same resamples of patients, so that variants are compared in pairs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.types import SEEDED
from harness.metrics.metric import Metric
from harness.metrics.scores.ranking import check_once
from harness.statistics.arrays import Array
from harness.statistics.bootstrap import Resamples, auc, average, if_enough
from harness.tables.rows import Run, by_model
from harness.tables.terms import Rows, Tables, Terms

if TYPE_CHECKING:
    import pandas as pd

Resampled = Mapping[str, Array]
"""A figure of one trained model: "" and class -> values "r", the first as the data are."""


@dataclass(frozen=True)
class Figures:
    """One metric of the trained models of one variant, by run.

    Args:
        runs: (seed, fold) -> the resampled figure; see `harness.contract.types.Replicate`.
        images: (seed, fold) -> the (image, class) pairs it stands on.
    """

    runs: Mapping[tuple[Any, ...], Resampled]
    images: Mapping[tuple[Any, ...], frozenset[tuple[str, str]]]

    def over_runs(self, key: str = "") -> Array:
        """Mean over runs in every resample: "r"."""
        return average([values[key] for values in self.runs.values()])

    def spread(self) -> float:
        """Standard deviation over runs of the figure as the data are; NaN for one run."""
        values = [float(run[""][0]) for run in self.runs.values()]
        return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan

    def minus(self, other: Figures, key: str = "") -> Array:
        """Difference over the same resamples, averaged over the runs that are compared (`run_pairs`): "r".

        Args:
            other: what is taken away.
            key: a class, or "" for the mean over classes.

        Raises:
            ValueError: the two were tested on different images.
        """
        if not self.same_images(other):
            raise ValueError("two variants were tested on different images; they cannot be compared in pairs.")
        pairs = run_pairs(self.runs, other.runs)
        return average([self.runs[own][key] - other.runs[base][key] for own, base in pairs])

    def paired(self, other: Figures, key: str = "") -> tuple[float, float]:
        """The two figures whose difference `minus` is: means over the runs that are compared, as the data are."""
        values = [(self.runs[own][key][0], other.runs[base][key][0]) for own, base in run_pairs(self.runs, other.runs)]
        known = [pair for pair in values if not math.isnan(sum(pair))]
        first, second = np.mean(known, axis=0) if known else (math.nan, math.nan)
        return float(first), float(second)

    def by_training(self, other: Figures, key: str = "") -> list[float]:
        """The difference at each seed, over its folds; empty where one of the two is no training of a seed.

        Folds are other patients, whose share of the spread the resamples hold already: only seeds are trainings anew.
        """
        pairs = run_pairs(self.runs, other.runs)
        if any(_axis(run) != "seed" for pair in pairs for run in pair):
            return []
        by_seed: dict[Any, list[float]] = {}
        for own, base in pairs:
            by_seed.setdefault(own[0], []).append(float(self.runs[own][key][0] - other.runs[base][key][0]))
        return [float(np.mean(values)) for values in by_seed.values()]

    def same_images(self, other: Figures) -> bool:
        """Whether all runs that are compared stand on the same images."""
        return all(self.images[own] == other.images[base] for own, base in run_pairs(self.runs, other.runs))


def run_pairs(first: Iterable[Run], second: Iterable[Run]) -> list[tuple[Run, Run]]:
    """Which runs of two variants are compared: those with the same seed and fold, or of the same reader.

    Runs of two kinds (seeds of a trained model, readers of a family, a system that is as it is) have
    nothing to be paired by: each is compared with each, which comes to the difference of their means.
    """
    own, others = list(first), list(second)
    if {_axis(run) for run in own} != {_axis(run) for run in others}:
        return [(run, other) for run in own for other in others]
    return [(run, other) for run in own for other in others if _same(run, other)]


def _axis(run: Run) -> str:
    """What a variant's runs differ by: seeds are numbers, readers have names, None is neither."""
    return "none" if run[0] is None else "reader" if isinstance(run[0], str) else "seed"


def _same(run: Run, other: Run) -> bool:
    if run == other or _axis(run) != "reader":
        return run == other
    names = [str(item[0]).partition(SEEDED) for item in (run, other)]  # a reader alone goes with any seed
    return names[0][0] == names[1][0] and run[1] == other[1] and "" in (names[0][2], names[1][2])


def ranked(tested: pd.DataFrame, drawn: Resamples, classes: Sequence[str]) -> dict[tuple[str, str], Figures]:
    """Return the AUROC of every (variant, head) of a predictions table: what variants are ranked and tested by."""
    patients = tested.groupby(["variant", "head", "class"])["group"].nunique().to_dict()
    found: dict[tuple[str, str], Figures] = {}
    for (variant, head, *run), own in by_model(tested):
        check_once(own)
        values = {}
        for name in classes:
            rows = own[own["class"] == name]
            area = auc(rows["label"].to_numpy(np.float64), rows["score"].to_numpy(np.float64))
            count = patients.get((variant, head, name), 0)
            values[name] = if_enough(drawn.apply(rows["group"].tolist(), area), count)
        images = frozenset(zip(own["id"], own["class"], strict=True))
        _add(found, (variant, head), tuple(run), {"": average(list(values.values())), **values}, images)
    return found


def measured(
    tables: Tables, metric: Metric, drawn: Resamples, classes: Sequence[str]
) -> dict[tuple[str, str], Figures]:
    """Return a metric of every (variant, head) on the test split, over resamples of its patients.

    Thresholds are fitted on the split that the metric says, and held fixed. Of maps the own map belongs to the own
    output, an explainer's maps have a row of their own. A model that selects its patches decides by that which images
    count for its attention; two such models have the same resamples of patients, each on its own images.

    Args:
        tables: of all confirmed models.
        metric: any.
        drawn: resamples of all patients of test.
        classes: the classes' names, in order.
    """
    fits = tables.models(metric, metric.split) if metric.split else {}
    own = {key: (rows, rows.of(metric, classes)) for key, rows in tables.models(metric).items()}
    patients = _patients(own)
    found: dict[tuple[str, str], Figures] = {}
    for key, (rows, terms) in own.items():
        fit = fits[key].of(metric, classes) if key in fits else {}
        undefined = metric.record.probabilities and not rows.probable
        values = {}
        for name, item in terms.items():
            threshold = metric.fitted(fit[name].value if name in fit else None)
            resampled = _nothing(drawn) if undefined else _resampled(metric, item, threshold, drawn)
            values[name] = if_enough(resampled, len(patients.get((*key[:2], name), ())))
        images = frozenset((image, name) for name, item in terms.items() for image in item.ids)
        _add(found, key[:2], key[2:], _with_whole(values, classes, drawn), images)
    return found


def comparable(equal: Mapping[str, float], variant: str, baseline: str) -> bool:
    """Return True if two variants agree in what must be equal (`Tables.equal`), or nothing must."""
    return not equal or equal.get(variant) == equal.get(baseline)


def _patients(own: Mapping[tuple[Any, ...], tuple[Rows, Mapping[str, Terms]]]) -> dict[tuple[str, str, str], set[Any]]:
    """Return the patients behind each (variant, head, class), of all its runs together: a fold has some of them."""
    found: dict[tuple[str, str, str], set[Any]] = {}
    for key, (_, terms) in own.items():
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
    """Return every class's values and those under "": their mean, where the metric has none of its own."""
    of_classes = {name: values.get(name, _nothing(drawn)) for name in classes}
    return {"": values[""] if "" in values else average(list(of_classes.values())), **of_classes}


def _add(
    found: dict[tuple[str, str], Figures],
    place: tuple[Any, ...],
    run: Run,
    values: Resampled,
    images: frozenset[tuple[str, str]],
) -> None:
    before = found.get((place[0], place[1]), Figures({}, {}))
    found[place[0], place[1]] = Figures({**before.runs, run: values}, {**before.images, run: images})
