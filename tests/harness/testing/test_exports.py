"""What `harness.testing` exports: every class of laws, each imported when it is first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import harness.testing
from harness.contract.components import KINDS

HEAVY = ("torch", "numpy", "pydantic", "pytest")


def test_every_kind_has_a_class_of_laws() -> None:
    classes = [getattr(harness.testing, name) for name in harness.testing.__all__ if name.endswith("Laws")]
    assert sorted(kind for laws in classes for kind in laws.kinds) == sorted(KINDS)


def test_importing_it_loads_nothing_heavy() -> None:
    code = f"import sys, harness.testing; print([name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'harness.testing' has no attribute 'PoolLaws'"):
        harness.testing.PoolLaws  # noqa: B018
