"""Bounds that allow for training again: against a closed form, a simulation, and where they cannot be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.statistics.retraining import retrained_bounds


def test_without_variance_over_patients_it_is_students_interval_of_the_trainings():
    differences = [0.02, 0.05, -0.01, 0.04]
    resampled = np.full(1001, np.mean(differences))
    found = retrained_bounds(differences, resampled, 50)
    assert found == pytest.approx(stats.ttest_1samp(differences, 0).confidence_interval())


def test_where_trainings_agree_it_is_the_interval_over_patients():
    resampled = 0.1 + 0.02 * np.concatenate([[0.0], np.random.default_rng(0).standard_normal(4000)])
    half = stats.norm.ppf(0.975) * np.std(resampled[1:], ddof=1)
    assert retrained_bounds([0.1, 0.1], resampled, 30) == pytest.approx((0.1 - half, 0.1 + half))


def test_one_training_or_one_patient_tells_nothing():
    assert all(map(math.isnan, retrained_bounds([0.1], np.array([0.1, 0.2, 0.0]), 9)))
    assert all(map(math.isnan, retrained_bounds([0.1, 0.2], np.array([0.15]), 1)))


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_equal_methods_whose_seeds_differ_are_seldom_distinguished(seeds: int):
    """Training varies by .08, patients by .02: holding the models fixed calls most different, this few."""
    rng, runs = np.random.default_rng(seeds), 400
    fixed = wider = 0
    for _ in range(runs):
        trainings = rng.normal(0, 0.08 * math.sqrt(2), seeds)
        value = trainings.mean() + rng.normal(0, 0.02)
        resampled = np.concatenate([[value], value + 0.02 * rng.standard_normal(400)])
        low, high = np.quantile(resampled[1:], [0.025, 0.975])
        fixed += not low <= 0 <= high
        low, high = retrained_bounds(list(trainings), resampled, 60)
        wider += not low <= 0 <= high
    assert fixed / runs > 0.3
    assert wider / runs <= 0.07
