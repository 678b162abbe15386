"""`gradcam`: its declaration; the formula is pytorch-grad-cam's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Component
from harness_explainers.facts import COMMON, one_gradient

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_gradcam() -> Explainer:
    """Build Grad-CAM."""
    from pytorch_grad_cam import GradCAM

    from harness_explainers.cams.cam import Cam

    return Cam("gradcam", GradCAM)


GRADCAM: Component[Explainer] = Component(
    name="gradcam",
    build=build_gradcam,
    facts=one_gradient,
    summary="channels weighed by their mean gradient",
    source="Selvaraju et al. 2017, ICCV",
    needs=frozenset({"explain_layer"}),
    assumed=COMMON,
)
