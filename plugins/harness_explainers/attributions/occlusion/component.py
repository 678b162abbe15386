"""`occlusion`: its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness import Component
from harness_explainers.attributions.choices import Baseline, Sign
from harness_explainers.facts import COMMON, at_least_one

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_occlusion(
    *,
    window_px: int = 15,
    stride_px: int = 9,
    baseline: Baseline = "zero",
    sign: Sign = "positive",
    chunk: int = 16,
) -> Explainer:
    """Build occlusion.

    Args:
        window_px: side of the square that is covered, in pixels; at least 1, at most the image's shorter side.
        stride_px: how far it moves, in pixels; at least 1, at most `window_px`.
        baseline: what covers it: "zero", or each image's "darkest" value.
        sign: where covering lowers the score, raises it, or both.
        chunk: covered images in one forward pass; at least 1.
    """
    from harness_explainers.attributions.occlusion.explainer import Occlusion

    at_least_one(chunk=chunk)
    occlusion_facts(window_px=window_px, stride_px=stride_px)
    return Occlusion("occlusion", window_px, stride_px, baseline, sign, chunk)


def occlusion_facts(*, window_px: int, stride_px: int, **_: Any) -> Mapping[str, Any]:
    """Return the cost: a pass of the image, and one for each place of the window.

    Raises:
        ValueError: the parameters cannot work.
    """
    if not 1 <= stride_px <= window_px:
        raise ValueError(f"`1 <= stride_px <= window_px` must hold, but got {stride_px=}, {window_px=}.")
    return {"cost": {"forwards": 1, "window_px": window_px, "stride_px": stride_px}}


OCCLUSION: Component[Explainer] = Component(
    name="occlusion",
    build=build_occlusion,
    facts=occlusion_facts,
    summary="how far the score falls when a window is covered",
    source="Zeiler & Fergus 2014, ECCV",
    tiny={"window_px": 4, "stride_px": 2},
    assumed={**COMMON, "window": "15 pixels moved by 9, published for images of 254 pixels"},
)
