"""Averages: weights stay on the simplex, are never chosen on the rows they are scored on, and equal references."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from sklearn.metrics import roc_auc_score

from harness.contract.tables import OWN_HEAD
from harness.statistics.ensemble import POINTS, aligned, best_weights, by_unit, fit_pool, folds_of, pool, simplex_grid

PATIENTS = 60


def table(scores: Any, labels: Any, *, split: str = "test", label: str = "malignant") -> pd.DataFrame:
    """Two images a patient."""
    count = len(scores)
    return pd.DataFrame(
        {
            "split": split,
            "id": [f"{split}{number}" for number in range(count)],
            "unit": [f"{split}{number}" for number in range(count)],
            "group": [f"{split}{number // 2}" for number in range(count)],
            "class": label,
            "label": np.asarray(labels, float),
            "head": OWN_HEAD,
            "score": np.asarray(scores, float),
        }
    )


@pytest.fixture
def members() -> list[pd.DataFrame]:
    """One that knows something, one that guesses, one that knows something else."""
    rng = np.random.default_rng(0)
    labels = rng.random(2 * PATIENTS) < 0.4
    noise = rng.normal(size=(3, labels.size))
    signals = np.array([1.2, 0.0, 0.8])[:, None] * labels + noise
    return [table(1 / (1 + np.exp(-signal)), labels) for signal in signals]


def test_the_mean_is_the_mean_whatever_the_order_of_rows(members: list[pd.DataFrame]) -> None:
    shuffled = [member.sample(frac=1, random_state=place) for place, member in enumerate(members)]
    made = pool(shuffled, [1 / 3] * 3).predictions.set_index("id")["score"]
    wanted = np.mean([member["score"] for member in members], axis=0)
    np.testing.assert_allclose(made.loc[members[0]["id"]].to_numpy(), wanted)


def test_lambda_1_is_the_reader_and_lambda_0_the_model(members: list[pd.DataFrame]) -> None:
    reader, model = members[:2]
    for weights, one in (([1.0, 0.0], reader), ([0.0, 1.0], model)):
        made = pool([reader, model], weights).predictions.set_index("id")["score"]
        np.testing.assert_allclose(made.loc[one["id"]], one["score"])


def test_an_average_of_ones_is_still_a_probability() -> None:
    sure = table([1.0, 1.0], [0, 1])
    assert (pool([sure] * 2, [0.5, 0.5000000005]).predictions["score"] == 1).all()  # as weights may be written


@pytest.mark.parametrize("weights", [[0.5, 0.6], [1.5, -0.5], [1.0]])
def test_weights_off_the_simplex_are_refused(members: list[pd.DataFrame], weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        pool(members[:2], weights)


@pytest.mark.parametrize("count", [2, 3, 4, 7, 14])
def test_the_grid_lies_on_the_simplex_has_its_corners_and_is_not_too_large(count: int) -> None:
    grid = simplex_grid(count)
    np.testing.assert_allclose(grid.sum(1), 1)
    assert (grid >= 0).all() and len(grid) <= POINTS and len(np.unique(grid, axis=0)) == len(grid)
    assert all((grid == corner).all(1).any() for corner in np.eye(count))


def test_two_members_are_mixed_in_hundredths() -> None:
    np.testing.assert_allclose(np.sort(simplex_grid(2)[:, 0]), np.arange(101) / 100)


def test_the_best_auc_of_two_equals_a_search_by_hand(members: list[pd.DataFrame]) -> None:
    rows, scores = aligned([members[0], members[2]])
    found = best_weights(rows, scores)
    by_hand = [roc_auc_score(rows["label"], scores @ [w, 1 - w]) for w in np.arange(101) / 100]
    assert roc_auc_score(rows["label"], scores @ found) == pytest.approx(max(by_hand), abs=1e-12)


def test_the_best_likelihood_of_two_is_where_scipy_finds_it(members: list[pd.DataFrame]) -> None:
    rows, scores = aligned([members[0], members[2]])
    labels = rows["label"].to_numpy()

    def loss(weight: float) -> float:
        p = scores @ [weight, 1 - weight]
        return -float(np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p)))

    wanted = minimize_scalar(loss, bounds=(0, 1), method="bounded").x
    assert best_weights(rows, scores, "log_loss")[0] == pytest.approx(wanted, abs=0.011)


def test_a_perfect_member_among_guessers_gets_enough_weight_to_be_perfect(members: list[pd.DataFrame]) -> None:
    perfect = members[0].assign(score=members[0]["label"])
    made = fit_pool([perfect, members[1]]).predictions
    assert roc_auc_score(made["label"], made["score"]) == 1


def test_equally_good_weights_stay_nearest_to_equal() -> None:
    same = table([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])
    rows, scores = aligned([same, same])
    np.testing.assert_allclose(best_weights(rows, scores), [0.5, 0.5])


def test_where_there_is_a_validation_split_weights_come_from_it_alone(members: list[pd.DataFrame]) -> None:
    """On val the first is perfect, on test the second: the first is chosen all the same."""
    labels = np.array([0, 1] * 20, float)
    guess = np.random.default_rng(1).random(40)
    first = pd.concat([table(labels, labels, split="val"), table(guess, labels)])
    second = pd.concat([table(guess, labels, split="val"), table(labels, labels)])
    made = fit_pool([first, second])
    assert made.fitted_on == "val" and len(made.weights) == 1
    tested = made.predictions[made.predictions["split"] == "test"]
    changed = fit_pool([first, second.assign(score=second["score"].where(second["split"] == "val", 0.5))])
    np.testing.assert_array_equal(made.weights, changed.weights)
    assert len(tested) == 40


def test_a_fold_is_averaged_with_weights_that_never_saw_it(members: list[pd.DataFrame]) -> None:
    """Turning all labels of one fold round changes no weight that this fold is averaged with."""
    pair, folds = members[:2], 5
    rows, _ = aligned(pair)
    fold = folds_of(rows, folds)
    made = fit_pool(pair, folds=folds)
    assert made.fitted_on == "test, cross-fitted" and len(made.weights) == folds
    for k in range(folds):
        ids = set(rows["id"][fold == k])
        turned = [one.assign(label=one["label"].where(~one["id"].isin(ids), 1 - one["label"])) for one in pair]
        refitted = [best_weights(t, s) for t, s in [aligned(turned)] for t, s in [(t[fold != k], s[fold != k])]]
        np.testing.assert_array_equal(refitted[0], made.weights[k])


def test_patients_are_never_split_over_folds_and_positives_are_spread(members: list[pd.DataFrame]) -> None:
    rows = members[0]
    fold = folds_of(rows, 5)
    assert rows.assign(fold=fold).groupby("group")["fold"].nunique().eq(1).all()
    positives = [int((rows["label"][fold == k] == 1).sum()) for k in range(5)]
    assert min(positives) > 0
    assert (folds_of(rows.sample(frac=1, random_state=0), 5) != fold).any()  # rows are shuffled, patients are not
    again = dict(zip(rows["group"], fold, strict=True))
    shuffled = rows.sample(frac=1, random_state=0)
    assert dict(zip(shuffled["group"], folds_of(shuffled, 5), strict=True)) == again


def test_an_oracle_is_at_least_as_good_as_its_members_and_says_what_it_saw(members: list[pd.DataFrame]) -> None:
    made = fit_pool(members, oracle=True)
    assert made.fitted_on == "test"
    auc = roc_auc_score(made.predictions["label"], made.predictions["score"])
    assert auc >= max(roc_auc_score(one["label"], one["score"]) for one in members) - 1e-12


def test_fewer_patients_than_folds_is_an_error(members: list[pd.DataFrame]) -> None:
    with pytest.raises(ValueError, match="5 folds, but there are 3 groups"):
        fit_pool([one.iloc[:6] for one in members[:2]])


def test_members_of_other_rows_or_scales_cannot_be_averaged(members: list[pd.DataFrame]) -> None:
    with pytest.raises(ValueError, match="different rows"):
        pool([members[0], members[1].iloc[1:]], [0.5, 0.5])
    with pytest.raises(ValueError, match=r"scores in \[0, 1\]"):
        pool([members[0], members[1].assign(score=members[1]["score"] * 9)], [0.5, 0.5])


def test_labels_of_one_kind_fit_nothing_and_that_is_said() -> None:
    scores, val = [0.1, 0.2, 0.8, 0.9], {"split": "val"}
    first = pd.concat([table(scores, [1, 1, 1, 1], **val), table(scores, [0, 1, 0, 1])])
    second = first.assign(score=0.5)
    with pytest.raises(ValueError, match="cannot be fitted on val: no class has both labels there"):
        fit_pool([first, second])
    only_test = [one[one["split"] == "test"].assign(label=[0.0, 0.0, 0.0, 1.0]) for one in (first, second)]
    with pytest.raises(ValueError, match="cannot be fitted on the other folds than 1 of test"):
        fit_pool(only_test, folds=2)
    assert pool(only_test, [0.5, 0.5]).weights.tolist() == [[0.5, 0.5]]


def test_validation_rows_that_differ_are_reported_and_not_passed_over(members: list[pd.DataFrame]) -> None:
    val = [table([0.1, 0.2, 0.8, 0.9], [0, 1, 0, 1], split="val") for _ in range(2)]
    pair = [pd.concat([own, tested]) for own, tested in zip((val[0], val[1].iloc[1:]), members, strict=False)]
    with pytest.raises(ValueError, match=r"different rows there: 1 ids \(val0\)"):
        fit_pool(pair)
    assert fit_pool([pair[0], members[1]]).fitted_on == "test, cross-fitted"


def test_a_breast_is_the_mean_of_its_views() -> None:
    views = table([0.2, 0.4, 0.9, 0.1], [0, 0, 0, 1]).assign(unit=["92/L", "92/L", "92/R", "92/R"], group="92")
    breasts = by_unit(views).set_index("id")
    assert breasts["score"].to_dict() == {"92/L": pytest.approx(0.3), "92/R": pytest.approx(0.5)}
    assert breasts["label"].to_dict() == {"92/L": 0, "92/R": 1}
    assert set(breasts["group"]) == {"92"}


def test_a_breast_with_an_unlabelled_view_is_known_only_where_another_is_positive() -> None:
    views = table([0.5] * 4, [math.nan, 1, math.nan, 0]).assign(unit=["a", "a", "b", "b"])
    labels = by_unit(views).set_index("id")["label"]
    assert labels["a"] == 1 and math.isnan(labels["b"])


def test_models_and_classes_are_not_mixed_into_one_breast() -> None:
    views = pd.concat([table([0.2, 0.4], [0, 0]).assign(unit="a", seed=seed, fold=None) for seed in (0, 1)])
    assert len(by_unit(views)) == 2
    assert all(a == b for a, b in pairwise(by_unit(views)["score"]))
