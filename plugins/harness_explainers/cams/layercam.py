"""`layercam`: its declaration; the formula is pytorch-grad-cam's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Component
from harness_explainers.facts import COMMON, one_gradient

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_layercam() -> Explainer:
    """Build Layer-CAM."""
    from pytorch_grad_cam import LayerCAM

    from harness_explainers.cams.cam import Cam

    return Cam("layercam", LayerCAM)


LAYERCAM: Component[Explainer] = Component(
    name="layercam",
    build=build_layercam,
    facts=one_gradient,
    summary="positive gradient times activation, summed over channels",
    source="Jiang et al. 2021, IEEE Transactions on Image Processing",
    needs=frozenset({"explain_layer"}),
    assumed=COMMON,
)
