"""`native`: its declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Component
from harness_explainers.facts import one_pass

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_native() -> Explainer:
    """Build the explainer that shows the model's own saliency."""
    from harness_explainers.native.explainer import Native

    return Native("native")


NATIVE: Component[Explainer] = Component(
    name="native",
    build=build_native,
    facts=one_pass,
    summary="the model's own saliency maps, each cell drawn as a rectangle",
    source="Shen et al. 2020, Medical Image Analysis, 101908",
    needs=frozenset({"saliency"}),
    assumed={"upsampling": "nearest neighbour, as Dice reads the maps: no value is shown that the model did not give"},
)
