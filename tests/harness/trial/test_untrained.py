"""`epochs = 0`: a model is scored as it is built, and nothing of it changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import safetensors.torch
import torch

from harness.contract.tables import OWN_HEAD, from_bytes
from harness.contract.types import Epoch
from harness.metrics.functional import Scores
from harness.metrics.registry import study_metrics
from harness.testing.fakes import tiny_spec
from harness.trial.model.build import build_model
from harness.trial.settings.training import TrainSettings
from harness.trial.trial import run_trial
from tests.plugins.datasets.manifest.tables import rows, write

UNTRAINED = {"epochs": 0}


def end(spec, catalog, workspace):
    *events, result = run_trial(spec, catalog, workspace)
    return [event for event in events if isinstance(event, Epoch)], result


def test_no_weight_changes_and_the_test_split_is_scored(tiny, workspace):
    spec = tiny_spec(stage="confirm", train=UNTRAINED)
    (scored,), result = end(spec, tiny, workspace)
    assert result.state == "complete" and result.epochs == 0 and result.value == scored.value
    dataset = tiny.build("dataset", spec.tree["dataset"], workspace.data)
    built = build_model(spec, tiny, dataset.task, TrainSettings.of(spec.tree["train"]), torch.device("cpu"))
    weights = safetensors.torch.load(result.files["weights.safetensors"])
    assert weights and all(torch.equal(value, weights[name]) for name, value in built.state_dict().items())
    assert "test/auroc" in result.metrics


def test_neither_training_split_nor_labels_are_needed(catalog, workspace, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(workspace.data / "home"))
    write(workspace.data, [{"image": row["image"]} for row in rows()], columns=["image"])
    dataset = {"use": "manifest", "path": "set/table.csv", "labels": ["a", "b"], "image_size": [64, 48], "unseen": True}
    model = {"use": "cnn", "backbone": {"use": "timm", "model": "test_resnet"}}
    spec = tiny_spec(stage="confirm", train=UNTRAINED)
    _, result = end(replace(spec, tree={**spec.tree, "dataset": dataset, "model": model}), catalog, workspace)
    assert result.state == "complete", result.reason
    scores = from_bytes(result.files["predictions.parquet"])
    own = scores[scores["head"] == OWN_HEAD]
    assert len(own) == 24 and np.isfinite(own["score"].to_numpy(float)).all() and own["label"].isna().all()


def test_a_model_worse_than_chance_has_a_threshold_above_every_score(catalog):
    (metric,) = study_metrics(catalog, ["accuracy_at_youden"], {})
    assert metric.fitted(Scores(np.array([1.0, 1, 0, 0]), np.array([0.1, 0.2, 0.3, 0.4]))) == np.inf
