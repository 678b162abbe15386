"""`hirescam`: its declaration; the formula is pytorch-grad-cam's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Component
from harness_explainers.facts import COMMON, one_gradient

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_hirescam() -> Explainer:
    """Build HiRes-CAM."""
    from pytorch_grad_cam import HiResCAM

    from harness_explainers.cams.cam import Cam

    return Cam("hirescam", HiResCAM)


HIRESCAM: Component[Explainer] = Component(
    name="hirescam",
    build=build_hirescam,
    facts=one_gradient,
    summary="gradient times activation, summed over channels",
    source="Draelos & Carin 2020",
    needs=frozenset({"explain_layer"}),
    assumed=COMMON,
)
