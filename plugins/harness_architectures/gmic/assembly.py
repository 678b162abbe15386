"""GMIC's network from its parts, of 2021 and of 2019. Imports torch when called only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import Task
from harness_architectures.gmic.cropping import Cropping
from harness_architectures.shared.checks import check_pools_features


def assemble(
    task: Task,
    cropping: Cropping,
    *,
    backbone: Any,
    local_backbone: Any,
    pooling: Any,
    local_pooling: Any,
    map_l1: float,
    fuse: bool = True,
    map_exponent: float = 1.0,
    centred: bool = True,
) -> Any:
    """Build the network; see `model.GMIC` for `fuse`, `map_exponent` and `centred`.

    Raises:
        ValueError: the parameters cannot work for this image size.
    """
    from harness_architectures.gmic.model import GMIC
    from harness_architectures.shared.class_maps import map_shapes

    check_map_l1(map_l1)
    place = cropping.place(task, backbone)
    check_local_pooling(local_pooling, cropping.crops)
    global_net = backbone(task.channels)
    if place is None and task.image_size != (0, 0):
        cropping.on(task.image_size, map_shapes(global_net, task)[0][1:])
    local_net = local_backbone(cropping.channels(task)[1])
    return GMIC(
        task,
        cropping,
        backbone=global_net,
        local_backbone=local_net,
        pooling=pooling(global_net.features, len(task.classes)),
        local_pooling=local_pooling(local_net.features, 1),
        map_l1=map_l1,
        fuse=fuse,
        map_exponent=map_exponent,
        centred=centred,
    )


def check_map_l1(map_l1: float) -> None:
    """Check the weight of the maps' sum.

    Raises:
        ValueError: it is negative or not finite.
    """
    if not 0 <= map_l1 < float("inf"):
        raise ValueError(f"`map_l1 >= 0` must hold, but got {map_l1=}.")


def check_local_pooling(local_pooling: Any, crops: int) -> Mapping[str, Any] | None:
    """Return what the pooling of so many crops is equal to: of a single crop every pooling makes the same.

    Raises:
        ValueError: it pools probabilities only.
    """
    facts = check_pools_features(local_pooling, crops, "local_pooling")
    return {"use": "top_fraction", "kept": 1} if crops == 1 else facts.get("canonical")
