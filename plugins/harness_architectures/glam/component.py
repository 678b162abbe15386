"""GLAM, Globally-aware Local Activation Maps: name, parameters and facts. `model` is the network with its losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import BackboneFactory, Component, PoolingFactory, Task, use
from harness_architectures.glam.patch import Maps, Score, patch_side
from harness_architectures.shared.geometry import Geometry, map_size

SCALES = 3
"""Number of the last stages with a saliency head."""


def build_glam(
    task: Task,
    /,
    *,
    backbone: BackboneFactory = use("resnet22", initialisation="xavier_normal"),
    local_backbone: BackboneFactory = use("unit_resnet", depth=34),
    pooling: PoolingFactory = use("top_fraction", fraction=0.03),
    local_pooling: PoolingFactory = use("top_fraction", fraction=0.3),
    patch_px: int | None = None,
    map_l1: float = 3.162e-5,
    replicate_grey: bool = True,
    maps: Maps = "released",
    score: Score = "global",
) -> Any:
    """Build GLAM: maps of three scales, one large patch, and a fine map of the patch pasted back.

    Args:
        task: classes, channels and image size.
        backbone: the global network; its last three stages are read.
        local_backbone: the network that sees the patch and draws its map; a small stride makes a fine map.
        pooling: reduces the class maps of each scale to image scores.
        local_pooling: reduces the patch's class maps to scores.
        patch_px: side of the patch, at least 1; by default 512/2944 of the image's height, rounded.
        map_l1: beta, the weight of both maps' sums for maps of 1,380 cells; at least 0.
        replicate_grey: a grey patch goes as three equal channels into the local network.
        maps: how maps are combined and pasted. "released": resized by nearest neighbour, each scale pooled at the
            finest size, and the result is half of the sum of the global map and the pasted local one, everywhere.
            "smooth": resized bilinearly, each scale pooled at its own size, and the local map replaces the global one
            inside the patch.
        score: the head that is the model's score: "global", as released, "local", "mean" of both, or "fusion".

    Raises:
        ValueError: the parameters cannot work for this image size, or the backbone has fewer than three stages.
    """
    from harness_architectures.glam.model import GLAM as Network
    from harness_architectures.shared.class_maps import map_shapes

    _check(task, backbone, local_backbone, patch_px, map_l1)
    classes, global_net = len(task.classes), backbone(task.channels)
    shapes = map_shapes(global_net, task, stages=True)
    if len(shapes) < SCALES:
        raise ValueError(f"glam reads the last {SCALES} stages of its backbone, and this one has {len(shapes)}.")
    channels = 3 if replicate_grey and task.channels == 1 else task.channels
    local_net = local_backbone(channels)
    return Network(
        task,
        backbone=global_net,
        features=[shape[0] for shape in shapes[-SCALES:]],
        local_backbone=local_net,
        poolings=[pooling(shape[0], classes) for shape in shapes[-SCALES:]],
        local_pooling=local_pooling(local_net.features, classes),
        patch_px=patch_px,
        map_l1=map_l1,
        local_channels=channels,
        maps=maps,
        score=score,
    )


def glam_facts(
    task: Task,
    /,
    *,
    backbone: Any,
    local_backbone: Any,
    pooling: Any,
    local_pooling: Any,
    patch_px: int | None,
    map_l1: float,
    **_: Any,
) -> Mapping[str, Any]:
    """Return side and window of the patch and the finest map, where the backbone's stages are known."""
    place = _check(task, backbone, local_backbone, patch_px, map_l1)
    pooling.facts(1)
    local_pooling.facts(1)
    if place is None:
        return {}
    return {
        "map": list(place.map),
        "cells": place.cells,
        "window": list(place.window),
        "patch_px": place.crop_px,
        "canonical": {"patch_px": place.crop_px},
    }


def _check(task: Task, backbone: Any, local_backbone: Any, patch_px: int | None, map_l1: float) -> Geometry | None:
    """Check the parameters; return the patch's place on the finest map, or None if it is not known yet."""
    if not 0 <= map_l1 < float("inf"):
        raise ValueError(f"`map_l1 >= 0` must hold, but got {map_l1=}.")
    if patch_px is not None and patch_px < 1:
        raise ValueError(f"`patch_px >= 1` must hold, but got {patch_px=}.")
    local_backbone.facts()
    facts = dict(backbone.facts())
    if task.image_size == (0, 0) or "layers" not in facts:
        return None
    facts["layers"] = facts["layers"][: 1 - SCALES]
    cells = map_size(task.image_size, facts)
    assert cells is not None
    return Geometry.of(task.image_size, cells, patch_side(task.image_size, patch_px))


GLAM: Component[Any] = Component(
    name="glam",
    build=build_glam,
    facts=glam_facts,
    summary="maps of three scales, one large patch chosen by them, a fine map of the patch pasted back",
    source="Liu et al. 2021, MIDL, arXiv 2106.07049",
    needs=frozenset({"stages"}),
    provides=frozenset({"saliency", "explain_layer"}),
    space={
        "map_l1": {"log10": [-5.5, -3.5]},
        "pooling": {"use": "top_fraction", "fraction": {"float": [0.01, 0.2], "log": True}},
    },
    tiny={
        "backbone": {"use": "resnet22", "stride": 8, "width": 2},
        "local_backbone": {"use": "resnet22", "stride": 4, "width": 2},
        "pooling": {"use": "top_fraction", "fraction": 0.2},
        "patch_px": 32,
    },
    assumed={
        "loss": "as GMIC's: cross-entropy of global, local and fusion scores, and beta times the sums of the combined "
        "global and of the local maps, each rescaled to 1,380 cells",
        "fusion": "as GMIC's: a linear layer over the highest value of each feature of both networks",
        "stages": "the two finer stages are read as they leave their blocks, before any norm or ReLU",
        "patch_px": "512 px of 2944, in proportion for other image heights; beyond the image as GMIC's crops",
        "pasting": "as released, by nearest neighbour, on a grid as fine as the local map",
        "map_l1": "10^-4.5, the middle of GMIC's searched range",
        "colour": "all channels of the patch are read; the paper knows grey images only",
        "multi-class": "softmax for the fusion; maps stay one sigmoid per class with binary cross-entropy, and their "
        "scores are divided by their sum",
        "initialisation": "the default global network starts as released, Xavier's normal convolutions and batch-norms "
        "at 1; the local one with batch-norms at 1 and Kaiming's convolutions; heads from PyTorch's default",
    },
)
