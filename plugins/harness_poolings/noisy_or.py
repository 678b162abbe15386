"""`noisy_or`: one positive instance suffices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import Component


def build_noisy_or(features: int, outputs: int, /) -> Any:
    """Build the probability that any instance is positive, if they were independent."""
    from harness_poolings.modules import NoisyOr

    return NoisyOr()


def noisy_or_facts(cells: int, /) -> Mapping[str, Any]:
    """Return that it pools probabilities only."""
    return {"pools": "probabilities"}


NOISY_OR: Component[Any] = Component(
    name="noisy_or",
    build=build_noisy_or,
    facts=noisy_or_facts,
    summary="1 - product of (1 - p): one positive instance suffices; pools probabilities only",
    source="Maron, Lozano-Perez 1998, NIPS",
    assumed={"range": "values are clamped to [0, 1 - 1e-6], so that the gradient stays finite"},
)
