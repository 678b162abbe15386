"""Ranks of variants over data sets: Friedman's test and Nemenyi's critical difference.

Sources: Friedman 1937, Journal of the American Statistical Association 32, 675-701; Nemenyi 1963; combined as in
Demšar 2006, JMLR 7, 1-30. With few data sets, chi-square and the F statistic of Iman and Davenport are inexact:
for 3 variants in the same order on 3 data sets, F gives p < .001, counting 1 in 36. p is therefore by permutation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.statistics.arrays import Array

LEAST_DATASETS, LEAST_VARIANTS = 3, 3
PERMUTATIONS = 20_000


@dataclass(frozen=True)
class Ranks:
    """Mean ranks of variants over data sets; 1 is the best.

    Args:
        names: the variants, best mean rank first.
        means: "v" mean ranks, ties averaged.
        datasets: number of data sets.
        statistic: Friedman's chi-square, corrected for ties.
        p: its p-value, by permuting ranks within data sets: all orders, or PERMUTATIONS of them if there are more.
        critical: difference of mean ranks that separates two variants (Nemenyi).
        pairs: "v v" Nemenyi's p-values, adjusted for all pairs; 1 on the diagonal.
        level: 1 - the probability of separating any two equal variants.
    """

    names: tuple[str, ...]
    means: Array
    datasets: int
    statistic: float
    p: float
    critical: float
    pairs: Array
    level: float

    @property
    def groups(self) -> list[tuple[int, int]]:
        """First and last position of each longest sequence of variants that are not separated."""
        last = [max(j for j in range(i, len(self.means)) if self._joined(i, j)) for i in range(len(self.means))]
        return [(i, j) for i, j in enumerate(last) if j > i and (i == 0 or last[i - 1] < j)]

    def _joined(self, first: int, second: int) -> bool:
        return bool(self.means[second] - self.means[first] < self.critical)


def why_no_ranks(variants: int, datasets: int) -> str:
    """Return why nothing can be ranked; "" if it can.

    Args:
        variants: number of variants with a value on every data set.
        datasets: number of distinct data sets.
    """
    if datasets < LEAST_DATASETS:
        return (
            f"ranks need at least {LEAST_DATASETS} data sets, here are {datasets}: with two, every order of the "
            "variants may be chance; read the differences of each study instead."
        )
    if variants < LEAST_VARIANTS:
        return (
            f"Friedman's test needs at least {LEAST_VARIANTS} variants with a value on every data set, here are "
            f"{variants}; read the differences of each study instead."
        )
    return ""


def rank(values: Array, names: Sequence[str], *, higher_is_better: bool = True, level: float = 0.95) -> Ranks:
    """Rank variants within each data set and test whether they differ over data sets.

    Args:
        values: "d v", one value per data set and variant, such as mean test AUC.
        names: the v variants.
        higher_is_better: True if high values are good.
        level: of the critical difference.

    Raises:
        ValueError: too few variants or data sets, a NaN, or shapes that differ.
    """
    from scipy.stats import friedmanchisquare, rankdata, studentized_range

    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(names):
        raise ValueError(f"values must be (data sets, {len(names)} variants), but got {values.shape}.")
    if np.isnan(values).any():
        raise ValueError("every variant needs a value on every data set; leave out those that lack one.")
    datasets, variants = values.shape
    if reason := why_no_ranks(variants, datasets):
        raise ValueError(reason)
    ranked = rankdata(-values if higher_is_better else values, axis=1)
    means = ranked.mean(0)
    order = np.argsort(means, kind="stable")
    means = means[order]
    if (np.ptp(values, axis=1) == 0).all():  # all tied everywhere: Friedman's statistic is 0 / 0
        statistic, p = 0.0, 1.0
    else:
        statistic, p = float(friedmanchisquare(*values.T).statistic), _permutation_p(ranked)
    unit = math.sqrt(variants * (variants + 1) / (12 * datasets))  # studentised: the usual 1 / 6 over 2
    gaps = np.abs(means[:, None] - means[None, :])
    pairs = np.ones_like(gaps)
    upper = np.triu_indices(variants, 1)
    pairs[upper] = studentized_range.sf(gaps[upper] / unit, variants, np.inf)
    pairs.T[upper] = pairs[upper]
    return Ranks(
        tuple(names[index] for index in order),
        means,
        datasets,
        statistic,
        p,
        float(studentized_range.ppf(level, variants, np.inf)) * unit,
        pairs,
        level,
    )


def _permutation_p(ranked: Array) -> float:
    """Return the share of permutations of ranks "d v" within data sets with a Friedman statistic as large."""
    from scipy.stats import permutation_test

    def spread(*variants: Array, axis: int) -> Array:
        return np.asarray(sum(np.square(own.sum(axis=axis)) for own in variants))

    found = permutation_test(
        tuple(ranked.T), spread, permutation_type="samples", vectorized=True, n_resamples=PERMUTATIONS,
        alternative="greater", rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(found.pvalue)
