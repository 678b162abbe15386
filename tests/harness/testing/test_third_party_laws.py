"""The laws, as a stranger runs them: on the package that `harness plugin new` copies."""

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

SOURCE = str(Path(__file__).parents[3] / "example" / "src")
sys.path.insert(0, SOURCE)
acme_example = importlib.import_module("acme_example")
sys.path.remove(SOURCE)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builders import the torch side of the package when they are called."""
    monkeypatch.syspath_prepend(SOURCE)


class TestBackbone(BackboneLaws):
    plugin = acme_example


class TestPooling(PoolingLaws):
    plugin = acme_example


class TestDataset(DatasetLaws):
    plugin = acme_example
    change = {"size": 32}


class TestExplainer(ExplainerLaws):
    plugin = acme_example


class TestMetric(MetricLaws):
    plugin = acme_example


class TestOptimiser(OptimiserLaws):
    plugin = acme_example


class TestSchedule(ScheduleLaws):
    plugin = acme_example
