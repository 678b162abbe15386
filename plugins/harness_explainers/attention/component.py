"""`attention`: its declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Component
from harness_explainers.facts import one_pass

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_attention() -> Explainer:
    """Build the explainer of attention over crops, painted where they lie."""
    from harness_explainers.attention.explainer import Attention

    return Attention("attention")


ATTENTION: Component[Explainer] = Component(
    name="attention",
    build=build_attention,
    facts=one_pass,
    summary="attention over crops, painted back where they were taken; the same for every class",
    source="Ilse et al. 2018, ICML; Shen et al. 2020, Medical Image Analysis, 101908",
    assumed={"overlap": "the highest weight of the boxes that cover a pixel; divided by the map's maximum"},
)
