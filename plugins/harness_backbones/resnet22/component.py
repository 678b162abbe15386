"""`resnet22`: its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harness import Component
from harness_backbones.width import check_width

_STAGE_STRIDES = {64: (1, 2, 2, 2, 2), 16: (1, 2, 2, 1, 1), 8: (1, 2, 1, 1, 1), 4: (1, 1, 1, 1, 1)}
_FIELDS = {64: (883, 140), 16: (467, 64), 8: (291, 36), 4: (171, 23)}
"""Theoretical and effective receptive field in pixels by stride, the latter measured on initial weights."""


def build_resnet22(
    channels: int,
    /,
    *,
    stride: Literal[64, 16, 8, 4] = 64,
    width: int = 16,
    initialisation: Literal["pytorch", "xavier_normal"] = "pytorch",
) -> Any:
    """Build GMIC's ResNet-22.

    Args:
        channels: of the image.
        stride: pixels of the image for each cell of the map; 64 as published, the others for small images.
        width: channels of the first stage, at least 1; they double with every later stage.
        initialisation: "pytorch" as in GMIC; "xavier_normal" for every convolution, as in GLAM.
    """
    from harness_backbones.resnet22.model import ResNet22

    check_width(width)
    return ResNet22(channels, width=width, strides=_STAGE_STRIDES[stride], xavier=initialisation == "xavier_normal")


def resnet22_facts(*, stride: int, width: int, **_: Any) -> Mapping[str, Any]:
    """Return stride, features, `field`, and `layers`: (kernel, stride, padding) of all that shrinks the map, in order.

    The last five are the stages, so that each stage's map can be known.
    """
    check_width(width)
    stages = [(3, step, 1) for step in _STAGE_STRIDES[stride]]
    return {
        "stride": stride,
        "features": width * 16,
        "field": list(_FIELDS[stride]),
        "layers": [(7, 2, 3), (3, 2, 0), *stages],
    }


RESNET22: Component[Any] = Component(
    name="resnet22",
    build=build_resnet22,
    facts=resnet22_facts,
    summary="GMIC's narrow five-stage pre-activation ResNet, stride 64 as published, 16, 8 or 4 for small images",
    source="Shen et al. 2021, Medical Image Analysis 68, 101908",
    provides=frozenset({"stages"}),
    tiny={"stride": 8, "width": 2},
    space={"stride": {"choice": [64, 16, 8]}, "width": {"choice": [8, 16]}},
    assumed={
        "stride": "16, 8 and 4 drop late strides and keep all five stages; the paper has 64 only",
        "initialisation": "PyTorch's default, as in GMIC's released network, or Xavier's, as in GLAM's",
    },
)
