"""`googlenet`: its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harness import Component, file_facts

FEATURES = {8: 480, 16: 832, 32: 1024}  # stride -> channels
FIELDS = {8: (59, 35), 16: (235, 88), 32: (379, 140)}
"""Theoretical and effective receptive field in pixels by stride, the latter measured on initial weights."""


def build_googlenet(
    channels: int,
    /,
    *,
    stride: Literal[32, 16, 8] = 32,
    pretrained: bool = False,
    weights: str | None = None,
) -> Any:
    """Build torchvision's GoogLeNet; timm has none.

    Args:
        channels: of the images; a first convolution made for another number is adapted.
        stride: 32 is the whole trunk, 16 ends before the last two inception modules, 8 before the last seven.
        pretrained: torchvision's ImageNet weights, from its cache or the web. Images of three channels are then
            brought from ImageNet's normalisation to the range those weights were trained with, as torchvision does.
        weights: path of a state dict (.pth, .pt or .safetensors) in torchvision's names; images are taken as they are.

    Raises:
        InputError: the weights are not available, or do not fit.
        ValueError: the parameters exclude each other.
    """
    from harness_backbones.googlenet.model import build

    googlenet_facts(stride=stride, pretrained=pretrained, weights=weights)
    return build(channels, stride=stride, features=FEATURES[stride], pretrained=pretrained, weights=weights)


def googlenet_facts(*, stride: int, pretrained: bool, weights: str | None) -> Mapping[str, Any]:
    """Return stride, features, `field` and the digest of the weights."""
    if pretrained and weights:
        raise ValueError("`pretrained` and `weights` exclude each other.")
    known = {"stride": stride, "features": FEATURES[stride], "field": list(FIELDS[stride])}
    return {**known, **file_facts("weights", weights)}


GOOGLENET: Component[Any] = Component(
    name="googlenet",
    build=build_googlenet,
    facts=googlenet_facts,
    summary="GoogLeNet of torchvision with batch norm, without auxiliary heads",
    source="Szegedy et al. 2015, CVPR",
    provides=frozenset({"stages"}),
    tiny={"stride": 8},
    assumed={"stride": "16 and 8 leave out the last inception modules; the paper has 32 only"},
)
