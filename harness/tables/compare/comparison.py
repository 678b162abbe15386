"""A metric of every trained model over the same resamples of patients, so that variants are compared in pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from harness.contract.tables import OWN_HEAD, OWN_MAP
from harness.contract.types import SEEDED
from harness.metrics import functional
from harness.statistics.arrays import Array
from harness.statistics.bootstrap import Resamples, Statistic, auc, average, if_enough, mean

if TYPE_CHECKING:
    import pandas as pd

RUN = ["seed", "fold"]
"""What tells the trained models of one variant apart."""

Run: TypeAlias = tuple[Any, ...]
"""Seed and fold of one trained model; see `harness.contract.types.Run`."""

Resampled = Mapping[str, Array]
"""A figure of one trained model: "" and class -> values "r", the first as the data are."""


@dataclass(frozen=True)
class Figures:
    """One metric of the trained models of one variant, by run.

    Args:
        runs: (seed, fold) -> the resampled figure; see `harness.contract.types.Run`.
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


def aucs(tested: pd.DataFrame, drawn: Resamples, classes: Sequence[str]) -> dict[tuple[str, str], Figures]:
    """AUROC of every (variant, head) of a predictions table."""
    return _figures(tested, drawn, classes, _auc_of)


def dices(maps: pd.DataFrame, drawn: Resamples, classes: Sequence[str]) -> dict[tuple[str, str], Figures]:
    """Soft Dice of every (variant, head) of a maps table, over the images whose lesion is outlined."""
    shown = functional.localisable(maps)
    return _figures(shown.assign(head=heads_of(shown)), drawn, classes, _dice_of)


def attention_gaps(rows: pd.DataFrame, drawn: Resamples, classes: Sequence[str]) -> dict[tuple[str, str], Figures]:
    """The attention gap of every variant, over images of which some of its own patches touch the lesion, not all.

    A model that selects its patches decides by that which images count for it; two models stand on the same
    resamples of patients, each on its own images.
    """
    return _figures(rows.assign(head=OWN_HEAD), drawn, classes, _gap_of)


def heads_of(maps: pd.DataFrame) -> Any:
    """The model's own saliency map stands beside its own output; an explainer's maps have a row of their own."""
    return maps["map"].where(maps["map"] != OWN_MAP, OWN_HEAD)


def by_model(rows: pd.DataFrame) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """The rows of each (variant, head, seed, fold), in the order they come."""
    for key, own in rows.groupby(["variant", "head", *RUN], dropna=False, sort=False):
        yield tuple(None if value != value else value for value in key), own  # a NaN equals no other


def _figures(
    rows: pd.DataFrame,
    drawn: Resamples,
    classes: Sequence[str],
    statistic: Callable[[pd.DataFrame], Statistic],
) -> dict[tuple[str, str], Figures]:
    """The figure of every (variant, head)."""
    patients = rows.groupby(["variant", "head", "class"])["group"].nunique().to_dict()
    runs: dict[tuple[str, str], dict[tuple[Any, ...], Resampled]] = {}
    images: dict[tuple[str, str], dict[tuple[Any, ...], frozenset[tuple[str, str]]]] = {}
    for (variant, head, *run), own in by_model(rows):
        functional.check_once(own)
        found = _per_class(own, drawn, statistic, {name: patients.get((variant, head, name), 0) for name in classes})
        runs.setdefault((variant, head), {})[tuple(run)] = found
        images.setdefault((variant, head), {})[tuple(run)] = frozenset(zip(own["id"], own["class"], strict=True))
    return {key: Figures(runs[key], images[key]) for key in runs}


def _per_class(
    rows: pd.DataFrame,
    drawn: Resamples,
    statistic: Callable[[pd.DataFrame], Statistic],
    patients: Mapping[str, int],
) -> Resampled:
    """Of one run; `patients` are those of each class in all runs, of which a fold has some."""
    values = {}
    for name, count in patients.items():
        own = rows[rows["class"] == name]
        found = drawn.apply(own["group"].tolist(), statistic(own))
        values[name] = if_enough(found, count)
    return {"": average(list(values.values())), **values}


def _auc_of(rows: pd.DataFrame) -> Statistic:
    return auc(rows["label"].to_numpy(np.float64), rows["score"].to_numpy(np.float64))


def _gap_of(rows: pd.DataFrame) -> Statistic:
    return mean(rows["gap"].to_numpy(np.float64))


def _dice_of(rows: pd.DataFrame) -> Statistic:
    return mean(functional.soft_dice(rows["dice_overlap"].to_numpy(), rows["dice_sum"].to_numpy()))
