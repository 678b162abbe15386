"""The study of skin classifiers, made tiny: folds from the study file to the tables, and its published settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.adapters.inline import InlineTuner
from harness.adapters.optuna.search import OptunaSampler
from harness.config.settings import Settings
from harness.contract.loading.catalog import Catalog
from harness.study.file.spec import load_study
from harness.study.plan.plan import make_plan
from harness.study.results.results import Results, read_results
from harness.study.run.run import run_study

STUDY = load_study(Path(__file__).parents[2] / "studies" / "saliency_cnn.toml")
TINY = (
    'select=["small_densenet","small_resnet"]',
    'small_densenet.model.backbone={use="resnet22",stride=8,width=4}',
    'small_resnet.model.backbone={use="resnet22",stride=16,width=4}',
    "dataset.image_size=[64,64]",
    "dataset.images=[16,8,8]",
    "train.epochs=1",
    "confirm.folds=3",
    'explain.use=["native","gradcam"]',
    "explain.measured=4",
    "explain.faithfulness.images=4",
)


@pytest.fixture(scope="module")
def results(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two narrow networks over three folds."""
    folder = tmp_path_factory.mktemp("study")
    settings = Settings(data=folder, results=folder / "results", cache=folder / "cache", device="cpu")
    plan = make_plan(STUDY, catalog, settings, budget="quick", overrides=TINY)
    known = (" takes ", "effectively sees")  # prices, and the field of a cell in small images
    assert not plan.skipped and all(any(part in text for part in known) for text in plan.warnings), plan.warnings
    outcome = run_study(plan, settings, catalog, InlineTuner(), OptunaSampler(f"sqlite:///{folder / 'optuna.db'}"))
    assert outcome.exit_code == 0, outcome
    return read_results(settings.results / plan.directory, catalog)


def test_every_image_is_tested_once_and_no_patient_is_in_two_folds(results: Results) -> None:
    tested = results.predictions.query("split == 'test' and head == 'output' and variant == 'small_resnet'")
    assert tested["id"].nunique() == 32 and not tested.duplicated(["id", "class"]).any()
    assert (tested.groupby("group")["fold"].nunique() == 1).all() and set(tested["fold"]) == {0, 1, 2}


def test_the_table_is_of_all_folds_not_of_the_best(results: Results) -> None:
    table, each = results.variants.set_index("variant"), results.classification
    assert table["replicates"].to_list() == [3, 3]
    aucs = each.query("metric == 'auroc' and `class` == '' and head == 'output' and variant == 'small_resnet'")["value"]
    assert table.loc["small_resnet", "auroc"] == pytest.approx(aucs.mean())
    assert table.loc["small_resnet", "auroc_std"] == pytest.approx(aucs.std())
    for metric in ("top1", "precision_top1", "recall_top1", "f1_top1", "accuracy", "precision", "recall", "f1"):
        assert len(each.query("metric == @metric and `class` == '' and head == 'output'")) == 6, metric


def test_layers_tell_hits_and_coverage_of_each_map_and_fold(results: Results) -> None:
    table = results.localisation
    for metric in ("hit_rate_1", "hit_rate_2", "s_plus", "s_minus", "layer_jaccard_3_at_65"):
        own = table.query("metric == @metric and `class` == '' and variant == 'small_densenet'")
        assert set(own["map"]) >= {"native", "gradcam", "control:centre", "control:random_weights"}, metric
        assert set(own["fold"]) == {0, 1, 2}
    assert set(results.layers["level"]) == {255, 128, 64, 32, 0}


def test_drop_and_increase_in_confidence_and_the_chart_are_there(results: Results) -> None:
    table = results.faithfulness
    assert set(zip(table["map"], table["method"], strict=True)) == {
        (name, method) for name in ("native", "gradcam") for method in ("darken", "zero")
    }
    assert table[["rest_increase", "important_drop", "margin"]].notna().all().all()
    chart = results.decisions()
    assert chart["focus"].between(0, 1).all() and (chart["of_focus"] != "").all()


def test_the_published_settings(catalog: Catalog, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, results=tmp_path / "results", cache=tmp_path / "cache")
    plan = make_plan(STUDY, catalog, settings, budget="paper")
    assert [variant.name for variant in plan.variants] == ["densenet201", "googlenet", "mobilenetv2", "resnet101"]
    train = plan.variants[0].tree["train"]
    assert (train["epochs"], train["batch_size"], train["lr"], train["normalise"]) == (100, 8, 1e-4, "unit")
    assert train["optimiser"]["momentum"] == 0.9
    assert (train["schedule"]["every"], train["schedule"]["factor"]) == (7, 0.1)
    assert (plan.trials, plan.confirm["folds"], len(plan.explain["use"])) == (1, 5, 13)
    windows = [entry for entry in plan.explain["use"] if not isinstance(entry, str)]
    assert [(entry["name"], entry["window_px"], entry["stride_px"]) for entry in windows] == [
        ("occlusion_15", 15, 9),
        ("occlusion_30", 30, 9),
        ("occlusion_45", 45, 9),
    ]
    assert plan.explain["faithfulness"]["thresholds"] == [round(0.5 + 0.05 * step, 2) for step in range(10)]
    assert plan.explain["faithfulness"]["use"] == ["darken", "zero"]
    assert not any(variant.searched for variant in plan.variants)
