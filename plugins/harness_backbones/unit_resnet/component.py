"""`unit_resnet`: its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harness import Component
from harness_backbones.width import check_width


def build_unit_resnet(channels: int, /, *, depth: Literal[18, 34] = 34, width: int = 64) -> Any:
    """Build a ResNet-18 or -34 of which only the stem shrinks the map: stride 4, as GLAM's local network.

    Args:
        channels: of the images.
        depth: 18 or 34.
        width: channels of the first stage, at least 1; each of the three later ones has twice as many.
    """
    from harness_backbones.unit_resnet.model import UnitResNet

    check_width(width)
    return UnitResNet(channels, depth=depth, width=width)


def unit_resnet_facts(*, width: int, **_: Any) -> Mapping[str, Any]:
    """Return stride, features, and `layers`: (kernel, stride, padding) of all that shrinks the map, in order."""
    check_width(width)
    return {"stride": 4, "features": width * 8, "layers": [(7, 2, 3), (3, 2, 1)]}


UNIT_RESNET: Component[Any] = Component(
    name="unit_resnet",
    build=build_unit_resnet,
    facts=unit_resnet_facts,
    summary="ResNet-18 or -34 with unit strides behind the stem: a map of a quarter of the image's size",
    source="Liu et al. 2021, MIDL, arXiv 2106.07049 (GLAM's local network); He et al. 2016, CVPR",
    provides=frozenset({"stages"}),
    tiny={"depth": 18, "width": 2},
    assumed={"width": "64 as in ResNet-34; fewer for small images"},
)
