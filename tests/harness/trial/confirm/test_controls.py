"""Controls of localisation: recorded where a study asks for a metric of maps, and they know nothing of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import harness_metrics
from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Explainer, Model
from harness.contract.tables import from_bytes
from harness.contract.types import TrialResult, TrialSpec, Workspace
from harness.testing.fakes import build_squares, squares_task, tiny_spec
from harness.trial.confirm.controls import _fresh
from harness.trial.data.cache import Cache
from harness.trial.data.stage import FitData, Ledger
from harness.trial.trial import run_trial

NAMES = {"native", "control:centre", "control:random", "control:random_weights"}


class Dice:
    """The built-in Dice, beside the tiny components."""

    @staticmethod
    def harness_metrics() -> list:
        return [item for item in harness_metrics.harness_metrics() if item.name == "dice"]


@pytest.fixture
def catalog(tiny: Catalog) -> Catalog:
    from harness import hookimpl

    class Plugin:
        harness_metrics = staticmethod(hookimpl(Dice.harness_metrics))

    tiny.register(Plugin())
    return tiny


def end(spec: TrialSpec, catalog: Catalog, workspace: Workspace) -> TrialResult:
    *_, result = run_trial(spec, catalog, workspace)
    assert isinstance(result, TrialResult) and result.state == "complete", result
    return result


def test_each_floor_has_the_rows_of_the_models_own_maps(catalog: Catalog, workspace: Workspace) -> None:
    result = end(tiny_spec(stage="confirm", metrics=("auroc", "dice")), catalog, workspace)
    maps, candidates = (from_bytes(result.files[f"{name}.parquet"]) for name in ("maps", "candidates"))
    assert set(maps["map"]) == NAMES == set(candidates["map"])
    counts = maps.groupby(["map", "split"]).size()
    assert counts.nunique() == 1
    lesions = from_bytes(result.files["lesions.parquet"])
    assert not lesions.duplicated(["split", "id", "class", "lesion"]).any()
    drawn = maps[(maps["map"] == "native") & (maps["label"] == 1)].set_index(["split", "id", "class"]).sort_index()
    area = lesions.groupby(["split", "id", "class"])["area"].sum()
    assert area.to_list() == pytest.approx(drawn["mask_area"].to_list())


class Shine(Explainer):
    """An explainer that shows the image, whatever the weights; of random weights it shows nothing if it is told so."""

    def __init__(self, fails: bool) -> None:
        self._fails, self._trained = fails, list[Model]()

    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> torch.Tensor:
        self._trained = self._trained or [model]
        if self._fails and model is not self._trained[0]:
            raise ValueError("a map is not finite")
        return batch.images.mean(1).sigmoid()


def build_shine(*, fails: bool = False) -> Explainer:
    return Shine(fails)


def explained(catalog: Catalog, workspace: Workspace, **table: bool) -> TrialResult:
    from harness import Component, hookimpl

    class Shining:
        @hookimpl
        def harness_explainers(self) -> list:
            return [Component(name="shine", build=build_shine, summary="the image")]

    catalog.register(Shining())
    explain = {"use": [{"use": "shine", **table}]}
    return end(tiny_spec(stage="confirm", metrics=("auroc", "dice"), explain=explain), catalog, workspace)


def test_an_explainer_that_shows_the_image_equals_its_control(catalog: Catalog, workspace: Workspace) -> None:
    maps = from_bytes(explained(catalog, workspace).files["maps.parquet"])
    assert set(maps["map"]) == {*NAMES, "shine", "control:random_weights:shine"}
    shown, control = (
        maps[maps["map"] == name].drop(columns="map") for name in ("shine", "control:random_weights:shine")
    )
    pd.testing.assert_frame_equal(shown.reset_index(drop=True), control.reset_index(drop=True))


def test_an_explainer_that_fails_on_random_weights_costs_its_floor_alone(
    catalog: Catalog, workspace: Workspace
) -> None:
    result = explained(catalog, workspace, fails=True)
    assert set(from_bytes(result.files["maps.parquet"])["map"]) == {*NAMES, "shine"}
    assert result.files["explainers_left_out.txt"] == b"control:random_weights:shine: a map is not finite\n"


def test_without_a_metric_of_maps_there_are_no_controls(catalog: Catalog, workspace: Workspace) -> None:
    result = end(tiny_spec(stage="confirm"), catalog, workspace)
    assert set(from_bytes(result.files["maps.parquet"])["map"]) == {"native"}


def test_floors_change_nothing_of_the_model_and_repeat_themselves(catalog: Catalog, workspace: Workspace) -> None:
    plain = end(tiny_spec(stage="confirm"), catalog, replace(workspace, checkpoints=None))
    spec = tiny_spec(stage="confirm", metrics=("auroc", "dice"))
    once, twice = (end(spec, catalog, replace(workspace, checkpoints=None)) for _ in range(2))
    assert once.files["maps.parquet"] == twice.files["maps.parquet"]
    assert {key: once.metrics[key] for key in plain.metrics} == plain.metrics


def test_random_weights_are_random_whatever_the_build_loads(catalog: Catalog) -> None:
    models = [
        _fresh(
            tiny_spec(seed=seed),
            catalog,
            squares_task(),
        )
        for seed in (0, 0, 1)
    ]
    first, again, other = (torch.cat([p.flatten() for p in model.parameters()]) for model in models)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert not any(model.training for model in models)


def test_shuffled_labels_keep_their_prevalence_and_stay_with_their_masks(workspace: Workspace) -> None:
    cache = Cache.ensure(build_squares(workspace.data), workspace.cache)
    data = FitData.of(cache, ["train_masks"], Ledger()).train
    one, two = data.shuffled(1), data.shuffled(1)
    np.testing.assert_array_equal(one.split.labels, two.split.labels)
    assert not np.array_equal(one.split.labels, data.split.labels)
    assert sorted(map(tuple, one.split.labels)) == sorted(map(tuple, data.split.labels))
    assert one.split.images is data.split.images and one.outlines is not None
    np.testing.assert_array_equal(one.outlines.of(np.arange(len(one))).any((2, 3)), one.split.labels == 1)


def test_a_model_learns_nothing_from_shuffled_labels(catalog: Catalog, workspace: Workspace) -> None:
    train = {"epochs": 8, "lr": 0.03, "shuffle_labels": True}
    spec = tiny_spec(stage="control", train=train, dataset={"images": 48})
    result = end(spec, catalog, workspace)
    rows = from_bytes(result.files["predictions.parquet"])
    assert set(rows["variant"]) == {"control:shuffled_labels"}
    assert 0.2 < result.metrics["test/auroc"] < 0.8
