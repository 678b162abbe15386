"""`mean`, and `uniform`, which is the same as an ablation of attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import Component
from harness_poolings.rules import keeps


def build_mean(features: int, outputs: int, /) -> Any:
    """Build equal weights."""
    from harness_poolings.modules import Mean

    return Mean()


def mean_facts(cells: int, /) -> Mapping[str, Any]:
    """Return that the mean keeps every cell."""
    return keeps(cells)


MEAN: Component[Any] = Component(
    name="mean",
    build=build_mean,
    facts=mean_facts,
    summary="mean of all instances (GAP)",
)
UNIFORM: Component[Any] = Component(
    name="uniform",
    build=build_mean,
    facts=mean_facts,
    summary="equal weights: the ablation of attention, `mean` by another name",
)
