"""The plain image classifier: a backbone, a pooling, a linear head. The baseline of this field's papers.

SaliencyCNNAnalysis fine-tunes DenseNet201, GoogLeNet, MobileNetV2 and ResNet101 this way; GMIC's table of
baselines has ResNet-34, plain and with a last 1x1 convolution before top-t pooling.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from harness import BackboneFactory, Component, PoolingFactory, Task, use

if TYPE_CHECKING:
    from harness.nn import Model

Head = Literal["linear_after_pool", "conv_before_pool"]


def build_cnn(
    task: Task,
    /,
    *,
    backbone: BackboneFactory = use("timm", model="resnet18"),
    pooling: PoolingFactory = use("mean"),
    head: Head = "linear_after_pool",
    dropout: float = 0.0,
    centred: bool = True,
) -> Model:
    """Build a backbone with a pooling and a linear head; pretrained weights are the backbone's.

    Args:
        task: classes, channels and image size.
        backbone: the network.
        pooling: reduces feature cells, or class maps, to one vector per image.
        head: "linear_after_pool" pools features and classifies their mean, as these networks do; "conv_before_pool"
            draws a map per class by a 1x1 convolution and sigmoid, and pools that: with `top_fraction` the
            ResNet-34 of GMIC's baselines.
        dropout: share of pooled features, or of feature channels before the convolution, set to 0 in training;
            in [0, 1).
        centred: a map's cells are drawn where they look; false draws them evenly over the image.

    Raises:
        ValueError: the parameters cannot work.
    """
    from harness_architectures.cnn.model import CNN as Network

    _check(pooling, head, dropout)
    net, classes, first = backbone(task.channels), len(task.classes), head == "linear_after_pool"
    pool = pooling(net.features, 1 if first else classes)
    exclusive = task.kind == "multiclass"
    return Network(net, pool, classes, exclusive=exclusive, pool_first=first, dropout=dropout, centred=centred)


def cnn_facts(task: Task, /, *, pooling: Any, head: Head, dropout: float, **_: Any) -> Mapping[str, Any]:
    """Check the parameters; the size of the map is known only once the backbone is built."""
    _check(pooling, head, dropout)
    return {}


def _check(pooling: Any, head: Head, dropout: float) -> None:
    if not 0 <= dropout < 1:
        raise ValueError(f"`0 <= dropout < 1` must hold, but got {dropout=}.")
    if head == "linear_after_pool" and pooling.facts(1 << 20).get("pools") == "probabilities":
        raise ValueError(
            f'pooling {pooling.name!r} pools probabilities only, and head = "linear_after_pool" pools features: '
            'take head = "conv_before_pool".'
        )


CNN: Component[Any] = Component(
    name="cnn",
    build=build_cnn,
    facts=cnn_facts,
    summary="any backbone with a pooling and a linear head: the plain classifier",
    source="SaliencyCNNAnalysis; ResNet-34 baselines: Shen et al. 2021, Medical Image Analysis 68, 101908",
    provides=frozenset({"saliency", "explain_layer"}),
    space={"dropout": {"float": [0.0, 0.5]}},
    tiny={"backbone": {"use": "resnet22", "stride": 8, "width": 2}},
    assumed={
        "saliency": "of the linear head: what it says of each cell alone, softmax or sigmoid of w A_ij + b (the class "
        "activation map of Zhou et al. 2016 behind the link), not scaled image by image; weights of an attention "
        "pooling are not in it",
        "multi-class maps": "with conv_before_pool one sigmoid per class; pooled scores are divided by their sum",
        "initialisation": "PyTorch's and timm's defaults where there are no weights; the head is always new",
        "random crops": "none: SaliencyCNNAnalysis also resizes to 260 px and crops 254 px at random sizes (its code, "
        "not its README)",
    },
)
