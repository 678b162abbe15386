"""`ablationcam`: its parameter and declaration."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from harness import Component
from harness_explainers.cams.chunks import every_channel
from harness_explainers.facts import COMMON

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_ablationcam(*, chunk: int = 16) -> Explainer:
    """Build Ablation-CAM.

    Args:
        chunk: channels left out in one forward pass of what follows the layer. At least 1.
    """
    from harness_explainers.cams.ablationcam.method import BoundedAblationCam
    from harness_explainers.cams.cam import Cam

    every_channel(chunk=chunk)
    return Cam("ablationcam", partial(BoundedAblationCam, chunk=chunk))


ABLATIONCAM: Component[Explainer] = Component(
    name="ablationcam",
    build=build_ablationcam,
    facts=every_channel,
    summary="channels weighed by how far the score falls without them; no gradients",
    source="Desai & Ramaswamy 2020, WACV",
    needs=frozenset({"explain_layer"}),
    assumed={
        **COMMON,
        "weight": "the fall itself, not its share of the score: the share of a negative logit has no meaning",
    },
)
