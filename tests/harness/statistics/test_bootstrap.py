"""The clustered bootstrap against scikit-learn, scipy, a loop that resamples rows, and simulation."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from harness.statistics.bootstrap import (
    Resamples,
    auc,
    average,
    interval,
    mean,
)
from harness.statistics.multiplicity import bootstrap_p

RANDOM = np.random.default_rng(0)


def cluster_interval(statistic, groups, *, resamples: int = 2000, seed: int = 0):
    """A figure of rows with its interval, its own patients resampled."""
    return interval(Resamples.draw(groups, resamples, seed).apply(groups, statistic))


def patients(count: int, units: int, shift: float, correlation: float, random: np.random.Generator):
    """Labels by patient, scores whose noise is shared within a patient, and groups."""
    groups = np.repeat(np.arange(count), units)
    labels = (np.arange(count) % 2).astype(float)[groups]
    shared = random.normal(size=count)[groups]
    noise = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * random.normal(size=groups.size)
    return labels, noise + shift * labels, groups


def test_the_value_is_scikit_learns_and_so_is_every_resample() -> None:
    labels, scores, groups = patients(20, 3, 1.0, 0.5, RANDOM)
    scores = scores.round(1)  # ties
    drawn = Resamples.draw(groups, 50, seed=1)
    values = drawn.apply(groups, auc(labels, scores))
    assert values[0] == pytest.approx(roc_auc_score(labels, scores))
    columns = [drawn.groups.index(group) for group in groups]
    for value, weights in zip(values, drawn.counts[:, columns], strict=True):
        assert value == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights))


def test_unknown_labels_do_not_count() -> None:
    labels, scores = np.array([1, 0, np.nan, 1, 0]), np.array([0.9, 0.1, 0.0, 0.2, 0.3])
    known = ~np.isnan(labels)
    assert auc(labels, scores)(np.ones((1, 5)))[0] == roc_auc_score(labels[known], scores[known])


def test_a_resample_draws_whole_groups_as_often_as_there_are_groups() -> None:
    drawn = Resamples.draw(["b", "a", "b", "c"], 100)
    assert drawn.groups == ("a", "b", "c")
    assert (drawn.counts.sum(1) == 3).all() and (drawn.counts[0] == 1).all()
    weights = drawn.apply(["b", "b"], lambda weights: weights[:, 0] - weights[:, 1])
    assert not weights.any()


def test_the_same_seed_gives_the_same_interval_and_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, scores, groups = patients(30, 2, 1.0, 0.5, RANDOM)
    one = cluster_interval(auc(labels, scores), groups, resamples=200, seed=3)
    monkeypatch.setattr("harness.statistics.bootstrap._CELLS", 100)
    assert cluster_interval(auc(labels, scores), groups, resamples=200, seed=3) == one
    assert cluster_interval(auc(labels, scores), groups, resamples=200, seed=4) != one


def test_the_interval_of_a_mean_of_single_rows_is_scipys() -> None:
    from scipy.stats import bootstrap

    values = RANDOM.normal(size=80)
    own = cluster_interval(mean(values), np.arange(80), resamples=20_000)
    other = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=0).confidence_interval
    assert (own.value, own.low, own.high) == pytest.approx((values.mean(), other.low, other.high), abs=0.01)


def test_a_pair_is_surer_of_its_difference_than_two_strangers() -> None:
    labels, scores, groups = patients(100, 2, 1.0, 0.5, RANDOM)
    other = scores + 0.1 * RANDOM.normal(size=scores.size)
    drawn = Resamples.draw(groups, 500)
    first, second = (drawn.apply(groups, auc(labels, values)) for values in (scores, other))
    paired, alone = interval(first - second), interval(first)
    assert paired.high - paired.low < 0.3 * (alone.high - alone.low)


def test_what_is_undefined_is_nan_and_counted() -> None:
    labels = np.array([1.0, 0, 0, 0])
    found = cluster_interval(auc(labels, labels), np.arange(4), resamples=1000)
    assert found.value == 1 and np.isnan([found.low, found.high]).all()
    assert found.undefined == pytest.approx(0.75**4, abs=0.06)  # the positive was not drawn


@pytest.mark.parametrize(("positives", "told"), [(1, False), (2, False), (3, True)])
def test_three_patients_of_a_class_have_an_interval_and_two_have_none(positives: int, told: bool) -> None:
    labels, scores = (np.arange(200) < positives).astype(float), np.random.default_rng(1).random(200)
    values = Resamples.draw(range(200), 2000).apply(range(200), auc(labels, scores))
    found = interval(values)
    assert found.undefined == pytest.approx((1 - positives / 200) ** 200, abs=0.03)
    assert np.isfinite([found.low, found.high]).all() == told == np.isfinite(bootstrap_p(values - 0.5))


def test_one_patient_has_no_interval() -> None:
    found = cluster_interval(auc(np.array([1.0, 0]), np.array([0.8, 0.2])), ["p", "p"])
    assert found.value == 1 and np.isnan([found.low, found.high]).all()


def test_a_class_that_is_never_defined_leaves_the_average_alone() -> None:
    nothing, something = np.full(3, np.nan), np.array([0.5, np.nan, 0.7])
    np.testing.assert_array_equal(average([nothing, something]), something)
    assert np.isnan(average([nothing])).all()


def test_resampling_patients_covers_where_resampling_images_does_not() -> None:
    """Seventy runs of 60 patients x 4 images with correlation .5; the truth from a large sample."""
    truth = 0.5 * (1 + _erf(1.2 / 2))
    covered = {"patients": 0, "images": 0}
    random = np.random.default_rng(5)
    for run in range(70):
        labels, scores, groups = patients(60, 4, 1.2, 0.5, random)
        for name, clusters in (("patients", groups), ("images", np.arange(groups.size))):
            found = cluster_interval(auc(labels, scores), clusters, resamples=300, seed=run)
            covered[name] += found.low <= truth <= found.high
    assert covered["patients"] / 70 > 0.87 and covered["images"] / 70 < 0.87


def test_two_thousand_resamples_of_a_thousand_rows_take_a_second() -> None:
    labels, scores, groups = patients(250, 4, 1.0, 0.5, RANDOM)
    started = time.process_time()
    cluster_interval(auc(labels, scores), groups)
    assert time.process_time() - started < 1


def _erf(x: float) -> float:
    from scipy.special import erf

    return float(erf(x))
