"""The laws, as a stranger runs them: on the plugin package that docs/plugins.md points to."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from harness.testing import laws_for

SOURCE = str(Path(__file__).parents[2] / "third_party" / "src")
sys.path.insert(0, SOURCE)
third_party_plugin = importlib.import_module("third_party_plugin")
sys.path.remove(SOURCE)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builders import the torch side of the package when they are called."""
    monkeypatch.syspath_prepend(SOURCE)


test_laws = laws_for(
    third_party_plugin,
    *("dataset", "backbone", "pooling", "explainer", "metric", "optimiser", "schedule"),
    change={"size": 32},
)
