"""Bootstrap intervals over patients, because breasts, views and images of one patient are not independent.

A statistic is a function of weights, "r n" -> "r": the count of each of n rows in each of r resamples.
Row 0 counts every patient once, so that one call gives the value and its resamples. Two statistics
over the same `Resamples` are paired.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np

from harness.statistics.arrays import Array, ratio

Statistic: TypeAlias = Callable[[Array], Array]
"""Weights "r n" -> values "r", or "r f" for several statistics; NaN if undefined."""

MOST_UNDEFINED = 0.1
"""Largest share of resamples without a value for which there is an interval or a p-value.

With two patients of a class, 13 % of the resamples hold neither (e^-2), with three 5 % (e^-3): three are needed. The
bounds of the other resamples would only show that these patients exist.
"""
LEAST_PATIENTS = 8
"""Fewest patients, over all replicates together, for a bootstrap interval or p-value.

Few patients agree by chance; docs/statistics.md and tests/harness/statistics/test_coverage.py have the rates.
"""
_CELLS = 200_000
"""Weights in memory at a time: 1.6 MB, which fits into a cache; with 8 MB it takes three times as long."""


@dataclass(frozen=True)
class Interval:
    """A value with its percentile interval.

    Args:
        value: the value on the data.
        low: lower bound. NaN, as `high`, if there are too few patients, `undefined` is above MOST_UNDEFINED, or
            all resamples agree: a share of 1 is not certain for that reason.
        undefined: share of resamples without a value, such as those without a positive patient; they are left
            out of the bounds.
    """

    value: float
    low: float
    high: float
    undefined: float = 0.0


@dataclass(frozen=True, eq=False)
class Resamples:
    """Bootstrap samples of groups, drawn with replacement; equal only to itself, so that values are kept by it.

    Args:
        groups: the distinct groups, in order of their columns.
        counts: "r g", the count of each group in each sample; row 0 is 1 everywhere.
    """

    groups: tuple[Hashable, ...]
    counts: Array

    @classmethod
    def draw(cls, groups: Iterable[Hashable], resamples: int = 2000, seed: int = 0) -> Resamples:
        """Draw as many groups as there are, `resamples` times; `groups` may hold duplicates, in any order.

        The last samples are kept: another table over the same groups, resamples and seed gets the same object.
        Fewer than two groups cannot be resampled: there is only row 0, and every interval is NaN.
        """
        return _draw(tuple(sorted(set(groups), key=str)), resamples, seed)

    @cached_property
    def _columns(self) -> dict[Hashable, int]:
        return {group: index for index, group in enumerate(self.groups)}

    def apply(self, groups: Sequence[Hashable] | Array, statistic: Statistic) -> Array:
        """Compute the statistic of rows that belong to `groups` in every resample: "r", the first without resampling.

        Raises:
            KeyError: a group is not among those of these resamples.
        """
        member = np.array([self._columns[group] for group in groups], dtype=np.intp)
        parts = max(1, -(-len(self.counts) * len(member) // _CELLS))
        return np.concatenate([statistic(part[:, member]) for part in np.array_split(self.counts, parts)])


@lru_cache(maxsize=1)
def _draw(groups: tuple[Hashable, ...], resamples: int, seed: int) -> Resamples:
    size, first = len(groups), np.ones((1, len(groups)))
    if size < 2:
        return Resamples(groups, first)
    drawn = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=resamples)
    return Resamples(groups, np.concatenate([first, drawn]))


def interval(values: Array, level: float = 0.95) -> Interval:
    """Return the percentile interval of resampled values "r"; the first is the value on the data."""
    value, rest = float(values[0]), values[1:]
    known, undefined = rest[~np.isnan(rest)], undefined_share(values)
    if math.isnan(value) or known.size < 2 or undefined > MOST_UNDEFINED:
        return Interval(value, math.nan, math.nan, undefined)
    if known.min() == known.max():
        return Interval(value, math.nan, math.nan, undefined)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), undefined)


def if_enough(values: Array, patients: int) -> Array:
    """Return the resampled values "r"; with fewer than LEAST_PATIENTS, all but the first are NaN."""
    return values if patients >= LEAST_PATIENTS else np.where(np.arange(len(values)) == 0, values, math.nan)


def undefined_share(values: Array) -> float:
    """Return the share of resampled values "r" after the first that are NaN; 0 if there are none."""
    return float(np.isnan(values[1:]).mean()) if len(values) > 1 else 0.0


def auc(labels: Array, scores: Array) -> Statistic:
    """Return the statistic of the area under the ROC curve of one class, by ranks, ties halved.

    Args:
        labels: "n" of 1, 0 and NaN; unknown labels do not count.
        scores: "n".

    Raises:
        ValueError: the score of a known label is NaN.
    """
    labels, scores = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if np.isnan(scores[~np.isnan(labels)]).any():
        raise ValueError("a score is NaN; every known label needs a score.")
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    negative = negative[np.argsort(scores[negative], kind="stable")]
    below = np.searchsorted(scores[negative], scores[positive], side="left")
    upto = np.searchsorted(scores[negative], scores[positive], side="right")

    def of(weights: Array) -> Array:
        wins = np.zeros((len(weights), len(negative) + 1))
        np.cumsum(weights[:, negative], axis=1, out=wins[:, 1:])  # r, weight of the lowest negatives
        won = wins[:, below] if np.array_equal(below, upto) else (wins[:, below] + wins[:, upto]) / 2
        pairs = weights[:, positive].sum(1) * wins[:, -1]
        return ratio(np.einsum("rp,rp->r", weights[:, positive], won), pairs)

    return of


def mean(values: Array) -> Statistic:
    """Return the statistic of the mean of one value per row; rows of NaN do not count."""
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values)

    def of(weights: Array) -> Array:
        return ratio(weights[:, known] @ values[known], weights[:, known].sum(1))

    return of


def means(values: Array) -> Statistic:
    """Return the statistic of the mean of each column of "n f": "r f"."""
    known = ~np.isnan(values)
    filled, counted = np.where(known, values, 0.0), known.astype(np.float64)
    return lambda weights: ratio(weights @ filled, weights @ counted)


def average_precision(labels: Array, scores: Array) -> Statistic:
    """Return the statistic of the step-wise area under the precision-recall curve; NaN without both labels.

    Args:
        labels: "n" of 1 and 0.
        scores: "n".
    """
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)[: labels.size]  # equal scores are called together

    def of(weights: Array) -> Array:
        called = np.cumsum(weights[:, order], axis=1)
        hits = np.cumsum(weights[:, order] * labels[order], axis=1)
        if not called.size:
            return np.full(len(weights), math.nan)
        sick, both = hits[:, -1], (hits[:, -1] > 0) & (hits[:, -1] < called[:, -1])
        hits, called = hits[:, last], called[:, last]
        precision = ratio(hits, called, 0.0)
        area = np.einsum("rt,rt->r", precision, np.diff(hits, axis=1, prepend=0.0))
        found: Array = np.divide(area, sick, out=np.full(len(area), math.nan), where=both)
        return found

    return of


def decisions(labels: Array, called: Array) -> Statistic:
    """Return accuracy, balanced accuracy, precision, recall, specificity and F1, "r 6"; NaN without a denominator.

    Args:
        labels: "n" of 1 and 0.
        called: "n", whether a case is called positive.
    """
    sick, called = np.asarray(labels) == 1, np.asarray(called, dtype=bool)
    cells = np.stack([sick & called, ~sick & called, sick & ~called, ~sick & ~called], 1).astype(np.float64)

    def of(weights: Array) -> Array:
        tp, fp, fn, tn = (weights @ cells).T
        recall, specificity = ratio(tp, tp + fn), ratio(tn, tn + fp)
        f1 = np.where(tp + fn > 0, ratio(2 * tp, 2 * tp + fp + fn), math.nan)
        accuracy, balanced = ratio(tp + tn, tp + fp + fn + tn), (recall + specificity) / 2
        return np.stack([accuracy, balanced, ratio(tp, tp + fp), recall, specificity, f1], 1)

    return of


def average(statistics: Sequence[Array]) -> Array:
    """Return the mean over classes or seeds of resampled values, each "r".

    A statistic that is undefined on the data (NaN in row 0) is left out. One that is undefined in a
    single resample makes that resample undefined.
    """
    defined = [values for values in statistics if not math.isnan(values[0])]
    if not defined:
        return np.full_like(statistics[0], math.nan) if statistics else np.full(1, math.nan)
    result: Array = np.mean(defined, axis=0)
    return result
