"""A setting makes a curve where three variants differ in it alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.contract.types import Objective, Plan, VariantPlan
from harness.study.plan.sweeps import sweeps

BASE = {"model": {"use": "gmic", "crops": 6, "pooling": {"use": "top", "fraction": 0.03}}, "train": {"amp": True}}


def plan(**trees: Mapping[str, Any]) -> Plan:
    variants = [VariantPlan(name=name, id=name, tree=tree) for name, tree in trees.items()]
    return Plan(
        study="s", study_id="0" * 16, budget="b", path=Path("s.toml"), question="?", baseline="base",
        objective=Objective(), metrics=("auroc",), variants=tuple(variants),
    )  # fmt: skip


def with_model(**changed: Any) -> dict[str, Any]:
    return {**BASE, "model": {**BASE["model"], **changed}}


def test_variants_that_differ_in_one_number_are_grouped_by_its_path() -> None:
    found = sweeps(plan(base=BASE, k1=with_model(crops=1), k3=with_model(crops=3)))
    assert found == {"model.crops": {"base": 6.0, "k1": 1.0, "k3": 3.0}}


def test_two_values_are_no_curve_and_neither_is_one_value_twice() -> None:
    assert sweeps(plan(base=BASE, k1=with_model(crops=1))) == {}
    assert sweeps(plan(base=BASE, k1=with_model(crops=1), again=with_model(crops=1))) == {}


def test_words_ranges_switches_and_several_changes_do_not_count() -> None:
    other = {"use": "mean"}
    trees = {
        "words": with_model(use="other"),
        "searched": with_model(crops={"int": [1, 6]}),
        "two": with_model(crops=2, pooling={"use": "top", "fraction": 0.1}),
        "pooling": with_model(pooling=other),
        "switch": {**BASE, "train": {"amp": False}},
        "k1": with_model(crops=1),
    }
    assert sweeps(plan(base=BASE, **trees)) == {}


def test_without_a_trained_baseline_there_is_none() -> None:
    system = {"external": {"predictions": "x.csv"}}
    assert sweeps(plan(base=system, k1=with_model(crops=1), k2=with_model(crops=2))) == {}
