"""Every column of a table over variants is a fixed one, a metric's, or one that `ENDS` derives from a metric."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.tables.columns import ENDS, FIXED, clash
from harness.tables.compare.contrasts import comparison_table
from harness.tables.measure.summary import replicates_table, variant_table
from harness.tables.terms import Tables
from tests.built_in_metrics import registry

CLASSES = ["benign", "malignant"]
METRICS = registry(CLASSES).at("leaderboard", ("scores",)) + registry(CLASSES).at("replicates", ("scores",))


@pytest.fixture(scope="module")
def tables() -> Tables:
    random = np.random.default_rng(0)
    rows = [
        {"study": "s", "variant": variant, "seed": 0, "fold": None, "split": "test", "id": str(i), "unit": str(i)}
        | {"group": str(i), "class": name, "label": float(i % 2), "head": "output", "score": random.random()}
        for variant in ("plain", "gap")
        for i in range(20)
        for name in CLASSES
    ]
    return Tables(predictions=pd.DataFrame(rows))


def test_every_column_is_fixed_or_a_metric_s_or_derived_from_one(tables: Tables) -> None:
    options = {"baseline": "plain", "order": ["plain", "gap"], "classes": CLASSES, "resamples": 20}
    made = (
        variant_table(tables, METRICS, **options),
        comparison_table(tables, METRICS, **options),
        replicates_table(tables, METRICS, classes=CLASSES),
    )
    keys = {metric.key for metric in METRICS}
    for table in made:
        for column in {str(name).partition("/")[0] for name in table}:
            assert column in keys or clash(column, keys), column


@pytest.mark.parametrize("key", ["n", "seed", "variant", "tied", "auroc_low", "auroc_p_holm", "auroc_difference_high"])
def test_a_key_that_is_another_column_is_named(key: str) -> None:
    assert clash(key, {"auroc"}).startswith("a column")
    assert key in FIXED or key.removeprefix("auroc_") in ENDS


@pytest.mark.parametrize("key", ["auroc", "auroc_lowest", "low_auroc", "dice_low"])
def test_other_keys_are_free(key: str) -> None:
    assert clash(key, {"auroc"}) == ""
