"""Intervals of further figures: scikit-learn with weights as the reference, the tables' own values, what has none."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from harness.contract.tables import CANDIDATES, LAYERS, LESIONS
from harness.metrics.functional import Decisions
from harness.statistics.bootstrap import Resamples, average_precision, decisions, means
from harness.tables.measure.classification_table import OF_SCORES, classification_table
from harness.tables.measure.intervals import classification_intervals, localisation_intervals
from harness.tables.measure.localisation_table import OF_MAPS, localisation_table
from harness.tables.measure.summary import over_replicates
from tests.built_in_metrics import registry

RANDOM = np.random.default_rng(0)
GROUPS = np.repeat(np.arange(25), 4)
LABELS = (RANDOM.random(100) < 0.4).astype(float)
SCORES = (0.3 * LABELS + 0.7 * RANDOM.random(100)).round(1)  # ties
CLASSES = ("benign", "malignant")
SCORED, LOCATED = registry().at("tables", OF_SCORES), registry().at("tables", OF_MAPS)


@pytest.fixture(scope="module")
def drawn() -> Resamples:
    return Resamples.draw(GROUPS, 40, seed=1)


def weights_of(drawn: Resamples) -> np.ndarray:
    """How often each row counts in each resample, "r n"."""
    return drawn.counts[:, [drawn.groups.index(group) for group in GROUPS]]


def test_average_precision_is_scikit_learns_in_every_resample(drawn: Resamples) -> None:
    values = drawn.apply(GROUPS, average_precision(LABELS, SCORES))
    for value, weights in zip(values, weights_of(drawn), strict=True):
        assert value == pytest.approx(reference.average_precision_score(LABELS, SCORES, sample_weight=weights))


def test_decisions_are_scikit_learns_in_every_resample(drawn: Resamples) -> None:
    called = SCORES >= 0.5
    of = {
        "accuracy": reference.accuracy_score,
        "balanced_accuracy": reference.balanced_accuracy_score,
        "precision": reference.precision_score,
        "recall": reference.recall_score,
        "f1": reference.f1_score,
    }
    values = drawn.apply(GROUPS, decisions(LABELS, called))
    for row, weights in zip(values, weights_of(drawn), strict=True):
        found = Decisions(*row)._asdict()
        for name, function in of.items():
            assert found[name] == pytest.approx(function(LABELS, called, sample_weight=weights)), name
        specificity = reference.recall_score(LABELS, called, pos_label=0, sample_weight=weights)
        assert found["specificity"] == pytest.approx(specificity)


def test_a_resample_without_what_a_value_needs_has_none() -> None:
    nobody_sick, nobody_called = np.array([[1.0, 1, 0]]), np.array([[0.0, 1, 1]])
    labels, called = np.array([0.0, 0, 1]), np.array([True, False, False])
    found = Decisions(*decisions(labels, called)(nobody_sick)[0])._asdict()
    assert math.isnan(found["recall"]) and math.isnan(found["f1"]) and found["specificity"] == 0.5
    found = Decisions(*decisions(labels, called)(nobody_called)[0])._asdict()
    assert math.isnan(found["precision"]) and found["f1"] == 0
    assert math.isnan(average_precision(labels, labels)(nobody_sick)[0])


def test_means_leave_unknown_cells_out() -> None:
    values = np.array([[1.0, math.nan], [0.0, 0.5], [1.0, math.nan]])
    np.testing.assert_allclose(means(values)(np.array([[1.0, 1, 1], [1, 0, 1]])), [[2 / 3, 0.5], [1, math.nan]])


def test_each_interval_is_of_the_value_in_the_table_of_scores(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    predictions = tables[0]
    bounds = classification_intervals(predictions, CLASSES, SCORED, resamples=200)
    whole = over_replicates(classification_table(predictions, CLASSES, SCORED))
    own = whole[whole["head"] == "output"].merge(bounds, on=["variant", "head", "class", "metric"], how="left")
    known = own["value_y"].notna()
    assert set(own.loc[~known & own["value_x"].notna(), "metric"]) == {"ece"}
    assert own.loc[known, "value_y"].to_numpy() == pytest.approx(own.loc[known, "value_x"].to_numpy())
    assert (own.loc[known, "low"] <= own.loc[known, "value_y"] + 1e-9).mean() > 0.95
    assert {"auprc", "brier", "f1"} <= set(own.loc[own["low"].notna(), "metric"])


def test_exclusive_classes_have_top_1_and_its_decisions() -> None:
    truth = RANDOM.integers(0, 3, 60)
    scores = np.eye(3)[truth] + 2 * RANDOM.random((60, 3))
    scores /= scores.sum(1, keepdims=True)
    rows = [
        {"variant": "v", "head": "output", "seed": 0, "fold": None, "split": "test", "id": f"{n:02}"}
        | {"group": f"p{n // 2}", "class": name, "label": float(truth[n] == k), "score": scores[n, k]}
        for n in range(60)
        for k, name in enumerate("abc")
    ]
    bounds = classification_intervals(
        pd.DataFrame(rows), "abc", registry("abc", "multiclass").at("tables", OF_SCORES), resamples=200
    )
    whole = bounds[bounds["class"] == ""].set_index("metric")
    said = scores.argmax(1)
    assert whole.loc["top1", "value"] == pytest.approx((said == truth).mean())
    assert whole.loc["f1_top1", "value"] == pytest.approx(reference.f1_score(truth, said, average="macro"))
    assert whole.loc["top1", "low"] < whole.loc["top1", "value"] < whole.loc["top1", "high"]


def test_each_interval_is_of_the_value_in_the_table_of_maps(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    maps = tables[1]
    lesions, candidates, layers = (pd.DataFrame(columns=list(columns)) for columns in (LESIONS, CANDIDATES, LAYERS))
    bounds = localisation_intervals(maps, layers, CLASSES, LOCATED, resamples=200)
    whole = over_replicates(localisation_table(maps, lesions, candidates, layers, CLASSES, LOCATED))
    own = whole[whole["stratum"] == "all"].merge(bounds, on=["variant", "map", "class", "metric"])
    assert {"dice", "pointing", "dice_fitted"} <= set(own["metric"])
    np.testing.assert_allclose(own["value_x"].to_numpy(float), own["value_y"].to_numpy(float))


def test_thresholds_come_from_val_and_stay_as_they_are() -> None:
    """At the threshold that val gives, called or not is a fact of each image, and its share has a known interval."""
    truth = np.tile([0.0, 1.0], 100)
    rows = [
        {"variant": "v", "head": "output", "seed": 0, "fold": None, "split": split, "id": f"{split}{n:03}"}
        | {
            "group": f"{split}{n}",
            "class": "c",
            "label": label,
            "score": 0.3 + 0.4 * label * (n % 4 == 1 or split == "val"),
        }
        for split in ("val", "test")
        for n, label in enumerate(truth)
    ]
    found = classification_intervals(pd.DataFrame(rows), ["c"], SCORED).set_index(["class", "metric"])
    row = found.loc["c", "sensitivity_at_specificity_90"]
    assert row["value"] == 0.5  # of 100 sick patients
    assert (row["low"], row["high"]) == pytest.approx((0.4, 0.6), abs=0.02)  # .5 ± 1.96 sqrt(.25 / 100)


def test_one_patient_has_no_interval() -> None:
    rows = pd.DataFrame(
        {"variant": "v", "head": "output", "seed": 0, "fold": None, "split": "test", "id": ["a", "b"], "group": "p"}
        | {"class": "c", "label": [0.0, 1.0], "score": [0.2, 0.7]}
    )
    assert classification_intervals(rows, ["c"], SCORED)[["low", "high"]].isna().all(axis=None)


def test_a_patients_second_image_that_is_like_the_first_tells_nothing_new(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    """As many patients, twice as many images: an interval that resampled images would be shorter by a factor of 1.4."""
    maps = tables[1].assign(group=tables[1]["id"])
    twice = pd.concat([maps, maps.assign(id=maps["id"] + " again")], ignore_index=True)
    layers = pd.DataFrame(columns=list(LAYERS))
    keys = ["variant", "map", "class", "metric"]
    once, again = (
        localisation_intervals(rows, layers, CLASSES, LOCATED, resamples=400).set_index(keys) for rows in (maps, twice)
    )
    pd.testing.assert_frame_equal(once[["value", "low", "high"]], again[["value", "low", "high"]], check_like=True)
