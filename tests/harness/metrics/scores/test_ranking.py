"""AUROC, average precision and Brier score: hand-worked cases and what is undefined."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from harness.metrics import functional
from tests.built_in_metrics import of_scores

NAN = math.nan


def test_two_of_three_pairs_in_order_is_two_thirds() -> None:
    labels, scores = np.array([[1.0], [0], [0], [0]]), np.array([[0.5], [0.1], [0.2], [0.9]])
    assert functional.auroc(labels, scores, ["a"]) == pytest.approx({"": 2 / 3, "a": 2 / 3})


def test_constant_scores_are_a_coin() -> None:
    labels, scores = np.array([[1.0], [0], [0], [0]]), np.full((4, 1), 0.3)
    assert functional.auroc(labels, scores, ["a"])[""] == 0.5
    assert of_scores("auprc", labels, scores, ["a"])[""] == 0.25


def test_a_class_with_one_label_only_is_nan_and_leaves_the_mean_alone() -> None:
    labels, scores = np.array([[1.0, 1], [0, 1], [0, NAN]]), np.array([[0.9, 0.1], [0.1, 0.2], [0.2, 0.3]])
    for found in (functional.auroc(labels, scores, ["a", "b"]), of_scores("auprc", labels, scores, ["a", "b"])):
        assert found == pytest.approx({"": 1.0, "a": 1.0, "b": NAN}, nan_ok=True)


def test_nothing_defined_is_nan() -> None:
    empty = np.zeros((0, 2))
    assert all(map(math.isnan, functional.auroc(empty, empty, ["a", "b"]).values()))
    assert all(map(math.isnan, of_scores("brier", empty, empty, ["a", "b"]).values()))


def test_unknown_labels_may_have_any_score() -> None:
    labels, scores = np.array([[1.0], [0], [NAN]]), np.array([[0.9], [0.1], [NAN]])
    assert functional.auroc(labels, scores, ["a"])[""] == 1


def test_a_multi_class_task_is_read_one_class_against_the_rest() -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(0)
    classes, scores = random.integers(0, 3, 60), random.dirichlet(np.ones(3), 60)
    found = functional.auroc(np.eye(3)[classes], scores, ["a", "b", "c"])[""]
    assert found == pytest.approx(roc_auc_score(classes, scores, multi_class="ovr"))


def test_brier_of_a_sure_mistake_is_one() -> None:
    assert of_scores("brier", np.array([[1.0], [1.0]]), np.array([[0.0], [1.0]]), ["a"])["a"] == 0.5


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([[1.0], [0]], [[NAN], [0.5]], "finite"),
        ([[2.0], [0]], [[0.1], [0.5]], "0, 1 or NaN"),
        ([[1.0, 0]], [[0.1, 0.2]], "1 classes"),
    ],
)
def test_what_cannot_be_scored_is_refused(labels: list, scores: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        functional.auroc(np.array(labels), np.array(scores), ["a"])


def rows(**changes: object) -> pd.DataFrame:
    table = pd.DataFrame({"id": ["2", "1", "1", "2"], "class": ["a", "a", "b", "b"]})
    return table.assign(label=[1.0, 0.0, None, 1.0], score=[0.9, 0.1, 0.4, 0.3], **changes)


def test_a_table_becomes_arrays_in_the_order_of_ids_and_classes() -> None:
    labels, scores = functional.to_arrays(rows(), ["b", "a"])
    np.testing.assert_array_equal(labels, [[NAN, 0], [1, 1]])
    np.testing.assert_array_equal(scores, [[0.4, 0.1], [0.3, 0.9]])


def test_two_heads_in_one_table_are_distinguished() -> None:
    with pytest.raises(ValueError, match="image '2' has several rows of class 'a'"):
        functional.to_arrays(pd.concat([rows(head="local"), rows(head="global")]), ["a", "b"])
