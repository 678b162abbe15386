"""The laws, as a stranger runs them: on the plugin package that docs/plugins.md points to."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from harness.testing.contracts_data import DatasetLaws
from harness.testing.contracts_explainers import ExplainerLaws
from harness.testing.contracts_metrics import MetricLaws
from harness.testing.contracts_models import BackboneLaws, PoolingLaws
from harness.testing.contracts_training import OptimiserLaws, ScheduleLaws

SOURCE = str(Path(__file__).parents[2] / "third_party" / "src")
sys.path.insert(0, SOURCE)
third_party_plugin = importlib.import_module("third_party_plugin")
sys.path.remove(SOURCE)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builders import the torch side of the package when they are called."""
    monkeypatch.syspath_prepend(SOURCE)


class TestBackbone(BackboneLaws):
    plugin = third_party_plugin


class TestPooling(PoolingLaws):
    plugin = third_party_plugin


class TestDataset(DatasetLaws):
    plugin = third_party_plugin
    change = {"size": 32}


class TestExplainer(ExplainerLaws):
    plugin = third_party_plugin


class TestMetric(MetricLaws):
    plugin = third_party_plugin


class TestOptimiser(OptimiserLaws):
    plugin = third_party_plugin


class TestSchedule(ScheduleLaws):
    plugin = third_party_plugin
