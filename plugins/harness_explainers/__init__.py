"""Built-in explainers: methods that show where a model looked. The cost of each is in its facts.

`native` and `attention` show what the model itself computed, `cams` weigh the channels of one of its
layers, `attributions` ask for the part of single pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import Component, hookimpl
from harness_explainers.attention.component import ATTENTION
from harness_explainers.attributions.gradient_shap.component import GRADIENT_SHAP
from harness_explainers.attributions.integrated_gradients.component import INTEGRATED_GRADIENTS
from harness_explainers.attributions.occlusion.component import OCCLUSION
from harness_explainers.attributions.saliency.component import SALIENCY
from harness_explainers.cams.ablationcam.component import ABLATIONCAM
from harness_explainers.cams.eigengradcam.component import EIGENGRADCAM
from harness_explainers.cams.gradcam import GRADCAM
from harness_explainers.cams.gradcam_plus_plus import GRADCAM_PLUS_PLUS
from harness_explainers.cams.hirescam import HIRESCAM
from harness_explainers.cams.layercam import LAYERCAM
from harness_explainers.cams.scorecam.component import SCORECAM
from harness_explainers.native.component import NATIVE

if TYPE_CHECKING:
    from harness.nn import Explainer


@hookimpl
def harness_explainers() -> Iterable[Component[Explainer]]:
    """Yield the explainers: the model's own maps, class-activation maps, and attribution to pixels."""
    yield from (NATIVE, ATTENTION)
    yield from (GRADCAM, GRADCAM_PLUS_PLUS, HIRESCAM, EIGENGRADCAM, LAYERCAM, SCORECAM, ABLATIONCAM)
    yield from (SALIENCY, INTEGRATED_GRADIENTS, GRADIENT_SHAP, OCCLUSION)
