"""`max`: the highest instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import Component
from harness_poolings.rules import keeps


def build_max(features: int, outputs: int, /) -> Any:
    """Build the highest value of each column."""
    from harness_poolings.modules import TopFraction

    return TopFraction(None)


def max_facts(cells: int, /) -> Mapping[str, Any]:
    """Return that the maximum keeps one cell."""
    return keeps(1)


MAX: Component[Any] = Component(
    name="max",
    build=build_max,
    facts=max_facts,
    summary="highest instance (GMP)",
    xfail={"gradient_reaches_every_instance": "what is not kept gets no gradient"},
)
