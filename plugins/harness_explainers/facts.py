"""Common declarations of explainers: costs, checks and the choices that sources leave open. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COMMON = {
    "score": "the class's logit where the model has logits, else its probability",
    "scale": "values below 0 are cut, each map is divided by its maximum, small ones are enlarged bilinearly",
}
"""Assumptions of every explainer of a score."""


def one_pass(**_: Any) -> Mapping[str, Any]:
    """Return the cost of a forward pass for each image and class."""
    return {"cost": {"forwards": 1}}


def one_gradient(**_: Any) -> Mapping[str, Any]:
    """Return the cost of a forward and a backward pass for each image and class."""
    return {"cost": {"forwards": 1, "backwards": 1}}


def at_least_one(**values: int) -> None:
    """Check that each of these parameters is 1 or more.

    Raises:
        ValueError: one is not.
    """
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"`{name} >= 1` must hold, but got {name}={value}.")
