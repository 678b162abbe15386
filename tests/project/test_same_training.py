"""benchmarks/same_training.py finds every difference between two records, however small, and no other."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from safetensors.numpy import save

from benchmarks.record_training import _file, _metrics
from benchmarks.same_training import compare

TABLE = {"variant_id": ["a", "a"], "map": ["native", "floor:random"], "score": [0.1, float("nan")]}


def _table(**changed: list[object]) -> bytes:
    stream = io.BytesIO()
    pd.DataFrame({**TABLE, **changed}).to_parquet(stream)
    return stream.getvalue()


def test_equal_records_have_no_differences() -> None:
    record = {"gmic": _metrics("epoch 1", {"train/loss": 0.5, "val/auroc": float("nan")})}
    assert list(compare(record, {"gmic": dict(record["gmic"])})) == []


def test_the_last_bit_of_a_metric_counts() -> None:
    before, after = ({"gmic": _metrics("epoch 1", {"train/loss": loss})} for loss in (0.5, np.nextafter(0.5, 1)))
    assert list(compare(before, after)) == ["gmic: epoch 1 train/loss: 0x1.0000000000000p-1 -> 0x1.0000000000001p-1"]


def test_a_table_differs_in_the_columns_that_differ() -> None:
    first, second = (_file("maps.parquet", _table(score=[0.1, score])) for score in (0.2, np.nextafter(0.2, 1)))
    assert {name for name in first if first[name] != second[name]} == {"maps.parquet score"}


def test_identities_and_the_old_names_of_controls_may_differ() -> None:
    renamed = _table(variant_id=["b", "b"], map=["native", "control:random"])
    assert _file("maps.parquet", _table()) == _file("maps.parquet", renamed)


def test_weights_differ_in_the_arrays_that_differ() -> None:
    weights = {"first": np.zeros(3, np.float32), "second": np.ones(2, np.float32)}
    first, second = (
        _file("weights.safetensors", save({**weights, "second": second}))
        for second in (weights["second"], -weights["second"])
    )
    assert {name for name in first if first[name] != second[name]} == {"weights.safetensors second"}


def test_a_variant_of_one_record_only_is_named() -> None:
    assert list(compare({"gmic": {}, "gap": {}}, {"gmic": {}})) == ["gap: only in the old record"]
    assert list(compare({"gmic": {}}, {"gmic": {"best epoch": "1"}})) == ["gmic: best epoch: missing -> 1"]
