"""Checks of parameters that several architectures make. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def check_pools_features(pooling: Any, instances: int, slot: str = "pooling") -> Mapping[str, Any]:
    """Return the facts of a pooling of so many instances that is to pool features.

    Raises:
        ValueError: it pools probabilities only.
    """
    facts: Mapping[str, Any] = pooling.facts(instances)
    if facts.get("pools") == "probabilities":
        raise ValueError(f"{slot} pools features, {pooling.name!r} pools probabilities only.")
    return facts
