"""The partial area against scikit-learn's, resample by resample."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from harness.contract.errors import Problems
from harness.metrics.terms import Scores
from tests.built_in_metrics import catalog, metric

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("max_fpr", [0.05, 0.1, 0.2, 0.5, 1.0])
def test_it_is_scikit_learns_with_ties_and_in_every_resample(max_fpr: float) -> None:
    partial = metric("partial", use="pauc", max_fpr=max_fpr)
    for _ in range(20):
        labels = (RANDOM.random(60) < 0.4).astype(float)
        scores = (0.3 * labels + RANDOM.random(60)).round(1)  # ties
        expected = roc_auc_score(labels, scores, max_fpr=max_fpr)
        assert float(partial.value(Scores(labels, scores))) == pytest.approx(expected)
        weights = RANDOM.integers(0, 3, (5, 60)).astype(float)
        found = partial.value(Scores(labels, scores), weights)
        for value, own in zip(found, weights, strict=True):
            places = np.repeat(np.arange(60), own.astype(int))
            assert value == pytest.approx(roc_auc_score(labels[places], scores[places], max_fpr=max_fpr))


def test_one_label_has_none() -> None:
    assert math.isnan(metric("pauc").value(Scores(np.ones(4), RANDOM.random(4))))


@pytest.mark.parametrize("max_fpr", [0.0, 1.5, math.nan])
def test_a_rate_out_of_range_is_refused(max_fpr: float) -> None:
    factory = catalog().factory("metric", {"use": "pauc", "max_fpr": max_fpr}, Problems(""), "metrics.0")
    assert factory is not None
    with pytest.raises(ValueError, match="max_fpr"):
        factory.facts()
