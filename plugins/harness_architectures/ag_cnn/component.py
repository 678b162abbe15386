"""AG-CNN, the Attention-Guided Convolutional Neural Network: its name, parameters and facts.

`regions` makes the heat map and finds, from it, where to look; `model` is the network with its losses and phases.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harness import BackboneFactory, Component, PoolingFactory, Task, use
from harness_architectures.shared.checks import check_pools_features

Scheme = Literal["G", "G_L_F", "G_L_F*", "GL_F", "G_LF", "GLF"]


def build_ag_cnn(
    task: Task,
    /,
    *,
    backbone: BackboneFactory = use("timm", model="resnet50"),
    pooling: PoolingFactory = use("max"),
    heat: Literal["max", "l1", "l2"] = "max",
    tau: float = 0.7,
    crop: Literal["attention", "whole"] = "attention",
    scheme: Scheme = "G_L_F",
    centred: bool = True,
) -> Any:
    """Build AG-CNN as published, its ablations or its control.

    Args:
        task: classes, channels and image size.
        backbone: of both branches, each with weights of its own.
        pooling: reduces a branch's last feature map to one vector, in both branches.
        heat: what is taken of the absolute activations over the channels: their largest, mean, or root sum of squares.
        tau: threshold of the heat map, in (0, 1).
        crop: "attention" shows the local branch the hottest region; "whole" is the control of two
            networks on the whole image.
        scheme: what is trained together; `_` parts phases, G is the global branch, L the local one, F the
            fusion. G_L_F is published as best. In `G_L_F*` the last phase trains everything; "G" is the global
            branch alone, a plain network.
        centred: maps and heat lie where the cells look; false draws the cells evenly over the image, as published.

    Raises:
        ValueError: the parameters cannot work.
    """
    from harness_architectures.ag_cnn.model import AGCNN

    _check(pooling, tau)
    return AGCNN(
        task, backbone=backbone, pooling=pooling, heat=heat, tau=tau, crop=crop, scheme=scheme, centred=centred
    )


def ag_cnn_facts(
    task: Task,
    /,
    *,
    backbone: Any,
    pooling: Any,
    tau: float,
    crop: str,
    scheme: str,
    **_: Any,
) -> Mapping[str, Any]:
    """Return the digests of weight files, and the parameters that make no difference."""
    _check(pooling, tau)
    canonical: dict[str, Any] = {}
    if crop == "whole" or scheme == "G":
        canonical = {"heat": None, "tau": None}
    if scheme == "G":
        canonical["crop"] = None
    known = backbone.facts()
    return {"canonical": canonical, **{key: known[key] for key in ("stride", "files") if key in known}}


def _check(pooling: Any, tau: float) -> None:
    if not 0 < tau < 1:
        raise ValueError(f"`0 < tau < 1` must hold, but got {tau=}.")
    check_pools_features(pooling, 1)


AG_CNN: Component[Any] = Component(
    name="ag_cnn",
    build=build_ag_cnn,
    facts=ag_cnn_facts,
    summary="global branch, local branch on the hottest region's crop, fusion; trained in three phases",
    source="Guan et al. 2018, arXiv 1801.09927",
    provides=frozenset({"saliency", "explain_layer"}),
    space={"tau": {"float": [0.1, 0.9], "default": 0.7}, "heat": {"choice": ["max", "l1", "l2"]}},
    tiny={"backbone": {"use": "resnet22", "stride": 8, "width": 2}},
    assumed={
        "heat map": "enlarged to the image (bilinear), then brought to [0, 1] by its own minimum and maximum; the "
        "paper thresholds it at tau and names no range",
        "activations": "as the backbone gives them: behind the last ReLU in ResNet-50 and in timm's DenseNet-121",
        "region": "of the enlarged map; diagonal neighbours are connected, the first of two equal regions is taken",
        "empty mask": "a constant map, or a box less than 2 px high or wide, shows the local branch the whole image",
        "crop": "resized to the image's size without keeping its aspect (bilinear)",
        "saliency": "the global classifier at every cell, sigmoid (softmax of exclusive classes); the paper has no map "
        "of a class, its heat map is in `parts`",
        "no finding": "the paper's 15th output, for no finding, is none here; a data set may name such a class",
        "kept epoch": "the best mean of three epochs, as everywhere here: of val/global/auroc, then val/local/auroc, "
        "then the study's objective; of GL together by val/local/auroc",
        "joint schemes": "the losses of all that learns are added with equal weight; the fusion's reaches all that "
        "learns at the same time",
        "batch size": "one for all phases; the paper has 126 (a caption says 128), 64 and 64 for ResNet-50, and 64, 32 "
        "and 32 for DenseNet-121",
        "augmentation": "the study's flips, shifts and scales; the paper resizes to 256 px, crops 224 px at random and "
        "at random sizes, and flips; its test images are centre crops",
        "exclusive classes": "softmax and cross-entropy; the paper has several labels an image",
        "initialisation": "timm's, unless `backbone` names weights; the paper's is ImageNet",
    },
)
