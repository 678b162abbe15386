"""What `harness.testing` exports: every class of laws, each imported when it is first used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import harness.testing

HEAVY = ("torch", "numpy", "pydantic", "pytest")


def test_every_class_of_laws_is_exported() -> None:
    folder = Path(harness.testing.__file__).parent
    trees = [ast.parse(path.read_text()) for path in folder.glob("contracts_*.py")]
    laws = {node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}
    public = {name for name in laws if name.endswith("Laws") and name != "Laws"}
    assert public == {name for name in harness.testing.__all__ if name.endswith("Laws")}


def test_importing_it_loads_nothing_heavy() -> None:
    code = f"import sys, harness.testing; print([name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'harness.testing' has no attribute 'PoolLaws'"):
        harness.testing.PoolLaws  # noqa: B018
