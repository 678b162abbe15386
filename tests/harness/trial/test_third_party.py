"""A stranger's installed plugin, trained as any other: what it may do, and what the fence stops."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contract.loading.catalog import Catalog
from harness.contract.types import Epoch, TrialResult, TrialSpec, Workspace
from harness.testing.fakes import tiny_spec
from harness.trial.trial import run_trial

MAP_MEAN = {"use": "map_mean", "backbone": {"use": "two_convs"}}


@pytest.fixture
def strangers(third_party_site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    monkeypatch.syspath_prepend(str(third_party_site))
    yield Catalog.discover()
    for name in [name for name in sys.modules if name.startswith(("acme_example", "third_party_plugin"))]:
        del sys.modules[name]


def spec_of(model: dict[str, Any], **train: Any) -> TrialSpec:
    spec = tiny_spec(metrics=("auroc",), train=train)
    return replace(spec, tree={**spec.tree, "dataset": {"use": "stripes"}, "model": model})


def result_of(model: dict[str, Any], catalog: Catalog, workspace: Workspace) -> TrialResult:
    *_, result = run_trial(spec_of(model), catalog, workspace)
    assert isinstance(result, TrialResult)
    return result


def test_a_plugin_that_reads_a_mask_in_training_is_stopped(strangers: Catalog, workspace: Workspace) -> None:
    mask = workspace.data / "stripes" / "train3.npy"
    stopped = result_of({"use": "spy", "path": str(mask)}, strangers, workspace)
    assert mask.is_file(), "there was something to read"
    assert stopped.state == "failed" and "train3.npy" in stopped.reason and "sealed" in stopped.reason
    assert stopped.ledger["read"]["fit"]["masks"] == 0

    harmless = result_of({"use": "spy", "path": str(workspace.data / "nothing.npy")}, strangers, workspace)
    assert (harmless.state, harmless.reason) == ("complete", "")
    assert result_of(MAP_MEAN, strangers, workspace).state == "complete"


def test_a_training_with_a_strangers_optimiser_and_schedule_is_resumed(
    strangers: Catalog, workspace: Workspace
) -> None:
    spec = spec_of(MAP_MEAN, epochs=4, optimiser={"use": "sign_sgd", "momentum": 0.5}, schedule={"use": "staircase"})
    *whole, expected = run_trial(spec, strangers, replace(workspace, checkpoints=None))
    running = run_trial(spec, strangers, workspace)
    next(running), next(running), next(running)
    running.close()  # after two epochs whose checkpoints are written
    *rest, result = run_trial(spec, strangers, workspace)
    assert isinstance(expected, TrialResult) and isinstance(result, TrialResult)
    assert (result.state, result.value, result.metrics) == ("complete", expected.value, expected.metrics)
    assert [epoch.metrics for epoch in rest if isinstance(epoch, Epoch)] == [
        epoch.metrics for epoch in whole[2:] if isinstance(epoch, Epoch)
    ]
    *_, other = run_trial(spec_of(MAP_MEAN, epochs=4), strangers, replace(workspace, checkpoints=None))
    assert isinstance(other, TrialResult) and other.metrics["train/loss"] != expected.metrics["train/loss"]
