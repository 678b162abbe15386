"""Holm against statsmodels; the bootstrap's p-value against the t-test, its interval and the uniform."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kstest, norm, ttest_1samp
from statsmodels.stats.multitest import multipletests

from harness.statistics.bootstrap import Resamples, interval, mean
from harness.statistics.multiplicity import against_best, bootstrap_p, holm

RANDOM = np.random.default_rng(0)


def test_holm_is_statsmodels() -> None:
    for size in (1, 2, 5, 40):
        p_values = RANDOM.random(size) ** 3
        p_values[0] = p_values[-1]  # a tie
        np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1])


def test_a_comparison_that_was_not_made_does_not_count() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, np.nan, 0.04])), [0.02, np.nan, 0.04])
    assert holm(np.array([])).size == 0 and np.isnan(holm(np.array([np.nan]))).all()


def test_what_is_no_p_value_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm(np.array([0.5, 1.2]))


def resampled(values: np.ndarray, resamples: int = 4000, seed: int = 0) -> np.ndarray:
    return Resamples.draw(range(len(values)), resamples, seed).apply(range(len(values)), mean(values))


def test_of_a_mean_difference_it_is_about_the_t_tests() -> None:
    for shift in (0.0, 0.1, 0.2):
        values = RANDOM.normal(shift, size=100)
        assert bootstrap_p(resampled(values)) == pytest.approx(ttest_1samp(values, 0).pvalue, abs=0.03)


def test_it_is_below_5_percent_just_where_the_interval_leaves_out_0() -> None:
    for shift in np.linspace(0.05, 0.4, 15):
        found = resampled(RANDOM.normal(shift, size=60), 2000)
        p, bounds = bootstrap_p(found), interval(found)
        if abs(p - 0.05) > 0.003:
            assert (p < 0.05) == (bounds.low > 0 or bounds.high < 0)


def test_it_is_uniform_where_nothing_differs() -> None:
    p_values = [bootstrap_p(resampled(RANDOM.normal(size=80), 400, seed)) for seed in range(400)]
    assert kstest(p_values, "uniform").pvalue > 0.01


def test_identical_variants_and_single_patients() -> None:
    assert bootstrap_p(np.zeros(101)) == 1
    assert np.isnan(bootstrap_p(np.array([0.3])))
    assert np.isnan(bootstrap_p(np.array([np.nan, 0.1, 0.2])))
    assert bootstrap_p(np.array([0.2, np.nan, *np.linspace(0.1, 0.3, 99)])) == pytest.approx(2 / 100)  # never 0
    assert np.isnan(bootstrap_p(np.full(100, 0.2)))  # resamples that all agree do not tell how sure that is


@pytest.mark.parametrize("systems", [10, 20])
def test_of_equal_variants_none_is_separated_from_the_best_in_95_percent_of_studies(systems: int) -> None:
    """Holm's adjustment over the others would separate some far more often: the best was chosen by the same data."""
    random, runs = np.random.default_rng(0), 4000
    means = random.normal(size=(runs, systems))
    gaps = (means.max(1, keepdims=True) - means) / math.sqrt(2)
    p_values = 2 * norm.sf(np.sort(gaps)[:, 1:])
    separated = [(against_best(own, systems) < 0.05).any() for own in p_values]
    assert 0.035 <= np.mean(separated) <= 0.065
    by_holm = np.mean([(holm(own) < 0.05).any() for own in p_values])
    print(f"\n{systems} equal systems, some separated from the best: {np.mean(separated):.3f}, by Holm {by_holm:.3f}")
    assert by_holm > 0.1


def test_one_comparison_with_the_best_is_adjusted_for_nothing() -> None:
    p_values = np.array([0.3, 0.01, np.nan, 1.0, 0.0])
    assert against_best(p_values, 2) == pytest.approx(p_values, nan_ok=True)
