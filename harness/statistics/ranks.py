"""Systems ranked over data sets: Friedman's test, Nemenyi's critical difference, and who is not told apart.

Sources: Friedman 1937, Journal of the American Statistical Association 32, 675-701; Nemenyi 1963; as put together by
Demšar 2006, JMLR 7, 1-30. With few data sets neither chi-square nor the F statistic of Iman and Davenport has its law
(3 data sets of 3 systems in the same order: F says p < .001, counting says 1 in 36), so that p is that of permutations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.statistics.arrays import Array

LEAST_DATASETS, LEAST_SYSTEMS = 3, 3
PERMUTATIONS = 20_000


@dataclass(frozen=True)
class Ranks:
    """Mean ranks of systems over data sets, 1 the best.

    Args:
        names: the systems, best mean rank first.
        means: "s" mean ranks, ties shared.
        datasets: how many they are means over.
        statistic: Friedman's chi-square, corrected for ties.
        p: of it, by permuting ranks within data sets: all orders where they are at most PERMUTATIONS, else that many.
        critical: difference of mean ranks that separates two systems (Nemenyi).
        pairs: "s s" Nemenyi's p-values, adjusted for all pairs; 1 on the diagonal.
        level: 1 - the chance of separating any two equal systems.
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
        """First and last place of each longest run of systems that are not separated; what the diagram joins."""
        last = [max(j for j in range(i, len(self.means)) if self._joined(i, j)) for i in range(len(self.means))]
        return [(i, j) for i, j in enumerate(last) if j > i and (i == 0 or last[i - 1] < j)]

    def _joined(self, first: int, second: int) -> bool:
        return bool(self.means[second] - self.means[first] < self.critical)


def why_no_ranks(systems: int, datasets: int) -> str:
    """Why nothing can be ranked; "" where it can.

    Args:
        systems: how many have a figure on every data set.
        datasets: how many different ones there are.
    """
    if datasets < LEAST_DATASETS:
        return (
            f"ranks need at least {LEAST_DATASETS} data sets, here are {datasets}: with two, no order of the systems "
            "can be told from chance; read the differences of each study instead."
        )
    if systems < LEAST_SYSTEMS:
        return (
            f"Friedman's test needs at least {LEAST_SYSTEMS} systems with a figure on every data set, here are "
            f"{systems}; read the differences of each study instead."
        )
    return ""


def rank(figures: Array, names: Sequence[str], *, higher_is_better: bool = True, level: float = 0.95) -> Ranks:
    """Ranks systems within each data set and tests whether they differ over data sets.

    Args:
        figures: "d s", one figure a data set and system, such as mean test AUC.
        names: the s systems.
        higher_is_better: of the figures.
        level: of the critical difference.

    Raises:
        ValueError: too few systems or data sets, a NaN, or shapes that differ.
    """
    from scipy.stats import friedmanchisquare, rankdata, studentized_range

    figures = np.asarray(figures, dtype=np.float64)
    if figures.ndim != 2 or figures.shape[1] != len(names):
        raise ValueError(f"figures are (data sets, {len(names)} systems), but got {figures.shape}.")
    if np.isnan(figures).any():
        raise ValueError("every system needs a figure on every data set; leave out those that lack one.")
    datasets, systems = figures.shape
    if reason := why_no_ranks(systems, datasets):
        raise ValueError(reason)
    ranked = rankdata(-figures if higher_is_better else figures, axis=1)
    means = ranked.mean(0)
    order = np.argsort(means, kind="stable")
    means = means[order]
    if (np.ptp(figures, axis=1) == 0).all():  # all tied everywhere: Friedman's statistic is 0 / 0
        statistic, p = 0.0, 1.0
    else:
        statistic, p = float(friedmanchisquare(*figures.T).statistic), _permutation_p(ranked)
    unit = math.sqrt(systems * (systems + 1) / (12 * datasets))  # studentised: the usual 1 / 6 over 2
    gaps = np.abs(means[:, None] - means[None, :])
    pairs = np.ones_like(gaps)
    upper = np.triu_indices(systems, 1)
    pairs[upper] = studentized_range.sf(gaps[upper] / unit, systems, np.inf)
    pairs.T[upper] = pairs[upper]
    return Ranks(
        tuple(names[index] for index in order),
        means,
        datasets,
        statistic,
        p,
        float(studentized_range.ppf(level, systems, np.inf)) * unit,
        pairs,
        level,
    )


def _permutation_p(ranked: Array) -> float:
    """Of Friedman's statistic: how often ranks "d s" shuffled within data sets spread the systems' sums as widely."""
    from scipy.stats import permutation_test

    def spread(*systems: Array, axis: int) -> Array:
        return np.asarray(sum(np.square(own.sum(axis=axis)) for own in systems))

    found = permutation_test(
        tuple(ranked.T), spread, permutation_type="samples", vectorized=True, n_resamples=PERMUTATIONS,
        alternative="greater", rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(found.pvalue)
