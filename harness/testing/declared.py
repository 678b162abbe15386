"""The laws that a component says it cannot keep."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract.components import Component


def declared(component: Component[Any], law: str) -> list[pytest.MarkDecorator]:
    """Marks a law that `Component.xfail` names: it must be broken, and by what it asserts, not by another error."""
    reason = component.xfail.get(law)
    broken = (AssertionError, pytest.fail.Exception)
    return [] if reason is None else [pytest.mark.xfail(reason=reason, raises=broken, strict=True)]
