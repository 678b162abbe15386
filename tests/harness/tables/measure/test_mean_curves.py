"""Curves of several runs: one run is itself, areas and average precision agree with scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from harness.tables.measure.mean_curves import mean_precision, mean_roc


def runs(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(0)
    labels = (random.random(300) < 0.4).astype(float)
    return [(labels, labels + random.normal(size=300)) for _ in range(count)]


def test_one_run_is_its_own_curve() -> None:
    ((labels, scores),) = runs(1)
    false, true = mean_roc([(labels, scores)])
    assert np.trapezoid(true, false) == pytest.approx(roc_auc_score(labels, scores))
    recall, precision = mean_precision([(labels, scores)])
    assert precision @ np.diff(recall, prepend=0.0) == pytest.approx(average_precision_score(labels, scores))


def test_the_area_under_the_mean_curve_is_the_mean_area() -> None:
    several = runs(3)
    false, true = mean_roc(several)
    areas = [roc_auc_score(labels, scores) for labels, scores in several]
    assert np.trapezoid(true, false) == pytest.approx(np.mean(areas), abs=0.005)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    recall, precision = mean_precision(several)
    found = precision[1:] @ np.diff(recall)
    wanted = np.mean([average_precision_score(labels, scores) for labels, scores in several])
    assert found == pytest.approx(wanted, abs=0.01)


def test_unknown_labels_do_not_count() -> None:
    ((labels, scores),) = runs(1)
    more = np.append(labels, np.nan), np.append(scores, 9.0)
    assert np.array_equal(mean_roc([more])[1], mean_roc([(labels, scores)])[1])
    assert np.array_equal(mean_precision([more])[1], mean_precision([(labels, scores)])[1])
