"""The table of comparisons against DeLong's test run by hand, the table of variants and statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from harness.statistics.delong import delong
from harness.tables.compare.contrasts import NO_VARIANCE, comparison_table, tied_with_best
from harness.tables.measure.summary import variant_table
from harness.tables.terms import Tables
from tests.built_in_metrics import registry

CLASSES = ("benign", "malignant")
LEADERBOARD = registry().leaderboard
ORDER = ("blind", "gmic", "gap")
OPTIONS = {"baseline": "gmic", "order": ORDER, "classes": CLASSES, "resamples": 400}


@pytest.fixture(scope="module")
def table(tables: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    return comparison_table(Tables(*tables), LEADERBOARD, **OPTIONS).set_index("variant")


def own_rows(predictions: pd.DataFrame, variant: str, seed: int, name: str) -> pd.DataFrame:
    rows = predictions[(predictions["variant"] == variant) & (predictions["seed"] == seed)]
    return rows[(rows["head"] == "output") & (rows["class"] == name)].set_index("id").sort_index()


def by_hand(predictions: pd.DataFrame, first: str, second: str, classes=CLASSES, seeds=(0, 1)):
    """The mean over seeds and classes of the difference, from a covariance of its own."""
    labels, scores, weights = [], [], []
    for sign, variant in ((1, first), (-1, second)):
        for seed in seeds:
            for name in classes:
                rows = own_rows(predictions, variant, seed, name)
                labels.append(rows["label"].to_numpy())
                scores.append(rows["score"].to_numpy())
                weights.append(sign / len(seeds) / len(classes))
    return delong(np.stack(labels), np.stack(scores), rows["group"].to_numpy()).contrast(np.array(weights))


def test_values_and_intervals_are_those_of_the_table_of_variants(table: pd.DataFrame, tables) -> None:
    other = variant_table(Tables(*tables), LEADERBOARD, **OPTIONS).set_index("variant")
    shared = ["replicates", "auroc", "dice"]
    shared += [f"{name}_difference{end}" for name in ("auroc", "dice") for end in ("", "_low", "_high")]
    pd.testing.assert_frame_equal(table[shared], other[shared])


def test_p_is_delongs_of_the_mean_over_seeds_and_classes(table: pd.DataFrame, tables) -> None:
    for variant in ("blind", "gap"):
        found = by_hand(tables[0], variant, "gmic")
        row = table.loc[variant]
        assert row["auroc_difference"] == pytest.approx(found.value, abs=1e-12)
        assert (row["auroc_error"], row["auroc_p"]) == pytest.approx((found.error, found.p))
        one = by_hand(tables[0], variant, "gmic", ("malignant",))
        assert row["auroc_difference/malignant"] == pytest.approx(one.value, abs=1e-12)
        assert row["auroc_p/malignant"] == pytest.approx(one.p)


def test_delong_and_the_bootstrap_agree(table: pd.DataFrame) -> None:
    for variant in ("blind", "gap"):
        row = table.loc[variant]
        width = row["auroc_difference_high"] - row["auroc_difference_low"]
        assert width == pytest.approx(2 * 1.96 * row["auroc_error"], rel=0.15)
        assert row["auroc_p_bootstrap"] == pytest.approx(row["auroc_p"], abs=0.05)


@pytest.mark.parametrize(
    ("plain", "adjusted"),
    [("auroc_p", "auroc_p_holm"), ("auroc_p/benign", "auroc_p_holm/benign"), ("dice_p", "dice_p_holm")],
)
def test_p_values_are_adjusted_over_the_variants_as_statsmodels_does(table: pd.DataFrame, plain, adjusted) -> None:
    known = table[table[plain].notna()]
    assert np.isnan(table.loc["gmic", plain])
    np.testing.assert_allclose(known[adjusted], multipletests(known[plain], method="holm")[1])


def test_the_best_and_who_is_not_separated_from_it_are_tied(table: pd.DataFrame, tables) -> None:
    best = table["auroc"].idxmax()
    others = [name for name in ORDER if name != best]
    adjusted = multipletests([by_hand(tables[0], name, best).p for name in others], method="holm")[1]
    assert table["tied"].to_dict() == {best: True, **dict(zip(others, adjusted >= 0.05, strict=True))}
    assert not table.loc["blind", "tied"] and table.loc["blind", "dice_tied"] is pd.NA  # it has no Dice


def test_without_saliency_there_is_no_dice_and_without_outlines_for_nobody(table: pd.DataFrame, tables) -> None:
    assert table.loc["blind", [c for c in table if c.startswith("dice") and c != "dice_tied"]].isna().all()
    assert not [c for c in comparison_table(Tables(*tables), **OPTIONS) if c.startswith("dice")]
    assert not [c for c in comparison_table(Tables(predictions=tables[0]), **OPTIONS) if c.startswith("dice")]


def test_identical_variants_do_not_differ(tables) -> None:
    twin = tables[0][tables[0]["variant"] == "gmic"].assign(variant="gap")
    both = pd.concat([tables[0][tables[0]["variant"] == "gmic"], twin])
    row = comparison_table(Tables(predictions=both), **OPTIONS).set_index("variant").loc["gap"]
    assert (row["auroc_difference"], row["auroc_error"]) == (0, 0)
    assert (row["auroc_p"], row["auroc_p_bootstrap"], row["auroc_p_holm"]) == (1, 1, 1) and row["tied"]


def test_a_variant_that_lost_a_seed_is_compared_over_the_others(tables) -> None:
    predictions = tables[0].query("not (variant == 'gap' and seed == 1)")
    row = comparison_table(Tables(predictions=predictions), **OPTIONS).set_index("variant").loc["gap"]
    found = by_hand(predictions, "gap", "gmic", seeds=(0,))
    assert (row["auroc_difference"], row["auroc_p"]) == pytest.approx((found.value, found.p))


def test_folds_are_independent_parts_of_one_value(tables) -> None:
    predictions = tables[0].query("seed == 0")
    fold = predictions["group"].str[1:].astype(int) % 2
    table = comparison_table(Tables(predictions=predictions.assign(fold=fold)), **OPTIONS).set_index("variant")
    parts = [by_hand(predictions[fold == k], "gap", "gmic", seeds=(0,)) for k in (0, 1)]
    row = table.loc["gap"]
    assert row["auroc_difference"] == pytest.approx(np.mean([part.value for part in parts]))
    # Between the classes of one fold the factor g / (g - 1) counts all patients, not those of the fold.
    assert row["auroc_error"] == pytest.approx(np.hypot(*[part.error for part in parts]) / 2, rel=0.02)


def test_a_class_that_never_occurs_is_left_out(tables) -> None:
    predictions = tables[0].copy()
    predictions.loc[predictions["class"] == "malignant", "label"] = 0.0
    row = comparison_table(Tables(predictions=predictions), **OPTIONS).set_index("variant").loc["gap"]
    assert np.isnan(row["auroc_p/malignant"]) and row["auroc_p"] == pytest.approx(row["auroc_p/benign"])
    assert row["note"] == ""


def test_a_class_of_one_patient_has_no_test_and_says_so(tables) -> None:
    predictions = tables[0].copy()
    odd = (predictions["class"] == "malignant") & (predictions["group"] != "p3")
    predictions.loc[odd, "label"] = 0.0
    predictions.loc[(predictions["class"] == "malignant") & (predictions["group"] == "p3"), "label"] = 1.0
    table = comparison_table(Tables(predictions=predictions), **OPTIONS).set_index("variant")
    assert table["auroc_p"].isna().all() and table["auroc_p/benign"].notna().sum() == 2
    assert "No DeLong test of malignant: only one patient has a positive image" in table.loc["gap", "note"]
    best = table["auroc"].idxmax()
    assert table["tied"].isna().sum() == 2 and table.loc[best, "tied"]  # neither tied nor separated
    others = table.drop(best)["tied_untested"]
    assert (others == "malignant: only one patient has a positive image; two are needed").all()


def test_one_patient_has_values_and_no_test(tables) -> None:
    row = comparison_table(Tables(predictions=tables[0].assign(group="p")), **OPTIONS).set_index("variant").loc["gap"]
    assert row["auroc_difference"] < 0
    assert row[["auroc_difference_low", "auroc_p", "auroc_p_bootstrap", "auroc_p_holm"]].isna().all()
    assert "only one patient" in row["note"]


def test_constant_scores_are_chance(tables) -> None:
    predictions = tables[0].copy()
    predictions.loc[predictions["variant"] == "blind", "score"] = 0.4
    row = comparison_table(Tables(predictions=predictions), **OPTIONS).set_index("variant").loc["blind"]
    assert row["auroc"] == 0.5 and row["auroc_p"] < 0.001


def test_perfect_constant_and_always_wrong_scores_cannot_be_distinguished_by_a_test() -> None:
    """No variance to estimate: the three are neither tied nor separated, and a system with mistakes can be tested."""
    labels = np.arange(60) % 2.0
    scores = {"perfect": labels, "constant": np.full(60, 0.5), "wrong": 1 - labels}
    scores["fair"] = labels + np.random.default_rng(0).normal(size=60)
    rows = [
        {"variant": name, "head": "output", "seed": 0, "fold": None, "split": "test", "id": f"i{i}", "group": f"p{i}"}
        | {"class": "malignant", "label": labels[i], "score": own[i]}
        for name, own in scores.items()
        for i in range(60)
    ]
    options = {"baseline": "constant", "order": list(scores), "classes": ["malignant"], "resamples": 50}
    table = comparison_table(Tables(predictions=pd.DataFrame(rows)), **options).set_index("variant")
    assert table["auroc"].round(2).to_dict() == {"perfect": 1, "constant": 0.5, "wrong": 0, "fair": 0.86}
    assert table.loc["perfect", "tied"] and not table.loc["fair", "tied"]
    for name in ("constant", "wrong"):
        assert table.loc[name, "tied"] is pd.NA and table.loc[name, "tied_untested"] == NO_VARIANCE
    assert (table["auroc_untested"] == [NO_VARIANCE, "", NO_VARIANCE, ""]).all()
    assert (table["auroc_p"].isna() == [True, True, True, False]).all()


def test_one_positive_patient_has_a_value_without_interval_and_p(tables) -> None:
    """The bootstrap is as silent as DeLong's test; with three patients it speaks, and says what it left out."""
    one, three = (tables[0].copy() for _ in "ab")
    for table, patients in ((one, ["p3"]), (three, ["p3", "p7", "p11"])):
        own = table["class"] == "malignant"
        table.loc[own, "label"] = table.loc[own, "group"].isin(patients).astype(float)
    found = comparison_table(Tables(predictions=one), **OPTIONS).set_index("variant").loc["gap"]
    silent = ["auroc_difference_low", "auroc_difference_high", "auroc_p_bootstrap", "auroc_p"]
    assert np.isfinite(found["auroc_difference"]) and found[silent].isna().all()
    assert found[[f"{name}/malignant" for name in silent]].isna().all()
    assert found[[f"{name}/benign" for name in silent]].notna().all()
    row = variant_table(Tables(predictions=one), **OPTIONS).set_index("variant").loc["gap"]
    assert np.isfinite(row["auroc"]) and row[["auroc_low", "auroc_high", "auroc_difference_low"]].isna().all()
    assert row["auroc_undefined"] == pytest.approx((1 - 1 / 40) ** 40, abs=0.06)
    row = variant_table(Tables(predictions=three), **OPTIONS).set_index("variant").loc["gap"]
    assert row["auroc_low"] < row["auroc"] < row["auroc_high"]
    assert row["auroc_undefined"] == pytest.approx((1 - 3 / 40) ** 40, abs=0.03)


