"""`eigengradcam`: its declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Component
from harness_explainers.facts import COMMON, one_gradient

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_eigengradcam() -> Explainer:
    """Build EigenGrad-CAM."""
    from harness_explainers.cams.cam import Cam
    from harness_explainers.cams.eigengradcam.method import SignedEigenGradCam

    return Cam("eigengradcam", SignedEigenGradCam)


EIGENGRADCAM: Component[Explainer] = Component(
    name="eigengradcam",
    build=build_eigengradcam,
    facts=one_gradient,
    summary="first principal component of gradient times activation",
    source="Gildenblat et al. 2021, pytorch-grad-cam; after Muhammad & Yeasin 2020, IJCNN",
    needs=frozenset({"explain_layer"}),
    assumed={**COMMON, "sign": "that of the plain sum over channels: a principal component has none of its own"},
)
