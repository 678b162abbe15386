"""Published claims are tested by the same paired bootstrap as every other difference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.contract.types import Claim
from harness.tables.compare.claims import claims_table, verdict
from harness.tables.measure.summary import variant_table
from harness.tables.terms import Tables
from tests.built_in_metrics import metric, registry

CLASSES = ["lesion"]
DICE = registry().leaderboard
GAP = [metric("attention_gap")]


def predictions(**shift: float) -> pd.DataFrame:
    """A good head and a noise head of 60 patients with two images each, two seeds; `shift` adds signal by model."""
    rng, rows = np.random.default_rng(0), []
    for seed in (0, 1):
        for image in range(120):
            label = image % 2
            for name, strength in shift.items():
                variant, _, head = name.partition("__")
                score = 1 / (1 + np.exp(-(strength * label + rng.normal())))
                rows.append(
                    {"variant": variant, "head": head or "output", "seed": seed, "fold": None, "split": "test",
                     "id": f"i{image}", "group": f"p{image // 2}", "unit": f"i{image}", "class": "lesion",
                     "label": float(label), "score": score}
                )  # fmt: skip
    return pd.DataFrame(rows)


def claim(better: str, than: str, metric: str = "auroc", **stated: Any) -> Claim:
    return Claim(says=f"{better} above {than}", better=better, than=than, metric=metric, **stated)


def test_an_order_is_supported_contradicted_or_not_separated():
    table = predictions(good=3.0, bad=0.0)
    twin = table[table["variant"] == "bad"].assign(variant="twin")
    twin["score"] += np.random.default_rng(1).normal(0, 0.05, len(twin))
    table = pd.concat([table, twin])
    found = claims_table(
        Tables(predictions=table),
        classes=CLASSES,
        claims=[claim("good", "bad"), claim("bad", "good"), claim("bad", "twin")],
    )
    assert found["verdict"].tolist() == ["supported", "contradicted", "not separated"]
    assert found["difference"][0] == pytest.approx(-found["difference"][1])
    assert found["difference_low"][0] > 0 > found["difference_high"][1]


def test_a_verdict_that_another_seed_may_turn_is_for_these_trained_models_only():
    table = predictions(lucky=1.0, base=1.0)
    gained = (table["variant"] == "lucky") & (table["label"] == 1) & (table["seed"] == 0)
    table.loc[gained, "score"] += 1  # one of two seeds found the lesion
    found = claims_table(Tables(predictions=table), classes=CLASSES, claims=[claim("lucky", "base")]).iloc[0]
    assert found["verdict"] == "supported for these trained models only"
    assert found["difference_low"] > 0 > found["retrained_low"]
    fixed = table.assign(seed=None)[table["seed"] == 0]  # systems that are as they are have no other seed
    found = claims_table(Tables(predictions=fixed), classes=CLASSES, claims=[claim("lucky", "base")]).iloc[0]
    assert found["verdict"] == "supported" and np.isnan(found["retrained_low"])


def test_the_difference_to_the_baseline_is_the_leaderboards():
    table = predictions(base=0.5, other=1.0)
    found = claims_table(Tables(predictions=table), classes=CLASSES, claims=[claim("other", "base")]).iloc[0]
    board = variant_table(Tables(predictions=table), baseline="base", order=["base", "other"], classes=CLASSES).iloc[1]
    for key in ("difference", "difference_low", "difference_high"):
        assert found[key] == pytest.approx(board[f"auroc_{key}"])


def test_a_head_is_compared_with_its_own_model():
    found = claims_table(
        Tables(predictions=predictions(gmic=3.0, gmic__local=0.5)),
        classes=CLASSES,
        claims=[claim("gmic", "gmic/local")],
    ).iloc[0]
    assert found["verdict"].startswith("supported") and found["value"] > found["other"]


def test_an_attention_gap_is_compared_over_patients_and_images_without_one_do_not_count():
    shown = predictions(squared=1.0, softmax=1.0)
    rows = shown[shown["label"] == 1].drop(columns=["head", "score"]).assign(patches=8)
    rows["gap"] = np.where(rows["variant"] == "squared", 0.10, 0.04) + rows.groupby("variant").cumcount() / 1e4
    rows.loc[rows["id"] == "i1", "gap"] = np.nan
    rows.loc[(rows["id"] == "i3") & (rows["variant"] == "softmax"), "gap"] = np.nan  # its patches are its own choice
    wanted = [claim("squared", "softmax", "attention_gap")]
    found = claims_table(Tables(predictions=shown, attention=rows), GAP, classes=CLASSES, claims=wanted).iloc[0]
    means = rows.groupby("variant")["gap"].mean()
    assert found["value"] == pytest.approx(means["squared"]) and found["other"] == pytest.approx(means["softmax"])
    assert found["difference"] == pytest.approx(means["squared"] - means["softmax"]) and found["verdict"] == "supported"
    assert found["n"] == 8


def test_attention_gaps_at_different_n_are_not_compared():
    shown = predictions(squared=1.0, softmax=1.0)
    rows = shown[shown["label"] == 1].drop(columns=["head", "score"]).assign(gap=0.1)
    rows["patches"] = np.where(rows["variant"] == "squared", 4, 8)
    wanted = [claim("squared", "softmax", "attention_gap")]
    found = claims_table(Tables(predictions=shown, attention=rows), GAP, classes=CLASSES, claims=wanted).iloc[0]
    assert found["verdict"] == "n differs" and np.isnan(found["difference"])


@pytest.mark.parametrize(
    ("low", "high", "within", "not_below"),
    [
        (-0.01, 0.01, "supported", "supported"),
        (0.005, 0.015, "supported", "supported"),  # separated from 0, and equal for all that matters
        (-0.01, 0.03, "not separated", "supported"),
        (-0.03, 0.01, "not separated", "not separated"),
        (-0.03, 0.03, "not separated", "not separated"),  # it holds 0, and proves nothing
        (0.03, 0.05, "contradicted", "supported"),
        (-0.05, -0.03, "contradicted", "contradicted"),
    ],
)
def test_an_equality_needs_the_whole_interval_inside_its_margin(low, high, within, not_below):
    assert verdict(claim("a", "b", within=0.02), low, high) == within
    assert verdict(claim("a", "b", not_below=0.02), low, high) == not_below


def test_the_table_judges_by_the_margin_and_shows_it():
    table = predictions(base=1.0)
    twin = table.assign(variant="twin")
    twin["score"] += np.random.default_rng(1).normal(0, 0.02, len(twin))
    wanted = [claim("twin", "base", within=0.1), claim("twin", "base")]
    found = claims_table(Tables(predictions=pd.concat([table, twin])), classes=CLASSES, claims=wanted)
    assert found["verdict"].tolist() == ["supported", "not separated"]
    assert found["within"][0] == 0.1 and found[["within", "not_below"]].isna().sum().tolist() == [1, 2]


def test_a_difference_that_is_the_same_in_every_resample_cannot_be_tested():
    table = predictions(base=1.0)
    wanted = [claim("twin", "base", within=0.1), claim("twin", "base")]
    found = claims_table(
        Tables(predictions=pd.concat([table, table.assign(variant="twin")])), classes=CLASSES, claims=wanted
    )
    assert found["verdict"].tolist() == ["cannot be tested"] * 2


def test_value_and_other_are_of_the_seeds_that_both_have():
    table = predictions(lost=1.0, base=1.0)
    table = table[(table["variant"] == "base") | (table["seed"] == 0)]
    found = claims_table(Tables(predictions=table), classes=CLASSES, claims=[claim("lost", "base")]).iloc[0]
    assert found["value"] - found["other"] == pytest.approx(found["difference"])


def test_of_few_patients_with_a_lesion_there_is_no_verdict_of_dice():
    rows = [
        {"variant": variant, "map": "native", "seed": 0, "fold": None, "split": "test", "id": f"i{image}",
         "group": f"p{image}", "unit": f"i{image}", "class": "lesion", "label": float(image < 7), "mask_known": True,
         "mask_area": 0.1 * (image < 7), "dice_overlap": overlap + image / 100, "dice_sum": 20.0}
        for variant, overlap in (("base", 4.0), ("better", 8.0))
        for image in range(60)
    ]  # fmt: skip
    scores = predictions(base=1.0, better=1.0)
    found = claims_table(
        Tables(scores, pd.DataFrame(rows)), DICE, classes=CLASSES, claims=[claim("better", "base", "dice")]
    ).iloc[0]
    assert found["difference"] > 0 and np.isnan(found["difference_low"]) and found["verdict"] == "cannot be tested"


def test_folds_are_no_trainings_anew():
    folds = pd.concat([predictions(base=1.0, other=1.5).query("seed == 0").assign(fold=fold) for fold in (0, 1)])
    found = claims_table(Tables(predictions=folds), classes=CLASSES, claims=[claim("other", "base")]).iloc[0]
    assert np.isnan(found["retrained_low"])


def test_a_claim_on_one_class_reads_that_class_alone():
    table = pd.concat([predictions(good=3.0, bad=0.0), predictions(good=0.0, bad=3.0).assign(**{"class": "other"})])
    wanted = [claim("good", "bad", label="lesion"), claim("good", "bad", label="other"), claim("good", "bad")]
    found = claims_table(Tables(predictions=table), classes=["lesion", "other"], claims=wanted)
    assert found["verdict"].tolist()[:2] == ["supported", "contradicted"]
    assert found["difference"][2] == pytest.approx(found["difference"][:2].mean())
    assert found["class"].tolist() == ["lesion", "other", ""]


def test_an_explainers_map_is_compared_where_it_was_drawn_of_the_same_images():
    rows = []
    for name, overlap, images in (("attention", 8.0, 40), ("gradcam", 4.0, 40), ("occlusion", 2.0, 20)):
        for image in range(images):
            rows.append(
                {"variant": "base", "map": name, "seed": 0, "fold": None, "split": "test", "id": f"i{image}",
                 "group": f"p{image // 2}", "unit": f"i{image}", "class": "lesion", "label": 1.0, "mask_known": True,
                 "mask_area": 0.1, "dice_overlap": overlap + image / 100, "dice_sum": 20.0}
            )  # fmt: skip
    wanted = [claim("base/attention", "base/gradcam", "dice"), claim("base/gradcam", "base/occlusion", "dice")]
    found = claims_table(Tables(predictions(base=1.0), pd.DataFrame(rows)), DICE, classes=CLASSES, claims=wanted)
    assert found["verdict"].tolist() == [
        "supported for these trained models only",
        "images differ",
    ]  # one seed tells of no other


@pytest.mark.parametrize(
    "wanted",
    [
        claim("gone", "base"),
        claim("base", "base/gone"),
        claim("base", "base", "dice"),
        claim("base", "base", label="gone"),
    ],
)
def test_what_is_not_there_is_not_measured(wanted):
    found = claims_table(Tables(predictions=predictions(base=1.0)), classes=CLASSES, claims=[wanted]).iloc[0]
    assert found["verdict"] == "not measured" and np.isnan(found["difference"])
