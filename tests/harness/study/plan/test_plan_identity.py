"""What changes a study's id, and a variant's, and what leaves them alone."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract.loading.catalog import RESULTS_VERSION


def _ids(plan: Any) -> dict[str, str]:
    return {variant.name: variant.id for variant in plan.variants}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('question = "?"', 'question = "!"'),
        ('baseline = "plain"', 'baseline = "gap"'),
        ('metrics = ["auroc", "dice"]', 'metrics = ["auroc", "brier"]'),
        ("[confirm]", '[explain]\nuse = ["native"]\nimages = 3\n[confirm]'),
        ("[variants.plain]", '[budgets.other]\nselect = ["gap"]\n[variants.plain]'),
        ("seeds = [0, 1]", "seeds = [0, 1]\n# a comment"),
        ("[search]", "[search]\nseed = 0  # what it is anyway"),
    ],
)
def test_what_changes_no_number_changes_no_id(planner: Any, old: str, new: str) -> None:
    before, after = (
        planner.plan(),
        planner.plan(planner.replaced((old, new)), budget=None if "[bud" not in new else "other"),
    )
    assert after.study_id == before.study_id
    assert _ids(after).items() <= _ids(before).items()


@pytest.mark.parametrize(
    "override",
    [
        "train.epochs=5",
        "model.crops=3",
        "dataset.seed=1",
        "search.trials=5",
        "search.seed=1",
        "confirm.seeds=[0]",
        "study.objective.metric=val/brier",
        "train.lr=0.001",
    ],
)
def test_a_set_of_what_changes_a_number_changes_every_id(planner: Any, override: str) -> None:
    before, after = planner.plan(), planner.plan(planner.BASE, override)
    assert after.study_id != before.study_id
    assert not set(_ids(after).values()) & set(_ids(before).values())


def test_a_variant_added_or_edited_leaves_the_others_alone(planner: Any) -> None:
    before = planner.plan()
    added = planner.plan(planner.BASE + "[variants.new.model]\ncrops = 2\n")
    edited = planner.plan(planner.replaced(("fraction = 0.5", "fraction = 0.6")))
    assert before.study_id == added.study_id == edited.study_id
    assert _ids(before).items() < _ids(added).items()
    assert {name for name in _ids(before) if _ids(before)[name] != _ids(edited)[name]} == {"top"}


def test_a_set_of_one_variant_changes_that_variant_alone(planner: Any) -> None:
    before, after = planner.plan(), planner.plan(planner.BASE, "gap.train.lr=0.5")
    assert before.study_id == after.study_id
    assert {name for name in _ids(before) if _ids(before)[name] != _ids(after)[name]} == {"gap"}


def test_two_variants_of_one_tree_are_two(planner: Any) -> None:
    ids = _ids(planner.plan(planner.BASE + "[variants.again]\n"))
    assert ids["again"] != ids["plain"]


def test_a_strangers_new_version_concerns_only_the_variants_that_use_it(planner: Any) -> None:
    text = planner.BASE + '[variants.odd.model]\npooling = "odd"\n'
    before, after = planner.plan(text), planner.plan(text, stranger="2.0")
    assert before.study_id == after.study_id == planner.plan().study_id
    assert {name for name in _ids(before) if _ids(before)[name] != _ids(after)[name]} == {"odd"}
    assert after.plugins == {"mil-harness": RESULTS_VERSION, "odd-pooling": "2.0"}


def test_other_data_of_one_variant_concern_that_variant_alone(planner: Any) -> None:
    before = planner.plan(planner.BASE + "[variants.seeded.dataset]\nseed = 3\n")
    assert before.study_id == planner.plan().study_id
    digests = {variant.name: variant.facts["digest"] for variant in before.variants}
    assert digests["plain"] == before.dataset_digest != digests["seeded"]


def test_a_studys_folder_begins_with_its_budget(planner: Any) -> None:
    plan = planner.plan()
    assert plan.directory == f"study/base-{plan.study_id[:8]}"
    assert len(plan.study_id) == 64


def test_either_spelling_of_a_component_has_one_identity(planner):
    short = planner.plan(planner.BASE.replace('{ use = "mean" }', '"odd"'))
    long = planner.plan(planner.BASE.replace('{ use = "mean" }', '{ use = "odd-pooling:odd" }'))
    assert [item.id for item in short.variants] == [item.id for item in long.variants]
    assert short.variants[1].tree["model"]["pooling"] == {"use": "odd-pooling:odd"}
    built_in = planner.plan(planner.BASE.replace('{ use = "mean" }', '{ use = "mil-harness:mean" }'))
    assert built_in.variants == planner.plan(planner.BASE).variants


def test_another_spelling_of_the_component_of_the_base_changes_its_parameters_alone(planner):
    text = planner.BASE + '[variants.last.model]\npooling = { use = "mil-harness:top", fraction = 0.3 }\n'
    base = text.replace('use = "bag"', 'use = "bag"\npooling = { use = "top", fraction = 0.7 }')
    last = planner.plan(base + "[variants.same.model]\ncrops = 3\n").variants[-2]
    assert last.tree["model"]["pooling"] == {"use": "top", "fraction": 0.3}
