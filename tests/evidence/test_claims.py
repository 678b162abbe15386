"""What a source states is held against the models by the same paired bootstrap as every other difference."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.contract.types import Claim
from harness.evidence.claims import claims_table
from harness.evidence.summary import variant_table

CLASSES = ["lesion"]


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


def claim(better: str, than: str, metric: str = "auroc") -> Claim:
    return Claim(says=f"{better} above {than}", better=better, than=than, metric=metric)


def test_an_order_agrees_disagrees_or_is_not_separated():
    table = predictions(good=3.0, bad=0.0)
    twin = table[table["variant"] == "bad"].assign(variant="twin")
    twin["score"] += np.random.default_rng(1).normal(0, 0.05, len(twin))
    table = pd.concat([table, twin])
    found = claims_table(
        table, None, classes=CLASSES, claims=[claim("good", "bad"), claim("bad", "good"), claim("bad", "twin")]
    )
    assert found["verdict"].tolist() == ["agrees", "disagrees", "not separated"]
    assert found["difference"][0] == pytest.approx(-found["difference"][1])
    assert found["difference_low"][0] > 0 > found["difference_high"][1]


def test_the_difference_to_the_baseline_is_the_leaderboards():
    table = predictions(base=0.5, other=1.0)
    found = claims_table(table, None, classes=CLASSES, claims=[claim("other", "base")]).iloc[0]
    board = variant_table(table, None, baseline="base", order=["base", "other"], classes=CLASSES).iloc[1]
    for key in ("difference", "difference_low", "difference_high"):
        assert found[key] == pytest.approx(board[f"auroc_{key}"])


def test_a_head_is_compared_with_its_own_model():
    found = claims_table(
        predictions(gmic=3.0, gmic__local=0.5), None, classes=CLASSES, claims=[claim("gmic", "gmic/local")]
    ).iloc[0]
    assert found["verdict"] == "agrees" and found["value"] > found["other"]


def test_an_attention_gap_is_compared_over_patients_and_images_without_one_do_not_count():
    shown = predictions(squared=1.0, softmax=1.0)
    rows = shown[shown["label"] == 1].drop(columns=["head", "score"]).assign(patches=8)
    rows["gap"] = np.where(rows["variant"] == "squared", 0.10, 0.04) + rows.groupby("variant").cumcount() / 1e4
    rows.loc[rows["id"] == "i1", "gap"] = np.nan
    rows.loc[(rows["id"] == "i3") & (rows["variant"] == "softmax"), "gap"] = np.nan  # its patches are its own choice
    wanted = [claim("squared", "softmax", "attention_gap")]
    found = claims_table(shown, None, rows, classes=CLASSES, claims=wanted).iloc[0]
    means = rows.groupby("variant")["gap"].mean()
    assert found["value"] == pytest.approx(means["squared"]) and found["other"] == pytest.approx(means["softmax"])
    assert found["difference"] == pytest.approx(means["squared"] - means["softmax"]) and found["verdict"] == "agrees"
    assert found["n"] == 8


def test_attention_gaps_at_different_n_are_not_compared():
    shown = predictions(squared=1.0, softmax=1.0)
    rows = shown[shown["label"] == 1].drop(columns=["head", "score"]).assign(gap=0.1)
    rows["patches"] = np.where(rows["variant"] == "squared", 4, 8)
    wanted = [claim("squared", "softmax", "attention_gap")]
    found = claims_table(shown, None, rows, classes=CLASSES, claims=wanted).iloc[0]
    assert found["verdict"] == "n differs" and np.isnan(found["difference"])


@pytest.mark.parametrize("wanted", [claim("gone", "base"), claim("base", "base/gone"), claim("base", "base", "dice")])
def test_what_is_not_there_is_not_measured(wanted):
    found = claims_table(predictions(base=1.0), None, classes=CLASSES, claims=[wanted]).iloc[0]
    assert found["verdict"] == "not measured" and np.isnan(found["difference"])
