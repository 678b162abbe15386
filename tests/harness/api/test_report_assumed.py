"""The report lists what the components in use assume: those, and none that only share a name with one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import harness_architectures
import harness_backbones
import harness_explainers
import harness_metrics
import harness_poolings
from harness import Plan
from harness.api.report import assumptions
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Objective, VariantPlan


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    found = Catalog()
    for plugin in (harness_backbones, harness_explainers, harness_poolings, harness_architectures, harness_metrics):
        found.register(plugin)
    return found


def plan_of(pooling: Any, *explainers: Any) -> Plan:
    backbone = {"use": "resnet22", "stride": 8}
    model = {"use": "cnn", "backbone": backbone, "pooling": pooling, "pool_first": True}
    return Plan(
        study="s",
        study_id="0",
        budget="quick",
        path=Path("s.toml"),
        question="?",
        baseline="a",
        objective=Objective(metric="auroc"),
        metrics=("auroc",),
        variants=(VariantPlan(name="a", id="1", tree={"model": model}),),
        explain={"use": list(explainers)},
    )


def test_an_explainer_that_shares_its_name_with_a_pooling_in_use_is_not_listed(catalog: Catalog) -> None:
    found = assumptions(plan_of({"use": "attention", "dim": 8}), catalog)
    assert found["attention"] == catalog.get("pooling", "attention").assumed
    assert catalog.get("explainer", "attention").assumed not in found.values()


def test_where_both_are_in_use_their_kinds_tell_them_apart(catalog: Catalog) -> None:
    found = assumptions(plan_of({"use": "attention", "dim": 8}, {"use": "attention"}), catalog)
    assert found["pooling attention"] == catalog.get("pooling", "attention").assumed
    assert found["explainer attention"] == catalog.get("explainer", "attention").assumed


def test_an_explainer_in_use_is_listed_and_the_pooling_of_its_name_is_not(catalog: Catalog) -> None:
    found = assumptions(plan_of({"use": "mean"}, "attention"), catalog)
    assert found["attention"] == catalog.get("explainer", "attention").assumed


def test_every_option_of_a_choice_is_in_use(catalog: Catalog) -> None:
    found = assumptions(plan_of({"choice": [{"use": "mean"}, {"use": "lse"}]}), catalog)
    assert found["lse"] == catalog.get("pooling", "lse").assumed
