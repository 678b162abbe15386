"""`gradcam_plus_plus`: its declaration; the formula is pytorch-grad-cam's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Component
from harness_explainers.facts import COMMON, one_gradient

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_gradcam_plus_plus() -> Explainer:
    """Build Grad-CAM++."""
    from pytorch_grad_cam import GradCAMPlusPlus

    from harness_explainers.cams.cam import Cam

    return Cam("gradcam_plus_plus", GradCAMPlusPlus)


GRADCAM_PLUS_PLUS: Component[Explainer] = Component(
    name="gradcam_plus_plus",
    build=build_gradcam_plus_plus,
    facts=one_gradient,
    summary="channels weighed by their positive gradients, cell by cell",
    source="Chattopadhay et al. 2018, WACV",
    needs=frozenset({"explain_layer"}),
    assumed=COMMON,
)
