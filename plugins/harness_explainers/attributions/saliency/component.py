"""`saliency`: its declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Component
from harness_explainers.facts import COMMON, one_gradient

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_saliency() -> Explainer:
    """Build the explainer of the magnitude of the score's gradient."""
    from harness_explainers.attributions.saliency.explainer import Saliency

    return Saliency("saliency")


SALIENCY: Component[Explainer] = Component(
    name="saliency",
    build=build_saliency,
    facts=one_gradient,
    summary="size of the score's gradient, the highest over the image's channels",
    source="Simonyan et al. 2014, ICLR Workshops",
    assumed=COMMON,
)