def test_wrong_tables_are_refused(tables) -> None:
    predictions = tables[0]
    wrong = predictions.assign(score=predictions["score"].where(predictions.index != 0))
    with pytest.raises(ValueError, match="gmic, image 'i0', class 'malignant'|gmic, image 'i0'.*nan"):
        comparison_table(Tables(predictions=wrong.assign(label=wrong["label"].fillna(0))), **OPTIONS)
    with pytest.raises(ValueError, match="different images"):
        comparison_table(Tables(predictions=predictions.query("not (variant == 'gap' and id == 'i3')")), **OPTIONS)
    with pytest.raises(ValueError, match="several rows"):
        comparison_table(Tables(predictions=pd.concat([predictions, predictions])), **OPTIONS)


def test_without_a_baseline_only_ties_are_reported(tables) -> None:
    table = comparison_table(Tables(predictions=tables[0]), **{**OPTIONS, "baseline": ""})
    assert table["auroc_p"].isna().all() and table["tied"].sum() >= 1


def test_ties_need_a_value() -> None:
    assert tied_with_best([0.9, np.nan, 0.8], lambda first, second: 0.001) == [True, None, False]
    assert tied_with_best([0.9, 0.8], lambda first, second: np.nan) == [True, None]
    assert tied_with_best([np.nan], lambda first, second: 0.0) == [None]
    assert tied_with_best([0.9, 0.8, 0.7], lambda first, second: 0.03) == [True, True, True]  # .08 by Tukey
