"""Decisions and calibration: hand-worked cases, scikit-learn and torchmetrics as references, and what is undefined."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import metrics as reference

from harness.metrics.scores import calibration, classification
from harness.metrics.scores.classification import decide
from harness.tables.measure.classification_table import COLUMNS, OF_SCORES, classification_table
from harness.tables.measure.reliability_table import reliability_table
from tests.built_in_metrics import of_scores, registry

RANDOM = np.random.default_rng(0)
LABELS = (RANDOM.random(200) < 0.3).astype(float)
SCORES = np.clip(0.3 * LABELS + 0.7 * RANDOM.random(200), 0, 1)


def test_decisions_are_scikit_learns() -> None:
    called = SCORES >= 0.5
    found = decide(LABELS, called)._asdict()
    assert found["accuracy"] == reference.accuracy_score(LABELS, called)
    assert found["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(LABELS, called))
    assert found["precision"] == pytest.approx(reference.precision_score(LABELS, called))
    assert found["recall"] == pytest.approx(reference.recall_score(LABELS, called))
    assert found["specificity"] == pytest.approx(reference.recall_score(1 - LABELS, ~called))
    assert found["f1"] == pytest.approx(reference.f1_score(LABELS, called))


def test_decisions_by_hand() -> None:
    labels, scores = np.array([1.0, 1, 1, 0, 0]), np.array([0.9, 0.5, 0.1, 0.6, 0.2])  # a score of .5 is called
    found = decide(labels, scores >= 0.5)._asdict()
    assert found == pytest.approx(
        {"accuracy": 0.6, "balanced_accuracy": (2 / 3 + 1 / 2) / 2, "precision": 2 / 3, "recall": 2 / 3}
        | {"specificity": 0.5, "f1": 2 / 3}
    )


def test_what_has_no_denominator_is_nan_and_not_zero() -> None:
    none_called = decide(np.array([1.0, 0]), np.zeros(2))
    assert math.isnan(none_called.precision) and none_called.f1 == 0
    no_positive = decide(np.zeros(2), np.array([0, 1]))
    assert math.isnan(no_positive.recall) and math.isnan(no_positive.f1) and no_positive.specificity == 0.5


def test_thresholds_by_hand() -> None:
    labels = np.array([0.0] * 10 + [1] * 4)
    scores = np.array([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.8, 0.22, 0.5, 0.7, 0.9])
    assert classification.threshold_at_specificity(labels, scores, 0.9) == 0.5  # one of ten, .8, stays called
    assert classification.threshold_at_specificity(labels, scores, 1.0) == 0.9
    assert classification.threshold_at_sensitivity(labels, scores, 0.75) == 0.5
    assert classification.threshold_at_sensitivity(labels, scores, 1.0) == 0.22
    assert classification.youden_threshold(labels, scores) == 0.5
    assert math.isnan(classification.youden_threshold(np.ones(3), np.ones(3)))
    with pytest.raises(ValueError, match="level"):
        classification.threshold_at_specificity(labels, scores, 90.0)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95, 1.0])
def test_a_fitted_threshold_keeps_its_promise_and_the_next_one_would_not(level: float) -> None:
    threshold = classification.threshold_at_specificity(LABELS, SCORES, level)
    assert decide(LABELS, SCORES >= threshold).specificity >= level
    lower = SCORES[SCORES < threshold].max()
    assert decide(LABELS, SCORES >= lower).specificity < level


def test_torchmetrics_finds_the_same() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchmetrics import functional as other
    scores, labels = torch.from_numpy(SCORES), torch.from_numpy(LABELS).int()
    both = np.stack([LABELS, 1 - LABELS], 1), np.stack([SCORES, 1 - SCORES], 1)
    names = ["a", "b"]
    assert of_scores("f1", *both, names)["a"] == pytest.approx(float(other.f1_score(scores, labels, "binary")))
    expected = float(other.calibration_error(scores, labels, "binary", n_bins=15, norm="l1"))
    assert of_scores("ece", *both, names)["a"] == pytest.approx(expected, abs=1e-6)
    found = other.specificity_at_sensitivity(scores, labels, "binary", min_sensitivity=0.9)
    threshold = classification.threshold_at_sensitivity(LABELS, SCORES, 0.9)
    assert decide(LABELS, SCORES >= threshold).specificity == pytest.approx(float(found[0]))


def test_multi_class_values_are_torchmetrics_too() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchmetrics import functional as other
    scores, true = RANDOM.dirichlet(np.ones(4), 300), RANDOM.integers(0, 4, 300)
    arrays, names = (np.eye(4)[true], scores), list("abcd")
    tensors = torch.from_numpy(scores), torch.from_numpy(true)
    micro = other.accuracy(*tensors, "multiclass", num_classes=4, average="micro")
    own = other.accuracy(*tensors, "multiclass", num_classes=4, average="none")
    found = of_scores("top1", *arrays, names, "multiclass")
    assert [found[name] for name in names] == pytest.approx(own.tolist()) and found[""] == pytest.approx(float(micro))
    error = other.calibration_error(*tensors, "multiclass", num_classes=4, n_bins=15, norm="l1")
    assert of_scores("ece_top1", *arrays, names, "multiclass")[""] == pytest.approx(float(error), abs=1e-6)


def test_decisions_for_the_highest_score_are_scikit_learns() -> None:
    scores, true = RANDOM.dirichlet(np.ones(4), 200), RANDOM.integers(0, 4, 200)
    arrays = np.eye(4)[true], scores, list("abcd"), "multiclass"
    expected = reference.precision_recall_fscore_support(true, scores.argmax(1), labels=range(4))[:3]
    macro = reference.precision_recall_fscore_support(true, scores.argmax(1), average="macro")[:3]
    for figure, values, mean in zip(("precision", "recall", "f1"), expected, macro, strict=True):
        own = of_scores(f"{figure}_top1", *arrays)
        assert [own[name] for name in "abcd"] == pytest.approx(values.tolist())
        assert own[""] == pytest.approx(mean)


def test_a_class_that_is_never_called_has_no_precision() -> None:
    arrays = np.eye(3), np.array([[1.0, 0, 0], [1, 0, 0], [0, 0, 1]]), list("abc"), "multiclass"
    precision = of_scores("precision_top1", *arrays)
    assert math.isnan(precision["b"]) and of_scores("f1_top1", *arrays)["b"] == 0
    assert precision[""] == pytest.approx(0.75)


def test_top1_needs_exactly_one_class() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        of_scores("top1", np.array([[1.0, 1]]), np.array([[0.5, 0.5]]), ["a", "b"], "multiclass")


def test_a_calibration_curve_by_hand() -> None:
    labels, scores = np.array([0.0, 1, 1, 0]), np.array([0.1, 0.2, 0.9, 1.0])
    curve = calibration.reliability(labels, scores, bins=2)
    np.testing.assert_array_equal(curve["count"], [2, 2])
    np.testing.assert_allclose(curve["score"], [0.15, 0.95])
    np.testing.assert_allclose(curve["share"], [0.5, 0.5])
    assert calibration.calibration_error(labels, scores, bins=2) == pytest.approx((0.35 + 0.45) / 2)
    assert calibration.calibration_error(np.array([1.0, 0]), np.array([1.0, 0])) == 0
    assert calibration.calibration_error(np.array([1.0, 0]), np.array([0.0, 1])) == 1


@pytest.mark.parametrize("key", ["ece", "brier", "accuracy", "f1"])
def test_scores_that_are_no_probabilities_have_no_metric_of_probabilities(key: str) -> None:
    """Not of the class that stays in [0, 1] either: a system gives probabilities or it does not."""
    labels, scores = np.array([[1.0, 1], [0, 0], [math.nan, 0]]), np.array([[0.3, 0.9], [1, 0.2], [7, 0.1]])
    assert not math.isnan(of_scores(key, labels, scores, ["a", "b"])["a"])  # the 7 has no label and does not count
    scores[0, 0] = 3
    found = of_scores(key, labels, scores, ["a", "b"])
    assert list(found) == ["", "a", "b"] and all(map(math.isnan, found.values()))


def test_the_highest_score_is_no_confidence_where_scores_are_no_probabilities() -> None:
    labels = np.array([[1.0, 0], [0, 1]])
    assert math.isnan(of_scores("ece_top1", labels, np.array([[3.0, 0.2], [0.1, 0.9]]), ["a", "b"], "multiclass")[""])
    assert of_scores("ece_top1", labels, labels, ["a", "b"], "multiclass")[""] == 0


def test_a_curve_of_no_probabilities_is_refused() -> None:
    with pytest.raises(ValueError, match="probability"):
        calibration.calibration_error(np.array([1.0, 0]), np.array([3.0, 1]))


METRICS = registry().at("tables", OF_SCORES)


def table(scores: dict[str, list[float]], labels: list[float], variant: str = "v") -> pd.DataFrame:
    rows = [
        {"variant": variant, "head": "output", "seed": 0, "fold": None, "split": split, "id": f"{split}{n}", "group": n}
        | {"class": "a", "label": label, "score": score}
        for split, values in scores.items()
        for n, (label, score) in enumerate(zip(labels, values, strict=True))
    ]
    return pd.DataFrame(rows)


def one(found: pd.DataFrame, metric: str, name: str = "a") -> pd.Series:
    rows = found[(found["metric"] == metric) & (found["class"] == name)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_thresholds_come_from_val_and_values_from_test() -> None:
    predictions = table({"val": [0.2, 0.3, 0.8, 0.9], "test": [0.1, 0.85, 0.7, 0.95]}, [0, 0, 1, 1])
    found = classification_table(predictions, ["a"], METRICS)
    assert tuple(found.columns) == COLUMNS
    row = one(found, "sensitivity_at_specificity_90")
    assert (row["threshold"], row["threshold_from"], row["value"]) == (0.8, "val", 0.5)
    assert one(found, "specificity_at_sensitivity_90")["value"] == 0.5
    test = np.array([0.1, 0.85, 0.7, 0.95])  # what test reaches at .8, by scikit-learn: it is not .9
    for name, label in (("specificity", 0), ("sensitivity", 1)):
        reached = one(found, f"{name}_at_{name}_90")
        assert reached["threshold"] == 0.8 and reached["threshold_from"] == "val"
        assert reached["value"] == reference.recall_score([0, 0, 1, 1], test >= 0.8, pos_label=label) == 0.5
    assert one(found, "accuracy_at_youden")["value"] == 0.5
    assert one(found, "accuracy")["threshold_from"] == "fixed" and one(found, "auroc")["threshold_from"] == ""
    shuffled = classification_table(predictions.sample(frac=1, random_state=0), ["a"], METRICS)
    pd.testing.assert_frame_equal(found.drop(columns="fold"), shuffled.drop(columns="fold"))


def test_without_validation_rows_fitted_values_are_nan_and_the_others_remain() -> None:
    found = classification_table(table({"test": [0.1, 0.4, 0.7, 0.95]}, [0, 0, 1, 1]), ["a"], METRICS)
    assert math.isnan(one(found, "accuracy_at_youden")["value"]) and one(found, "accuracy")["value"] == 1


def test_a_readers_ratings_have_ranks_and_no_calibration() -> None:
    predictions = table({"test": [1.0, 2, 4, 5]}, [0, 0, 1, 1])
    found = classification_table(predictions, ["a"], METRICS)
    assert one(found, "auroc")["value"] == 1
    assert found[found["metric"].isin(["brier", "ece", "accuracy", "f1"])]["value"].isna().all()
    assert reliability_table(predictions, ["a"]).empty


def test_a_class_that_is_absent_or_constant_has_a_stated_answer() -> None:
    predictions = pd.concat([table({"val": [0.5] * 4, "test": [0.5] * 4}, [0, 0, 0, 0])])
    found = classification_table(predictions, ["a"], METRICS)
    assert math.isnan(one(found, "auroc")["value"]) and math.isnan(one(found, "recall")["value"])
    assert one(found, "accuracy")["value"] == 0  # a score of .5 is called positive
    with pytest.raises(ValueError, match="finite"):
        classification_table(table({"test": [math.nan, 0.1]}, [0, 1]), ["a"], METRICS)
    twice = pd.concat([predictions, predictions])
    with pytest.raises(ValueError, match="several rows"):
        classification_table(twice, ["a"], METRICS)


def test_the_tables_of_a_study_are_in_long_form(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    found = classification_table(tables[0], ("benign", "malignant"), METRICS)
    keys = ["variant", "head", "seed", "fold", "class", "metric"]
    assert not found.duplicated(keys).any() and set(found["class"]) == {"", "benign", "malignant"}
    curves = reliability_table(tables[0], ("benign", "malignant"))
    labelled = tables[0][tables[0]["label"].notna()]
    assert curves["count"].sum() == len(labelled)
