"""`gmic`: its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harness import BackboneFactory, Component, PoolingFactory, Task, file_facts, use
from harness_architectures.gmic.assembly import assemble, check_local_pooling, check_map_l1
from harness_architectures.gmic.cropping import Cropping

PUBLISHED_CLASSES = ("benign", "malignant")


def build_gmic(
    task: Task,
    /,
    *,
    backbone: BackboneFactory = use("resnet22"),
    local_backbone: BackboneFactory = use("timm", model="resnet18", zero_init_last=False),
    pooling: PoolingFactory = use("top_fraction", fraction=0.03),
    local_pooling: PoolingFactory = use("gated_attention", dim=128),
    crops: int = 6,
    crop_px: int | None = None,
    map_l1: float = 3.162e-5,
    crop_choice: Literal["saliency", "random"] = "saliency",
    replicate_grey: bool = True,
    crop_channels: int | None = None,
    centred: bool | None = None,
    weights: str | None = None,
) -> Any:
    """Build GMIC as published; every part of it can be exchanged.

    Args:
        task: classes, channels and image size.
        backbone: the global network.
        local_backbone: the network that sees the crops.
        pooling: reduces each class map to an image score.
        local_pooling: reduces the crops' features to one vector.
        crops: K in total, not per class; at least 1, at most what the map has room for.
        crop_px: side of a crop, at least 1; by default 256/2944 of the image's height, rounded.
        map_l1: beta, the weight of the class maps' sum for a map of 1,380 cells; at least 0.
        crop_choice: "saliency" is retrieve_roi; "random" draws corners evenly, in eval from the
            image's id alone.
        replicate_grey: grey crops go as three equal channels into a local network of three, as
            published; False gives that network one channel.
        crop_channels: how many of the image's channels, from the first, the crops take; by default all. 1 where
            heat maps follow an image: only the image is cropped then.
        centred: maps and crops lie where the map's cells look; false draws the cells evenly over the image, as
            published. Not set, it is true unless there are `weights`.
        weights: path of a published checkpoint.

    Raises:
        ValueError: the parameters cannot work for this image size.
        InputError: `weights` cannot be read or do not fit.
    """
    from harness_architectures.gmic.published import load_published

    model = assemble(
        task,
        Cropping(crops, crop_px, crop_choice, replicate_grey, crop_channels),
        backbone=backbone,
        local_backbone=local_backbone,
        pooling=pooling,
        local_pooling=local_pooling,
        map_l1=map_l1,
        centred=weights is None if centred is None else centred,
    )
    if weights is not None:
        if task.classes == PUBLISHED_CLASSES[::-1]:
            raise ValueError(f"the published weights are for classes {', '.join(PUBLISHED_CLASSES)}, in this order.")
        load_published(model, weights)
    return model


def gmic_facts(
    task: Task,
    /,
    *,
    backbone: Any,
    local_backbone: Any,
    pooling: Any,
    local_pooling: Any,
    map_l1: float,
    weights: str | None,
    centred: bool | None,
    **cropping: Any,
) -> Mapping[str, Any]:
    """Return sizes of map, window and crops, the canonical forms of the poolings, and the digest of `weights`.

    Where only the built backbone knows the map's size (timm), just the checks that need no map.
    """
    local_backbone.facts()
    del centred
    files, given = file_facts("weights", weights), Cropping(**cropping)
    check_map_l1(map_l1)
    canonical: dict[str, Any] = {"local_pooling": check_local_pooling(local_pooling, given.crops)}
    known: dict[str, Any] = {}
    place = given.place(task, backbone)
    pooled = pooling.facts(1 if place is None else place.cells)
    if place is not None:
        canonical |= {"pooling": pooled.get("canonical"), "crop_px": place.crop_px}
        known = {"map": list(place.map), "cells": place.cells, "window": list(place.window)}
        known |= {"crop_px": place.crop_px, "most_crops": place.most_crops}
    return {**known, "canonical": {key: value for key, value in canonical.items() if value}, **files}


GMIC: Component[Any] = Component(
    name="gmic",
    build=build_gmic,
    facts=gmic_facts,
    summary="global map, K crops chosen by it, gated attention over the crops, fusion",
    source="Shen et al. 2021, Medical Image Analysis 68, 101908",
    provides=frozenset({"saliency", "explain_layer"}),
    space={
        "map_l1": {"log10": [-5.5, -3.5]},
        "crops": {"int": [1, 6]},
        "pooling": {"use": "top_fraction", "fraction": {"float": [0.01, 0.2], "log": True}},
    },
    tiny={
        "backbone": {"use": "resnet22", "stride": 8, "width": 2},
        "local_backbone": {"use": "resnet22", "stride": 8, "width": 2},
        "pooling": {"use": "top_fraction", "fraction": 0.2},
        "local_pooling": {"use": "gated_attention", "dim": 8},
        "crops": 2,
        "crop_px": 24,
    },
    assumed={
        "map_l1": "the sum over a map of another size is rescaled by 1380 / cells; 10^-4.5, the middle of the "
        "searched range, where none is given",
        "crop_px": "256 px of 2944, in proportion for other image heights",
        "constant maps": "contribute nothing, where the released code divides 0 by 0; an empty sum picks corner (0, 0)",
        "random crops": "drawn evenly over all corners a window fits at, with replacement",
        "colour": "all channels of an image are cropped; the papers know grey images only",
        "multi-class": "softmax for local and fusion; the map stays one sigmoid per class with binary cross-entropy, "
        "and its scores are divided by their sum",
        "initialisation": "PyTorch's defaults; of the default local network Kaiming's with every batch-norm at 1, as "
        "released (`zero_init_last = false`): timm would set the last of each block to 0",
        "training": "epochs, batch, stopping and pretraining are stated for 2021 in no source that can be opened; the "
        "epoch of the best objective on validation is kept",
        "localisation": "of the model that the objective chose; the paper's was chosen by malignant Dice on validation "
        "images, which reads their masks",
        "jitter": "none: the window cut from a mammogram stays in place, where the paper's training and test-time "
        "copies move it by up to 100 px and its borders by up to 100 px; `augment` shifts and scales the whole image",
    },
)
