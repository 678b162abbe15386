"""Marks for laws that a component cannot keep."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract.components import Component


def declared(component: Component[Any], law: str) -> list[pytest.MarkDecorator]:
    """Return the marks of a law that `Component.xfail` names: one of its asserts must fail, not another error."""
    reason = component.xfail.get(law)
    broken = (AssertionError, pytest.fail.Exception)
    return [] if reason is None else [pytest.mark.xfail(reason=reason, raises=broken, strict=True)]
