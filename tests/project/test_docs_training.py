"""docs/training.md lists the built-in optimisers and schedules with their parameters and defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.contract.components import Component, parameters
from harness.contract.loading.catalog import Catalog

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
COMPONENTS = [item for kind, item, _ in Catalog.discover().items() if kind in ("optimiser", "schedule")]


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda item: item.name)
def test_each_is_listed_with_its_parameters(component: Component[Any]) -> None:
    known = parameters(component.build).values()
    listed = ", ".join(f"`{item.name} = {_toml(item.default)}`" for item in known)
    row = f"| `{component.name}` | {component.summary} | {listed} | {component.source} |".replace("  ", " ")
    assert row in PAGE.splitlines()


def test_nothing_else_is_listed() -> None:
    assert sum(line.startswith("| `") for line in PAGE.splitlines()) == len(COMPONENTS)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(list(value) if isinstance(value, tuple) else value)
