"""An error at a seam names the law that finds the fault, so that law must exist."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import harness
from harness.contract.components import KINDS
from harness.testing.laws.registry import laws_of_kind

ROOT = Path(harness.__file__).parent


def _named() -> Iterator[str]:
    """Yield every text that a variable of an error's law holds: `law`, `_LAW`, `MAP_LAW`."""
    for path in sorted((ROOT / "trial").rglob("*.py")) + sorted((ROOT / "contract").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                (target,) = node.targets
                if isinstance(target, ast.Name) and target.id.lower().endswith("law"):
                    yield str(node.value.value)


def test_every_law_that_an_error_names_exists() -> None:
    laws = {law.name for kind in KINDS for law in laws_of_kind(kind)}
    named = list(_named())
    assert len(named) >= 5 and set(named) <= laws
