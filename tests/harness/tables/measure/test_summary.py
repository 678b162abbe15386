"""The table of variants against scikit-learn and a plain loop; the costs by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from harness.contract.types import Objective, Sample
from harness.statistics.bootstrap import Resamples
from harness.tables.compare.contrasts import comparison_table
from harness.tables.measure.costs import data_card, search_table
from harness.tables.measure.summary import replicates_table, variant_table
from harness.tables.terms import Tables
from tests.built_in_metrics import registry

CLASSES = ("benign", "malignant")
LEADERBOARD, RUNS = registry().leaderboard, registry().at("replicates")
ORDER = ("blind", "gmic", "gap")


@pytest.fixture(scope="module")
def table(tables: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    return variant_table(Tables(*tables), LEADERBOARD, baseline="gmic", order=ORDER, classes=CLASSES, resamples=500)


def own_auc(predictions: pd.DataFrame, variant: str, seed: int, name: str) -> float:
    rows = predictions.query(f"variant == '{variant}' and seed == {seed} and head == 'output'")
    rows = rows[(rows["class"] == name) & rows["label"].notna()]
    return roc_auc_score(rows["label"], rows["score"])


def test_rows_are_in_study_order(table: pd.DataFrame) -> None:
    assert table["variant"].tolist() == list(ORDER)
    assert (table["replicates"] == 2).all()


def test_the_values_are_means_over_seeds_of_scikit_learns(table: pd.DataFrame, tables) -> None:
    for row in table.to_dict("records"):
        by_seed = [[own_auc(tables[0], row["variant"], seed, name) for name in CLASSES] for seed in (0, 1)]
        assert row["auroc"] == pytest.approx(np.mean(by_seed))
        assert [row["auroc/benign"], row["auroc/malignant"]] == pytest.approx(np.mean(by_seed, 0))
        assert row["auroc_std"] == pytest.approx(np.std(np.mean(by_seed, 1), ddof=1))
        assert row["auroc_low"] < row["auroc"] < row["auroc_high"]


def test_differences_are_paired_with_the_baseline(table: pd.DataFrame) -> None:
    rows = table.set_index("variant")
    assert rows.loc["gap", "auroc_difference"] == pytest.approx(rows.loc["gap", "auroc"] - rows.loc["gmic", "auroc"])
    assert rows.loc["blind", "auroc_difference_high"] < 0
    assert np.isnan(rows.loc["gmic", "auroc_difference"])
    width = rows.loc["gap", "auroc_difference_high"] - rows.loc["gap", "auroc_difference_low"]
    assert width < rows.loc["gap", "auroc_high"] - rows.loc["gap", "auroc_low"]


def test_dice_is_that_of_the_maps_and_absent_without_saliency(table: pd.DataFrame, tables) -> None:
    maps = tables[1].query("variant == 'gap' and label == 1 and mask_known")
    dice = 2 * maps["dice_overlap"] / maps["dice_sum"]
    expected = dice.groupby([maps["seed"], maps["class"]]).mean()
    rows = table.set_index("variant")
    assert rows.loc["gap", "dice"] == pytest.approx(expected.mean())
    assert rows.loc["gap", "dice/malignant"] == pytest.approx(expected[:, "malignant"].mean())
    assert rows.loc["gap", "dice_difference_high"] < 0
    assert np.isnan(rows.loc["blind", "dice"])


def test_heads_are_below_their_model(tables) -> None:
    table = variant_table(
        Tables(*tables), LEADERBOARD, baseline="gmic", order=ORDER, classes=CLASSES, heads=True, resamples=20
    )
    assert table[["variant", "head"]].values.tolist()[:3] == [
        ["blind", "output"],
        ["blind", "global"],
        ["gmic", "output"],
    ]
    heads = table.set_index(["variant", "head"])
    assert heads.loc[("gmic", "global"), "auroc_difference"] < 0


def test_masks_that_are_no_outlines_give_no_dice(tables) -> None:
    table = variant_table(Tables(*tables), baseline="gmic", order=ORDER, classes=CLASSES, resamples=20)
    assert not [column for column in table if column.startswith("dice")]


def test_a_variant_that_lost_a_seed_is_paired_over_the_others(tables) -> None:
    predictions = tables[0].query("not (variant == 'gap' and seed == 1)")
    table = variant_table(Tables(predictions=predictions), baseline="gmic", order=ORDER, classes=CLASSES, resamples=20)
    row = table.set_index("variant").loc["gap"]
    gaps = [own_auc(predictions, "gap", 0, name) - own_auc(predictions, "gmic", 0, name) for name in CLASSES]
    assert row["replicates"] == 1 and np.isnan(row["auroc_std"])
    assert row["auroc_difference"] == pytest.approx(np.mean(gaps))


def test_other_test_images_cannot_be_paired(tables) -> None:
    predictions = tables[0].query("not (variant == 'gap' and id == 'i3')")
    with pytest.raises(ValueError, match="different images"):
        variant_table(Tables(predictions=predictions), baseline="gmic", order=ORDER, classes=CLASSES, resamples=20)


def test_folds_are_replicates_of_their_own(tables) -> None:
    predictions = tables[0].query("seed == 0")
    predictions = predictions.assign(fold=predictions["id"].str[1:].astype(int) % 2)
    table = variant_table(Tables(predictions=predictions), baseline="gmic", order=ORDER, classes=CLASSES, resamples=50)
    assert (table["replicates"] == 2).all() and table["auroc_low"].notna().all()


def test_the_table_of_replicates_averages_nothing(tables) -> None:
    table = replicates_table(Tables(*tables), RUNS, classes=CLASSES)
    assert len(table) == 3 * 2 * 2
    row = table.set_index(["variant", "head", "seed"]).loc[("gmic", "output", 1)]
    assert row["auroc/benign"] == pytest.approx(own_auc(tables[0], "gmic", 1, "benign"))
    assert row["pixel_ap"] > 0.5 and row["pointing"] > 0.9 and 0 < row["brier"] < 0.3
    assert table[table["head"] == "global"]["dice"].isna().all()


def test_ratings_have_areas_and_no_brier_score(tables) -> None:
    predictions = tables[0].assign(score=100 * tables[0]["score"])
    table = replicates_table(Tables(predictions=predictions), RUNS, classes=CLASSES)
    assert table["brier"].isna().all() and table["auroc"].notna().all()


def test_optimism_is_the_best_complete_search_value_minus_confirmation(trials: pd.DataFrame) -> None:
    table = search_table(trials, order=ORDER, objective=Objective()).set_index("variant")
    assert table.loc["gmic", ["trials", "complete", "pruned", "failed"]].tolist() == [3, 1, 1, 1]
    assert table.loc["gmic", ["epochs_search", "epochs_confirm"]].tolist() == [9, 8]
    assert table.loc["gmic", "searched"] == pytest.approx(0.9)  # the pruned .99 cannot win
    assert table["optimism"].tolist() == pytest.approx([0.05] * 3)


def test_optimism_of_a_loss_is_positive_too(trials: pd.DataFrame) -> None:
    losses = trials.assign(value=-trials["value"])
    table = search_table(losses, order=ORDER, objective=Objective(metric="val/brier", mode="min"))
    assert table["optimism"].tolist() == pytest.approx([0.05] * 3)


def test_a_trial_that_has_not_ended_costs_nothing_yet(trials: pd.DataFrame) -> None:
    running = pd.DataFrame([{**trials.iloc[0], "number": 3, "state": "running", "value": None, "epochs": None}])
    only = search_table(running, order=["gmic"], objective=Objective()).iloc[0]
    assert only["trials"] == 1 and only["epochs_search"] == 0 and np.isnan(only["searched"])


def test_a_variant_without_trials_has_no_best(trials: pd.DataFrame) -> None:
    row = search_table(trials, order=["new"], objective=Objective()).iloc[0]
    assert row["trials"] == 0 and np.isnan(row["optimism"])


def test_the_data_card_counts_images_patients_and_labels() -> None:
    nan = float("nan")
    rows = [("1", "p", (1.0, nan)), ("2", "p", (1.0, 0.0)), ("3", "q", (0.0, 1.0))]
    samples = [Sample(id=key, group=group, unit=key, labels=labels) for key, group, labels in rows]
    card = data_card({"train": samples, "val": []}, CLASSES).set_index("split")
    assert card.loc["train"].to_dict() == {
        "images": 3,
        "units": 3,
        "patients": 2,
        "benign": 2,
        "malignant": 1,
        "malignant unknown": 1,
    }
    assert card.loc["val", "images"] == 0


def test_tables_over_the_same_models_resample_each_metric_once(tables, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = Resamples.apply
    monkeypatch.setattr(Resamples, "apply", lambda *given: calls.append(given) or original(*given))
    options = {"baseline": "gmic", "order": ORDER, "classes": CLASSES, "resamples": 50}
    both, alone = Tables(*tables), []
    for make in (variant_table, comparison_table):
        alone.append(make(Tables(*tables), LEADERBOARD, **options))
    separate = len(calls)
    for make, expected in zip((variant_table, comparison_table), alone, strict=True):
        pd.testing.assert_frame_equal(make(both, LEADERBOARD, **options), expected)
    assert len(calls) - separate < separate
    pd.testing.assert_frame_equal(
        variant_table(both, LEADERBOARD, unit=True, **options),
        variant_table(Tables(*tables), LEADERBOARD, unit=True, **options),
    )
