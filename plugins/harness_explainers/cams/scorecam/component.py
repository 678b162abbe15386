"""`scorecam`: its parameter and declaration."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from harness import Component
from harness_explainers.cams.chunks import every_channel
from harness_explainers.facts import COMMON

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_scorecam(*, chunk: int = 16) -> Explainer:
    """Build Score-CAM.

    Args:
        chunk: masked images in one forward pass; memory, not results, depends on it. At least 1.
    """
    from harness_explainers.cams.cam import Cam
    from harness_explainers.cams.scorecam.method import BoundedScoreCam

    every_channel(chunk=chunk)
    return Cam("scorecam", partial(BoundedScoreCam, chunk=chunk))


SCORECAM: Component[Explainer] = Component(
    name="scorecam",
    build=build_scorecam,
    facts=every_channel,
    summary="channels weighed by the score of the image seen through them; no gradients",
    source="Wang et al. 2020, CVPR Workshops",
    needs=frozenset({"explain_layer"}),
    assumed=COMMON,
)
