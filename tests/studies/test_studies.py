"""Every study that comes with the harness can be planned at every budget, and trains."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Epoch, InputError, Plan
from harness.config.settings import Settings
from harness.config.trees import changes
from harness.contract.loading.catalog import Catalog
from harness.contract.types import VariantPlan, Workspace
from harness.study.file.spec import load_study
from harness.study.plan.plan import make_plan
from harness.testing.plans import default_trial
from harness.trial.trial import run_trial

BAGS = ("mil_aggregators",)
"""Studies whose data set counts bags."""
FOLDER = Path(__file__).parents[2] / "studies"
STUDIES = {path.stem: load_study(path) for path in sorted(FOLDER.glob("*.toml"))}
TRAINED = {name: study for name, study in STUDIES.items() if study.variants}
"""Without those that only read predictions: reader_study has tests of its own."""
BUDGETS = [(name, budget) for name, study in TRAINED.items() for budget in study.budgets]
SMALL = [pair for pair in BUDGETS if pair[1] not in ("paper", "real", "mnist")]
FEW = {name: "[24, 8, 8]" if name == "saliency_cnn" else "[16, 8, 8]" for name in STUDIES}
"""Images of train, val and test; where there are folds, a patient of each class in each fold."""
ONE_STEP_OF = {"saliency_cnn": ("densenet201.model.backbone.pretrained=false",)}


def _plan(name: str, budget: str, data: Path, catalog: Catalog, *overrides: str) -> Plan:
    settings = Settings(data=data, results=data / "results", cache=data / "cache")
    return make_plan(STUDIES[name], catalog, settings, budget=budget, overrides=overrides)


def _steps(plan: Plan, variants: Collection[str], catalog: Catalog, data: Path, cache: Path) -> None:
    """One epoch, of one step where the data are few, of these variants."""
    for variant in [item for item in plan.variants if item.name in variants]:
        epoch = next(_trial(plan, variant, catalog, data, cache))
        assert isinstance(epoch, Epoch), (variant.name, epoch)
        assert math.isfinite(epoch.metrics["train/loss"]), variant.name


def _trial(plan: Plan, variant: VariantPlan, catalog: Catalog, data: Path, cache: Path) -> Iterator[Any]:
    """The default trial of a variant."""
    return run_trial(default_trial(plan, variant), catalog, Workspace(data=data, cache=cache, device="cpu"))


def _few(name: str, counts: str) -> tuple[str, ...]:
    """One epoch of few images, or of few bags."""
    return "train.epochs=1", f"dataset.{'bags' if name in BAGS else 'images'}={counts}"


def _new(name: str, budget: str) -> set[str]:
    """The baseline, and the variants that no earlier budget of the study runs."""
    study = STUDIES[name]
    order = list(study.budgets)
    runs = [study.budgets[item].get("select", "all") for item in order[: order.index(budget)]]
    seen = {variant for run in runs for variant in (study.variants if run == "all" else run)}
    return (set(study.variants) - seen) | {study.base["study"]["baseline"]}


def test_there_are_studies_to_test() -> None:
    assert ("gmic_ablation", "quick") in SMALL


@pytest.mark.parametrize(("name", "budget"), [pair for pair in BUDGETS if pair[1] != "real"])
def test_every_study_is_planned_without_a_warning(name: str, budget: str, catalog: Catalog, tmp_path: Path) -> None:
    plan = _plan(name, budget, tmp_path, catalog)
    # A price, and the field of a cell: a budget of small images has few cells.
    known = (" takes ", "effectively sees")
    assert (plan.skipped, [text for text in plan.warnings if not any(part in text for part in known)]) == ((), [])
    fixed = budget == "mnist" or (name, budget) in {("a_mil", "paper"), ("ag_cnn", "paper")}
    published = bool(plan.confirm["folds"]) or fixed  # there nothing is searched
    assert published or all(variant.searched for variant in plan.variants)
    assert plan.demonstration == (budget == "quick")


@pytest.mark.parametrize(("name", "budget"), SMALL)
def test_every_variant_takes_a_training_step(name: str, budget: str, catalog: Catalog, tmp_path: Path) -> None:
    plan = _plan(name, budget, tmp_path, catalog, *_few(name, FEW[name]))
    _steps(plan, _new(name, budget), catalog, tmp_path, tmp_path / "cache")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "budget"), [pair for pair in BUDGETS if pair[1] == "paper"])
def test_the_published_size_takes_a_training_step(name: str, budget: str, catalog: Catalog, tmp_path: Path) -> None:
    if name in BAGS:
        pytest.skip("needs HARNESS_DATA: see below")
    counts = FEW[name] if name in ONE_STEP_OF else "[4, 4, 4]"
    more = () if name in ONE_STEP_OF else ("train.batch_size=1",)
    plan = _plan(name, budget, tmp_path, catalog, *more, *_few(name, counts), *ONE_STEP_OF.get(name, ()))
    _steps(plan, {plan.baseline}, catalog, tmp_path, tmp_path / "cache")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "variant"),
    [
        (name, variant)
        for name, budget in BUDGETS
        if budget == "paper" and name not in BAGS
        for variant in sorted(_new(name, budget))
        if TRAINED[name].budgets[budget]["select"] == "all" or variant in TRAINED[name].budgets[budget]["select"]
    ],
)
def test_every_published_network_takes_a_training_step(
    name: str, variant: str, catalog: Catalog, tmp_path: Path
) -> None:
    """Those that no smaller budget runs; on smaller images where the published ones are mammograms."""
    more = [f'select=["{variant}"]', f'study.baseline="{variant}"', "train.batch_size=2"]
    if "pretrained" in str(STUDIES[name].variants[variant]):
        more.append(f"{variant}.model.backbone.pretrained=false")
    if STUDIES[name].budgets["paper"]["dataset"]["image_size"][0] > 1000:
        more.append("dataset.image_size=[1024, 768]")
    few = _few(name, FEW[name] if name in ONE_STEP_OF else "[4, 4, 4]")
    plan = _plan(name, "paper", tmp_path, catalog, *few, *more)
    _steps(plan, {variant}, catalog, tmp_path, tmp_path / "cache")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "budget"), [(name, budget) for name in ("mil_aggregators",) for budget in ("mnist", "paper")]
)
def test_digits_of_the_user_are_trained_on(
    name: str, budget: str, catalog: Catalog, data_root: Path, tmp_path: Path
) -> None:
    plan = _plan(name, budget, data_root, catalog, *_few(name, "[8, 8, 8]"))
    _steps(plan, {plan.baseline}, catalog, data_root, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "budget"), [pair for pair in BUDGETS if pair[1] == "real"])
def test_real_data_are_planned_and_trained_on(
    name: str, budget: str, catalog: Catalog, data_root: Path, tmp_path: Path
) -> None:
    plan = _plan(name, budget, data_root, catalog, "train.epochs=1")
    assert plan.skipped == () and not [warning for warning in plan.warnings if " takes " not in warning]
    _steps(plan, {plan.baseline}, catalog, data_root, tmp_path)


def test_the_standard_map_has_enough_cells(catalog: Catalog, tmp_path: Path) -> None:
    plan = _plan("gmic_ablation", "standard", tmp_path, catalog)
    assert all(variant.facts["cells"] >= 150 for variant in plan.variants)
    assert len(plan.variants) == len(STUDIES["gmic_ablation"].variants)
    assert (plan.trials, len(plan.confirm["seeds"]), plan.tree["dataset"]["images"][0]) == (8, 3, 400)


def test_the_paper_budget_is_the_papers(catalog: Catalog, tmp_path: Path) -> None:
    plan = _plan("gmic_ablation", "paper", tmp_path, catalog)
    gmic = plan.variants[0]
    assert gmic.facts["map"] == [46, 30]
    assert gmic.facts["crop_px"] == 256
    assert gmic.tree["train"]["lr"] == {"log10": [-5.5, -4]}
    assert gmic.tree["model"]["map_l1"] == {"log10": [-5.5, -3.5]}
    assert (plan.trials, plan.search["sampler"]["use"]) == (30, "random")
    other = _plan("gmic_baselines", "paper", tmp_path, catalog).variants
    assert gmic.tree["train"] == {key: other[0].tree["train"][key] for key in gmic.tree["train"]}
    found = other[0].tree["model"]["pooling"]["fraction"]
    assert found == {"choice": [0.02, 0.03, 0.05, 0.10], "default": 0.03}, "t is searched there, and a variant here"
    same = {**other[0].tree["model"], "pooling": gmic.tree["model"]["pooling"]}
    assert (gmic.tree["train"]["tta"], gmic.tree["model"]) == (10, same)
    (old,) = [variant for variant in other if variant.name == "gmic_2019"]
    assert set(old.searched) == {"train.lr", "model.map_weight", "model.map_exponent", "model.pooling.fraction"}
    assert old.tree["train"]["lr"] == {"log10": [-5.5, -3.8]}


def test_what_a_missing_view_costs_is_measured_from_complete_exams(catalog: Catalog, tmp_path: Path) -> None:
    missing = {
        item.name: item.tree["dataset"]["missing"] for item in _plan("dmv_cnn", "standard", tmp_path, catalog).variants
    }
    assert {missing["complete"], missing["dmv_cnn"], missing["one_view"]} == {0.0, 0.1, 1.0}


@pytest.mark.parametrize("name", [name for name, study in TRAINED.items() if study.base["study"].get("claims")])
def test_every_claim_is_asked_at_some_budget_and_of_classes_that_are_there(
    name: str, catalog: Catalog, tmp_path: Path
) -> None:
    asked = [_plan(name, budget, tmp_path, catalog) for study, budget in BUDGETS if study == name and budget != "real"]
    stated = STUDIES[name].base["study"]["claims"]
    assert {(item["better"], item["than"]) for item in stated} == {(c.better, c.than) for p in asked for c in p.claims}
    for plan in asked:
        classes = catalog.build("dataset", plan.tree["dataset"], tmp_path).task.classes
        assert {claim.label for claim in plan.claims} <= {"", *classes}


def test_a_model_that_timm_has_not_is_found_by_the_plan(tmp_path: Path, catalog: Catalog) -> None:
    wrong = 'model.local_backbone={use="timm",model="resnt18"}'
    with pytest.raises(InputError, match="timm has no model named 'resnt18'; did you mean 'resnet18'"):
        _plan("gmic_ablation", "quick", tmp_path, catalog, wrong)


ONE_FACTOR = {
    "gmic": [],
    "gap": ["model.pooling.use = mean"],
    "gmp": ["model.pooling.use = max"],
    "top_1": ["model.pooling.fraction = 0.01"],
    "top_2": ["model.pooling.fraction = 0.02"],
    "top_5": ["model.pooling.fraction = 0.05"],
    "top_10": ["model.pooling.fraction = 0.1"],
    "top_20": ["model.pooling.fraction = 0.2"],
    "lse": ["model.pooling.use = lse"],
    "attention": ["model.pooling.use = attention"],
    "gated_attention": ["model.pooling.use = gated_attention"],
    "k1": ["model.crops = 1"],
    "k2": ["model.crops = 2"],
    "k3": ["model.crops = 3"],
    "k10": ["model.crops = 10"],
    "patch_uniform": ["model.local_pooling.use = uniform"],
    "patch_attention": ["model.local_pooling.use = attention"],
    "random_crops": ["model.crop_choice = random"],
    "tuned": ["model.crops = int [1, 6]", "model.pooling.fraction = float [0.01, 0.2]"],
}


def test_each_variant_of_gmic_ablation_changes_one_factor(catalog: Catalog, tmp_path: Path) -> None:
    """Round K = 6 and t = 3 %; `tuned` searches both."""
    plan = _plan("gmic_ablation", "standard", tmp_path, catalog)
    gmic = plan.variants[0].tree
    assert (gmic["model"]["crops"], gmic["model"]["pooling"]) == (6, {"use": "top_fraction", "fraction": 0.03})
    assert {variant.name: changes(gmic, variant.tree) for variant in plan.variants} == ONE_FACTOR


def test_the_quick_budget_of_gmic_ablation(catalog: Catalog, tmp_path: Path) -> None:
    plan = _plan("gmic_ablation", "quick", tmp_path, catalog)
    assert plan.demonstration and 5 <= len(plan.variants) <= 6
    assert (plan.trials, len(plan.confirm["seeds"])) == (3, 2)
    assert all(variant.tree["model"]["backbone"]["stride"] == 16 for variant in plan.variants)
