"""GMIC as the workshop paper of 2019 has it: no fusion, and an exponent on the maps. The network is gmic's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harness import BackboneFactory, Component, PoolingFactory, Task, use
from harness_architectures.gmic.assembly import assemble
from harness_architectures.gmic.component import GMIC, gmic_facts
from harness_architectures.gmic.cropping import Cropping


def build_gmic_2019(
    task: Task,
    /,
    *,
    backbone: BackboneFactory = use("resnet22"),
    local_backbone: BackboneFactory = use("timm", model="resnet18", zero_init_last=False),
    pooling: PoolingFactory = use("top_fraction", fraction=0.03),
    local_pooling: PoolingFactory = use("gated_attention", dim=128),
    crops: int = 6,
    crop_px: int | None = None,
    map_weight: float = 1.259e-4,
    map_exponent: float = 1.0,
    crop_choice: Literal["saliency", "random"] = "saliency",
    replicate_grey: bool = True,
    centred: bool = True,
) -> Any:
    """Build GMIC of 2019: the mean of global and local scores, with a penalty on the maps to a power.

    Args:
        task: as for `gmic`, and so all that is not named here.
        backbone: the global network.
        local_backbone: the network that sees the crops.
        pooling: reduces each class map to an image score.
        local_pooling: reduces the crops' features to one vector.
        crops: K in total, at least 1.
        crop_px: side of a crop, at least 1.
        map_weight: lambda, for a map of 1,380 cells; at least 0.
        map_exponent: beta, above 0; below 1 faint cells cost more than their share, above 1 less.
        crop_choice: "saliency" or "random".
        replicate_grey: grey crops go as three equal channels into the local network.
        centred: maps and crops lie where the map's cells look; false draws the cells evenly, as published.

    Raises:
        ValueError: the parameters cannot work for this image size.
    """
    _check_exponent(map_exponent)
    return assemble(
        task,
        Cropping(crops, crop_px, crop_choice, replicate_grey),
        backbone=backbone,
        local_backbone=local_backbone,
        pooling=pooling,
        local_pooling=local_pooling,
        map_l1=map_weight,
        fuse=False,
        map_exponent=map_exponent,
        centred=centred,
    )


def gmic_2019_facts(task: Task, /, *, map_weight: float, map_exponent: float, **rest: Any) -> Mapping[str, Any]:
    """Return the facts of `gmic`."""
    _check_exponent(map_exponent)
    return gmic_facts(task, map_l1=map_weight, weights=None, **rest)


def _check_exponent(map_exponent: float) -> None:
    if not 0 < map_exponent < float("inf"):
        raise ValueError(f"`map_exponent > 0` must hold, but got {map_exponent=}.")


GMIC_2019: Component[Any] = Component(
    name="gmic_2019",
    build=build_gmic_2019,
    facts=gmic_2019_facts,
    summary="GMIC of the workshop paper: the mean of global and local scores, no fusion, maps to a tuned power",
    source="Shen et al. 2019, MLMI",
    provides=GMIC.provides,
    space={
        "map_weight": {"log10": [-5, -2.8]},
        "map_exponent": {"float": [0.202, 4.953], "log": True},
        "pooling": {"use": "top_fraction", "fraction": {"float": [0.00674, 0.223], "log": True}},
    },
    tiny=GMIC.tiny,
    assumed={
        **{
            key: GMIC.assumed[key]
            for key in ("crop_px", "constant maps", "random crops", "colour", "localisation", "jitter")
        },
        "initialisation": "as in gmic, without ImageNet; the source's local network starts from it "
        "(`local_backbone.pretrained = true`)",
        "training": "100 models of 40 epochs in the source, each epoch all positive exams and as many negative ones; "
        '`train.balance = "sampler"` comes near that',
        "map_weight": "the sum over a map of another size is rescaled by 1380 / cells; 10^-3.9, the middle of the "
        "searched range, where none is given",
        "map_exponent": "1 where none is given, the middle of e^[-1.6, 1.6]; below 1 cells are held at 1e-6 at least, "
        "where the slope would grow without bound",
        "attention": "512 features, attention of width 128, as in 2021",
        "multi-class": "as in gmic, without a fusion",
    },
)
