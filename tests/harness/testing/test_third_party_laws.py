"""The laws, as a stranger runs them: on the package that `harness plugin new` copies."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from harness.testing import laws_for

SOURCE = str(Path(__file__).parents[3] / "example" / "src")
sys.path.insert(0, SOURCE)
acme_example = importlib.import_module("acme_example")
sys.path.remove(SOURCE)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builders import the torch side of the package when they are called."""
    monkeypatch.syspath_prepend(SOURCE)


test_laws = laws_for(
    acme_example,
    change={"size": 32},
)
