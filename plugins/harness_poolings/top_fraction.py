"""`top_fraction`: the mean of the highest share of instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import Component
from harness_poolings.rules import keeps, kept


def build_top_fraction(features: int, outputs: int, /, *, fraction: float = 0.03) -> Any:
    """Build the mean of each column's highest values.

    Args:
        features: not used.
        outputs: not used.
        fraction: share of the unmasked instances that are kept, in (0, 1]; at least one is kept.
    """
    from harness_poolings.modules import TopFraction

    kept(1, fraction)
    return TopFraction(fraction)


def top_fraction_facts(cells: int, /, *, fraction: float) -> Mapping[str, Any]:
    """Return the number of cells that the fraction keeps."""
    return keeps(kept(cells, fraction))


TOP_FRACTION: Component[Any] = Component(
    name="top_fraction",
    build=build_top_fraction,
    facts=top_fraction_facts,
    summary="mean of the highest share of instances (GMIC's top-t %)",
    source="Shen et al. 2021, Medical Image Analysis 68, 101908",
    tiny={"fraction": 0.5},
    space={"fraction": {"float": [0.01, 0.2], "log": True}},
    assumed={"fraction": "a share of the unmasked instances, rounded half to even, at least one"},
    equals={"mean": {"fraction": 1.0}, "max": {"fraction": 0.02}},  # one cell of fifty, or fewer
    xfail={"gradient_reaches_every_instance": "what is not kept gets no gradient"},
)
