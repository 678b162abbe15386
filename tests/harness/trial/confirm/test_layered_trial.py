"""A trial of a multi-class task with layer maps, from the data set to its tables."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Output, Targets
from harness.contract.tables import CONTROL, WEIGHTS_CONTROL, from_bytes
from harness.contract.types import Task, TrialResult, Workspace
from harness.metrics.maps.layers import by_image
from harness.metrics.registry import study_metrics
from harness.testing.fakes import tiny_spec
from harness.trial.model.measure import collector
from harness.trial.trial import run_trial
from tests.built_in_metrics import metric

CLASSES = {"ad", "ps", "cg", "st"}
EXPLAIN = {
    "use": ["gradcam", {"use": "occlusion", "window_px": 32, "stride_px": 32}],
    "images": 4,
    "measured": 5,
    "faithfulness": {"use": ["darken", "zero"], "images": 4, "thresholds": [0.65]},
}


@pytest.fixture(scope="module")
def result(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> TrialResult:
    """One epoch of a narrow network on 8 test images of 64 x 64."""
    folder = tmp_path_factory.mktemp("trial")
    model = {"use": "cnn", "backbone": {"use": "resnet22", "stride": 8, "width": 2}}
    dataset: dict[str, Any] = {"use": "skin_ultrasound", "images": [16, 8, 8], "image_size": [64, 64]}
    metrics = ("auroc", "top1", "precision_top1", "recall_top1", "f1_top1", "f1", "hit_rate_1", "s_plus", "s_minus")
    train = {"epochs": 1, "augment": ["flip", "rotate"], "optimiser": {"use": "sgd"}, "schedule": {"use": "step"}}
    spec = tiny_spec(stage="confirm", dataset=dataset, model=model, train=train, metrics=metrics, explain=EXPLAIN)
    workspace = Workspace(data=folder, cache=folder / "cache", device="cpu")
    *_, end = run_trial(spec, catalog, workspace)
    assert isinstance(end, TrialResult) and end.state == "complete", end
    return end


def test_scores_of_exclusive_classes_add_up_to_one(result: TrialResult) -> None:
    scores = from_bytes(result.files["predictions.parquet"])
    assert set(scores["class"]) == CLASSES
    sums = scores.groupby(["split", "id"])[["score", "label"]].sum()
    assert sums["score"].to_list() == pytest.approx([1.0] * 16, abs=1e-5) and set(sums["label"]) == {1.0}


def test_figures_of_decisions_and_layers_are_measured(result: TrialResult) -> None:
    for name in ("top1", "precision_top1", "recall_top1", "f1_top1", "f1", "hit_rate_1", "s_plus", "s_minus"):
        assert f"test/{name}" in result.metrics, name
    assert 0 <= result.metrics["test/top1"] <= 1
    assert result.metrics["test/recall_top1"] == pytest.approx(result.metrics["test/top1"])  # classes are even


def test_layers_are_those_of_the_images_class_and_explainers_are_measured_on_a_few(result: TrialResult) -> None:
    layers = from_bytes(result.files["layers.parquet"])
    assert set(layers["label"]) == {1.0} and set(layers["class"]) == CLASSES
    tested = layers[layers["split"] == "test"].groupby("map")["id"].nunique().to_dict()
    controls = {f"{CONTROL}centre": 8, f"{CONTROL}random": 8, f"{CONTROL}random_weights": 8}
    controls |= {f"{WEIGHTS_CONTROL}:{name}": 5 for name in ("gradcam", "occlusion")}
    assert tested == {"native": 8, "gradcam": 5, "occlusion": 5, **controls}
    fitted = layers[layers["split"] == "tune_loc"]
    assert not {"gradcam", "occlusion"} & set(fitted["map"])  # nothing is fitted to layers


def test_confidence_is_measured_with_either_part_covered(result: TrialResult) -> None:
    rows = from_bytes(result.files["faithfulness.parquet"])
    assert set(rows["map"]) == {"native", "gradcam", "occlusion"} and rows["id"].nunique() == 4
    assert set(zip(rows["method"], rows["covered"], strict=True)) == {
        (method, place + covered)
        for method in ("darken", "zero")
        for place in ("", "shifted_")
        for covered in ("rest", "important")
    }
    assert rows["before"].between(0, 1).all() and rows["after"].between(0, 1).all()


def test_the_map_beside_the_layers_is_that_of_the_class_the_model_says() -> None:
    task = Task(classes=("a", "b"), kind="multiclass", image_size=(4, 4), mask_kind="layers")
    layers = torch.zeros(1, 2, 4, 4)
    layers[0, 0, 1] = 255  # the image is of class "a"
    saliency = torch.zeros(1, 2, 4, 4)
    saliency[0, 0, 3], saliency[0, 1, 1] = 1.0, 1.0  # the map of "b" hits the key layer, that of "a" the background
    batch = Batch(
        images=torch.zeros(1, 1, 4, 4),
        labels=torch.tensor([[1.0, 0.0]]),
        targets=Targets(masks=layers, known=torch.ones(1, 2, dtype=torch.bool)),
    )
    for probs, score in (([0.9, 0.1], -1.0), ([0.1, 0.9], 3.0)):
        one = catalog_metric("hit_rate_1", task)
        one.update(Output(probs=torch.tensor([probs]), saliency=saliency), batch)
        assert one.compute()["a"] == score


def catalog_metric(name: str, task: Task) -> Any:
    return collector(study_metrics(Catalog.discover(), [name])[0], task)


def test_metric_and_table_of_layers_say_the_same(result: TrialResult) -> None:
    rows = from_bytes(result.files["layers.parquet"])
    own = rows[(rows["split"] == "test") & (rows["map"] == "native")]
    by_class = [metric("hit_rate_1").values(by_image(of_class)).tolist() for _, of_class in own.groupby("class")]
    assert result.metrics["test/hit_rate_1"] == pytest.approx(sum(sum(v) / len(v) for v in by_class) / len(by_class))
