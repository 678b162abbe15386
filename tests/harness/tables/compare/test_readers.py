"""One against each: the same figures as pairwise tests; runs paired by what they have in common; ROC curves."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from harness.contract.tables import OWN_HEAD
from harness.metrics.scores.roc import operating_point, roc_curve
from harness.statistics.bootstrap import Resamples
from harness.statistics.delong import delong
from harness.statistics.multiplicity import holm
from harness.tables.compare.comparison import ranked, replicate_pairs
from harness.tables.compare.contrasts import comparison_table
from harness.tables.compare.readers import each_table
from harness.tables.measure.summary import variant_table
from harness.tables.terms import Tables

READERS = ("reader01", "reader02", "reader03")
IMAGES = 80


def draw() -> pd.DataFrame:
    """A system, three readers, the readers mixed with the system, and a model trained with two seeds."""
    rng = np.random.default_rng(3)
    labels = (rng.random(IMAGES) < 0.4).astype(float)

    def scores(shift: float) -> np.ndarray:
        return 1 / (1 + np.exp(-shift * labels - rng.normal(size=IMAGES)))

    runs = {("external", None): scores(1.5), ("other", None): scores(0.5)}
    runs |= {("readers", name): scores(shift) for name, shift in zip(READERS, (0.6, 1.0, 1.4), strict=True)}
    runs |= {("hybrid", name): (runs["readers", name] + runs["external", None]) / 2 for name in READERS}
    runs |= {("model", seed): scores(1.0) for seed in (0, 1)}
    keys = {"fold": None, "split": "test", "class": "malignant", "head": OWN_HEAD}
    rows = [
        {"variant": variant, "seed": seed, "id": f"i{n}", "unit": f"i{n}", "group": f"p{n // 2}"}
        | {**keys, "label": labels[n], "score": values[n]}
        for (variant, seed), values in runs.items()
        for n in range(IMAGES)
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    return draw()


def area(rows: pd.DataFrame) -> float:
    return float(roc_auc_score(rows["label"], rows["score"]))


def of(predictions: pd.DataFrame, variant: str, seed: object = None) -> pd.DataFrame:
    own = predictions[predictions["variant"] == variant]
    return own if seed is None else own[own["seed"] == seed]


def test_a_family_is_the_mean_of_its_readers_areas_not_the_area_of_their_mean(predictions: pd.DataFrame) -> None:
    order = ["external", "readers", "hybrid", "model"]
    table = variant_table(
        Tables(predictions=predictions), baseline="external", order=order, classes=["malignant"], resamples=50
    )
    row = table.set_index("variant").loc["readers"]
    each = [area(of(predictions, "readers", name)) for name in READERS]
    assert row["auroc"] == pytest.approx(np.mean(each)) and row["replicates"] == 3
    assert row["auroc_std"] == pytest.approx(np.std(each, ddof=1))
    assert row["auroc_difference"] == pytest.approx(np.mean(each) - area(of(predictions, "external")))


def test_replicates_are_paired_by_seed_or_reader_and_else_each_with_each() -> None:
    seeds, readers, fixed = [(0, None), (1, None)], [("a", None), ("b", None)], [(None, None)]
    assert replicate_pairs(seeds, [(1, None), (2, None)]) == [((1, None), (1, None))]
    assert replicate_pairs(readers, readers) == [(run, run) for run in readers]
    assert len(replicate_pairs(readers, seeds)) == 4 and len(replicate_pairs(seeds, fixed)) == 2
    mixed = [("a, seed 0", None), ("a, seed 1", None), ("b, seed 0", None)]
    assert replicate_pairs(mixed, readers) == [
        (mixed[0], ("a", None)),
        (mixed[1], ("a", None)),
        (mixed[2], ("b", None)),
    ]
    assert replicate_pairs(mixed, mixed) == [(run, run) for run in mixed]


def test_a_hybrid_is_compared_with_the_readers_one_by_one(predictions: pd.DataFrame) -> None:
    drawn = Resamples.draw(predictions["group"].unique(), 50)
    found = ranked(predictions, drawn, ["malignant"])
    gap = found["hybrid", OWN_HEAD].minus(found["readers", OWN_HEAD])
    each = [area(of(predictions, "hybrid", name)) - area(of(predictions, "readers", name)) for name in READERS]
    assert gap[0] == pytest.approx(np.mean(each))


def test_delong_of_a_family_is_the_contrast_of_the_means(predictions: pd.DataFrame) -> None:
    table = comparison_table(
        Tables(predictions=predictions),
        baseline="external",
        order=["external", "readers", "model"],
        classes=["malignant"],
        resamples=50,
    ).set_index("variant")
    rows = [of(predictions, "external"), *(of(predictions, "readers", name) for name in READERS)]
    found = delong(rows[0]["label"].to_numpy(), np.stack([r["score"] for r in rows]), rows[0]["group"].tolist())
    wanted = found.contrast(np.array([-1, 1 / 3, 1 / 3, 1 / 3]))
    assert table.loc["readers", "auroc_p"] == pytest.approx(wanted.p)
    assert table.loc["readers", "auroc_error"] == pytest.approx(wanted.error)


def test_each_reader_and_external_table_has_a_row_with_the_pairwise_test_adjusted_over_all(
    predictions: pd.DataFrame,
) -> None:
    table = each_table(predictions, baseline="external", order=["other", "readers"], classes=["malignant"])
    assert table["variant"].tolist() == ["external", "other", "readers", "readers", "readers"]
    assert table["replicate"].tolist()[2:] == list(READERS)
    base = of(predictions, "external")
    for row, name in zip(table.iloc[2:].to_dict("records"), READERS, strict=True):
        own = of(predictions, "readers", name)
        wanted = delong(base["label"].to_numpy(), np.stack([base["score"], own["score"]]), base["group"].tolist())
        gap = wanted.difference(0, 1)
        assert (row["difference"], row["p"]) == (pytest.approx(gap.value), pytest.approx(gap.p))
        assert row["difference_low"] == pytest.approx(gap.low) and row["auroc"] == pytest.approx(area(own))
    np.testing.assert_allclose(table["p_holm"].iloc[1:], holm(table["p"].iloc[1:].to_numpy()))
    assert math.isnan(table["p"].iloc[0])


def test_an_external_table_of_one_group_has_no_test(predictions: pd.DataFrame) -> None:
    table = each_table(predictions.assign(group="p"), baseline="external", order=["other"], classes=["malignant"])
    assert table["p"].isna().all() and table["auroc_low"].isna().all()


def test_an_external_table_without_a_mistake_has_a_value_and_no_interval_and_others_stay_below_one(
    predictions: pd.DataFrame,
) -> None:
    perfect = of(predictions, "external").assign(variant="perfect", score=of(predictions, "external")["label"])
    options = {"baseline": "perfect", "order": ["other", "readers"], "classes": ["malignant"]}
    table = each_table(pd.concat([predictions, perfect.reset_index()[predictions.columns]]), **options)
    assert table["auroc"].iloc[0] == 1 and table[["auroc_low", "auroc_high"]].iloc[0].isna().all()
    rest = table.iloc[1:]
    assert ((rest["auroc_low"] > 0) & (rest["auroc_low"] < rest["auroc"]) & (rest["auroc_high"] < 1)).all()


def test_the_curve_encloses_the_area_and_unknown_labels_do_not_count() -> None:
    labels, scores = np.array([0, 1, 0, 1, np.nan]), np.array([0.1, 0.9, 0.5, 0.5, 0.7])
    false, true = roc_curve(labels, scores)
    assert np.trapezoid(true, false) == pytest.approx(roc_auc_score(labels[:4], scores[:4]))
    with pytest.raises(ValueError, match="only one label"):
        roc_curve(np.zeros(3), scores[:3])


def test_an_operating_point_lies_on_the_curve(predictions: pd.DataFrame) -> None:
    own = of(predictions, "readers", "reader01")
    labels, scores = own["label"].to_numpy(), own["score"].to_numpy()
    point = operating_point(labels, scores, float(np.median(scores)))
    assert point[0] == pytest.approx(np.mean(scores[labels == 0] > np.median(scores)))
    false, true = roc_curve(labels, scores)
    assert np.interp(point[0], false, true) >= point[1] - 1e-12
