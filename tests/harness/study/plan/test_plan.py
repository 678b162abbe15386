"""What a plan resolves to, skips and warns of; and that one is planned without anything heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.study.plan.plan import model_based, plan_from_json, plan_to_json

HEAVY = ("torch", "timm", "torchvision", "ray", "mlflow", "optuna", "pandas", "sklearn", "matplotlib", "scipy")


def _variant(plan: Any, name: str) -> Any:
    return next(variant for variant in plan.variants if variant.name == name)


def test_a_variant_is_the_base_with_its_patch(planner: Any) -> None:
    plan = planner.plan()
    assert [variant.name for variant in plan.variants] == ["plain", "gap", "top"]
    assert _variant(plan, "plain").tree == plan.tree
    assert _variant(plan, "top").tree["model"] == {"use": "bag", "pooling": {"use": "top", "fraction": 0.5}}
    assert _variant(plan, "gap").searched == ("train.lr",)
    assert (plan.baseline, plan.budget, plan.trials, plan.confirm["seeds"]) == ("plain", "base", 4, [0, 1])


def test_patches_apply_in_the_order_base_budget_variant_set(planner: Any) -> None:
    text = (
        planner.BASE
        + """
[variants.slow.train]
epochs = 30
[budgets.quick]
train = { epochs = 20, batch_size = 20 }
"""
    )
    text = text.replace('baseline = "plain"', 'budget = "quick"')
    epochs = {v.name: v.tree["train"]["epochs"] for v in planner.plan(text).variants}
    assert epochs == {"plain": 20, "gap": 20, "top": 20, "slow": 30}
    plan = planner.plan(text, "train.epochs=40")
    assert {v.tree["train"]["epochs"] for v in plan.variants} == {40}
    assert {v.tree["train"]["batch_size"] for v in plan.variants} == {20}


def test_a_set_may_address_one_variant(planner: Any) -> None:
    plan = planner.plan(planner.BASE, "gap.train.lr=0.5")
    assert _variant(plan, "gap").tree["train"]["lr"] == 0.5
    assert _variant(plan, "top").tree["train"]["lr"] == {"log10": [-4, -2], "default": -3}


def test_a_set_of_a_components_parameter_leaves_other_components_alone(planner: Any) -> None:
    plan = planner.plan(planner.BASE, "model.pooling.fraction=0.4")
    assert _variant(plan, "gap").tree["model"]["pooling"] == {"use": "mean"}
    assert _variant(plan, "top").tree["model"]["pooling"]["fraction"] == 0.4
    assert plan.tree["model"]["pooling"] == {"use": "top", "fraction": 0.4}  # the builder's default


def test_a_set_into_a_slot_takes_the_builders_default(planner: Any) -> None:
    plan = planner.plan(planner.BASE, "model.backbone.stride=4")
    assert plan.tree["model"]["backbone"] == {"use": "net", "stride": 4}


def test_a_run_selects_variants_in_the_order_of_the_file(planner: Any) -> None:
    text = planner.BASE + '[budgets.few]\nselect = ["top", "plain"]\n'
    plan = planner.plan(text, budget="few")
    assert [variant.name for variant in plan.variants] == ["plain", "top"]
    plan = planner.plan(text, 'select=["gap", "plain"]', budget="few")
    assert [variant.name for variant in plan.variants] == ["plain", "gap"]


def test_a_bare_name_is_a_component(planner: Any) -> None:
    plan = planner.plan(planner.replaced(('pooling = { use = "mean" }', 'pooling = "mean"')))
    assert _variant(plan, "gap").tree == _variant(planner.plan(), "gap").tree


def test_the_default_space_is_the_authors_and_yields_to_the_study(planner: Any) -> None:
    text = planner.replaced(("fraction = 0.5", 'space = "default"'))
    assert _variant(planner.plan(text), "top").searched == ("train.lr", "model.pooling.fraction")
    text = planner.replaced(("fraction = 0.5", 'space = "default", fraction = 0.3'))
    assert _variant(planner.plan(text), "top").tree["model"]["pooling"] == {"use": "top", "fraction": 0.3}


def test_a_plan_survives_json(planner: Any) -> None:
    plan = planner.plan()
    assert plan_from_json(plan_to_json(plan)) == plan


def test_a_variant_is_skipped_with_the_reason(planner: Any) -> None:
    text = planner.BASE + '[variants.full.model]\nuse = "supervised"\n[variants.views.model]\nuse = "two_views"\n'
    plan = planner.plan(text)
    assert [(skip.variant, skip.reason) for skip in plan.skipped] == [
        ("views", "'two_views' needs views, which 'blobs' does not provide")
    ]
    assert _variant(plan, "full").needs == ("train_masks",)
    plan = planner.plan(text, "dataset.masks=none")
    assert [skip.variant for skip in plan.skipped] == ["full", "views"]


def test_nothing_left_to_run_is_a_mistake(planner: Any) -> None:
    text = planner.replaced(('use = "bag"', 'use = "two_views"'), ("[variants.gap.model]", "[variants.a]"))
    text = text[: text.index("[variants.a]")]
    assert planner.problems(text) == [
        "study.toml: nothing is left to run (plain: 'two_views' needs views, which 'blobs' does not provide)"
    ]


@pytest.mark.parametrize("masks", ["circle", "none"])
def test_dice_is_left_out_where_masks_are_no_outlines(planner: Any, masks: str) -> None:
    plan = planner.plan(planner.BASE, f"dataset.masks={masks}")
    assert plan.metrics == ("auroc",)
    needs = "outline" if masks == "circle" else "eval_masks, outline"
    assert plan.warnings == (f"the metric 'dice' is left out: it needs {needs}",)


def test_an_explainer_that_no_variant_can_feed_is_left_out(planner: Any) -> None:
    text = planner.replaced(("[confirm]", '[explain]\nuse = ["native"]\n[confirm]'))
    assert planner.plan(text).explain["use"] == ["native"]
    text = text.replace('use = "bag"', 'use = "supervised"')[: text.index("[variants.gap") + len("supervised") - 3]
    plan = planner.plan(text)
    assert plan.explain["use"] == []
    assert plan.warnings == ("the explainer 'native' is left out: it needs saliency",)


def test_the_objectives_metric_is_computed_whether_asked_for_or_not(planner: Any) -> None:
    text = planner.replaced(('metrics = ["auroc", "dice"]', 'objective.metric = "val/local/brier/malignant"'))
    assert planner.plan(text, "study.metrics=['auroc']").metrics == ("brier", "auroc")


def test_an_objective_goes_the_way_of_its_metric(planner: Any) -> None:
    assert planner.plan(planner.BASE).objective.mode == "max"
    assert planner.plan(planner.BASE, "study.objective.metric=val/brier").objective.mode == "min"
    spelt_out = planner.plan(planner.BASE, "study.objective.mode=max")
    assert spelt_out.study_id == planner.plan(planner.BASE).study_id


def test_an_objective_that_contradicts_its_metric_is_refused(planner: Any) -> None:
    assert planner.problems(planner.BASE, "study.objective.metric=val/brier", "study.objective.mode=max") == [
        "study.toml: study.objective.mode: 'max' contradicts 'brier', of which lower is better: 'min'"
    ]


def test_variants_that_come_to_the_same_thing_are_named(planner: Any) -> None:
    text = planner.BASE + '[variants.one.model]\npooling = { use = "top", fraction = 1.0 }\n'
    assert "'gap' and 'one' are equivalent on a 8 x 8 map" in planner.plan(text).warnings
    # The fraction of a range is not one thing, even where its default is.
    text = planner.BASE + '[variants.one.model]\npooling.use = "top"\npooling.fraction.float = [0.5, 1.0]\n'
    text += "pooling.fraction.default = 1.0\n"
    assert not any("are equivalent" in warning for warning in planner.plan(text).warnings)


def test_a_small_map_is_warned_of_while_t_varies(planner: Any) -> None:
    text = planner.BASE + '[variants.low.model]\npooling = { use = "top", fraction = 0.01 }\n'
    expected = "the 8 x 8 map has 64 cells while t varies: below 100 cells, 1 % is less than one cell"
    assert expected in planner.plan(text).warnings
    assert planner.plan(planner.BASE).warnings == ()
    assert planner.plan(text, "model.backbone.stride=4").warnings == ()


def test_a_tpe_search_without_a_model_based_trial_is_warned_of(planner: Any) -> None:
    plan = planner.plan(planner.BASE, "search.sampler.startup=4")
    assert plan.warnings == ("no trial of this 'tpe' search is model-based: 4 trials, and the first 4 are random",)
    assert (model_based(plan.search), model_based(planner.plan().search)) == (0, 2)
    assert planner.plan(planner.BASE, "search.sampler={use='random'}").warnings == ()


def test_a_variant_that_searches_nothing_is_warned_of(planner: Any) -> None:
    plan = planner.plan(planner.BASE, "gap.train.lr=0.1")
    assert plan.warnings == ("'gap' searches nothing: one trial instead of 4",)


def test_a_grid_of_another_size_than_the_trials_is_warned_of(planner: Any) -> None:
    grid = ("search.sampler={use='grid'}", "train.lr={choice=[0.1, 0.2]}")
    found = planner.plan(planner.BASE, *grid).warnings
    assert found[0] == "the search of 'plain' ends after 2 of 4 trials: its space has no more points"
    found = planner.plan(planner.BASE, *grid, "search.trials=1").warnings
    assert found[0] == "search.trials = 1 leaves 1 of the 2 points of 'plain' untried"


def test_a_stopper_that_never_stops_is_warned_of(planner: Any) -> None:
    found = planner.plan(planner.BASE, "search.pruner={use='asha', grace=4}").warnings
    assert found == ("no trial of 'plain' is ever pruned: search.pruner.grace is 4 epochs, and a trial has 4",)


def test_a_baseline_that_does_not_run_is_warned_of(planner: Any) -> None:
    found = planner.plan(planner.BASE, "select=['gap', 'top']").warnings
    assert found == ("the baseline 'plain' does not run: no differences to it are shown",)


def test_planning_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from harness.contract.loading.catalog import Catalog\n"
        "from harness.study.plan.plan import make_plan; from harness.config.settings import load_settings\n"
        "from harness.study.file.spec import find_study, load_study\n"
        "study = load_study(find_study('gmic_ablation'))\n"
        "plan = make_plan(study, Catalog.discover(), load_settings(Path(sys.argv[1])))\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_plan_tells_what_the_last_check_of_its_data_found(planner: Any) -> None:
    from harness.audit.verdicts import DataCheck, Finding
    from harness.study.plan.datacheck import check_path, read_check, write_check

    plan, results = planner.plan(), planner.settings.results
    digest = plan.dataset_digest
    assert plan.data_checks == {digest: {"verdict": "not checked", "summary": ""}}
    leak = Finding(level="error", message="3 groups in both, such as 'p'", verdict="leak", rows=(("p", "train: a"),))
    check = DataCheck(digest=digest, findings=(leak,))
    assert write_check(results, check) == check_path(results, digest)
    checked = planner.plan()
    assert checked.data_checks == {digest: {"verdict": "leak", "summary": "3 groups in both"}}
    assert checked.study_id == plan.study_id and plan_from_json(plan_to_json(checked)) == checked
    assert read_check(results, digest) == check
    check_path(results, digest).write_text("{")
    assert read_check(results, digest) is None
    # Another data set whose digest begins alike is another data set.
    check_path(results, digest).write_text(DataCheck(digest=digest[:16] + "other").to_json())
    assert planner.plan().data_checks == plan.data_checks
