from __future__ import annotations

import math

import pytest

from harness.tables.compare.declared import COLUMNS, declared_table


def test_values_are_means_over_models_by_head_and_class() -> None:
    first = {"test/mcc": 0.4, "test/mcc/benign": 0.2, "test/global/mcc": 0.1, "val/mcc": 9.0, "train/loss": 9.0}
    second = {**first, "test/mcc": 0.6}
    found = declared_table([("a", first), ("a", second), ("b", first)], ["mcc", "log_loss"])
    rows = {(r["variant"], r["head"], r["class"]): r for r in found.to_dict("records")}
    assert set(rows) == {(v, h, c) for v in "ab" for h, c in (("output", ""), ("output", "benign"), ("global", ""))}
    own = rows["a", "output", ""]
    assert (own["metric"], own["value"], own["replicates"]) == ("mcc", pytest.approx(0.5), 2)
    assert own["std"] == pytest.approx(math.sqrt(0.02)) and math.isnan(rows["b", "output", ""]["std"])


def test_without_values_there_is_an_empty_table_with_its_columns() -> None:
    assert tuple(declared_table([("a", {"val/auroc": 0.5})], ["auroc"]).columns) == COLUMNS
