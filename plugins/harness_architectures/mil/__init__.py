"""Multiple instance learning over bags: their names, parameters and facts; each has a file of its own here.

`attention`, `clam`, `dsmil` and `transmil` (with `nystrom`) are the papers; `encoders` is what they share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harness import BackboneFactory, Component, PoolingFactory, Task, use
from harness_architectures.mil.sizes import check_encoder, check_positive, check_share


def build_attention_mil(
    task: Task,
    /,
    *,
    backbone: BackboneFactory | None = None,
    pooling: PoolingFactory = use("attention", dim=128, bias=True),
    dim: int = 500,
) -> Any:
    """Attention MIL; `pooling` may be any that pools features.

    Args:
        task: bags of images, views or feature tables.
        backbone: the encoder of images, its last map averaged; without one the LeNet of the paper.
        pooling: reduces a bag's vectors to one; "gated_attention" is the paper's other.
        dim: length of the vectors: one fully connected layer and a ReLU bring images and features to it.

    Raises:
        ValueError: the parameters cannot work.
    """
    from harness_architectures.mil.attention import AttentionMil
    from harness_architectures.mil.encoders import Instances

    attention_mil_facts(task, backbone=backbone, pooling=pooling, dim=dim)
    return AttentionMil(task, Instances(task, backbone, dim), pooling)


def attention_mil_facts(task: Task, /, *, backbone: Any = None, pooling: Any, dim: int = 500) -> Mapping[str, Any]:
    """No more than the checks."""
    check_encoder(task, backbone)
    check_positive(dim=dim)
    if pooling.facts(1).get("pools") == "probabilities":
        raise ValueError(f"pooling pools features here, {pooling.name!r} pools probabilities only.")
    return {}


def build_clam(
    task: Task,
    /,
    *,
    backbone: BackboneFactory | None = None,
    branches: Literal["single", "multiple"] = "single",
    dim: int = 512,
    attention_dim: int = 256,
    dropout: float = 0.25,
    clustered: int = 8,
    clustering_loss: Literal["svm", "ce"] = "svm",
    bag_weight: float = 0.7,
    subtyping: bool = False,
) -> Any:
    """CLAM-SB (`branches = "single"`) or CLAM-MB ("multiple").

    Args:
        task: bags of images, views or feature tables.
        backbone: see `build_attention_mil`.
        branches: one attention for all classes, or one a class.
        dim: length of the vectors.
        attention_dim: width of the attention's hidden layer.
        dropout: behind the vectors and in the attention.
        clustered: B: how many instances of highest and of lowest attention get a pseudo-label.
        clustering_loss: their loss, "svm" (smooth top-1) or "ce".
        bag_weight: share of the bag's loss in the whole.
        subtyping: whether the top instances of a class that the bag has not are pseudo-labelled out.

    Raises:
        ValueError: the parameters cannot work.
    """
    from harness_architectures.mil.clam import Clam
    from harness_architectures.mil.encoders import Instances

    clam_facts(
        task, backbone=backbone, dim=dim, attention_dim=attention_dim, dropout=dropout, clustered=clustered,
        bag_weight=bag_weight,
    )  # fmt: skip
    return Clam(
        task,
        Instances(task, backbone, dim, dropout),
        branches=branches,
        attention_dim=attention_dim,
        dropout=dropout,
        clustered=clustered,
        clustering_loss=clustering_loss,
        bag_weight=bag_weight,
        subtyping=subtyping,
    )


def clam_facts(
    task: Task,
    /,
    *,
    backbone: Any = None,
    dim: int = 512,
    attention_dim: int = 256,
    dropout: float = 0.25,
    clustered: int = 8,
    bag_weight: float = 0.7,
    **_: Any,
) -> Mapping[str, Any]:
    """The checks; and that of a single class both kinds of branches are one."""
    check_encoder(task, backbone)
    check_positive(dim=dim, attention_dim=attention_dim, clustered=clustered)
    check_share(dropout=dropout)
    if not 0 <= bag_weight <= 1:
        raise ValueError(f"`0 <= bag_weight <= 1` must hold, but got {bag_weight=}.")
    return {"canonical": {"branches": "single"}} if len(task.classes) == 1 else {}


def build_dsmil(task: Task, /, *, backbone: BackboneFactory | None = None, dim: int = 512, query_dim: int = 128) -> Any:
    """DSMIL.

    Args:
        task: bags of images, views or feature tables.
        backbone: see `build_attention_mil`.
        dim: length of the vectors that images are encoded to; features stay as they are.
        query_dim: width of the queries.

    Raises:
        ValueError: the parameters cannot work.
    """
    from harness_architectures.mil.dsmil import Dsmil
    from harness_architectures.mil.encoders import Instances

    dsmil_facts(task, backbone=backbone, dim=dim, query_dim=query_dim)
    return Dsmil(task, Instances(task, backbone, None if task.sample == "features" else dim), query_dim)


def dsmil_facts(task: Task, /, *, backbone: Any = None, dim: int = 512, query_dim: int = 128) -> Mapping[str, Any]:
    """No more than the checks."""
    check_encoder(task, backbone)
    check_positive(dim=dim, query_dim=query_dim)
    return {}


def build_transmil(
    task: Task,
    /,
    *,
    backbone: BackboneFactory | None = None,
    dim: int = 512,
    heads: int = 8,
    landmarks: int = 256,
    iterations: int = 6,
    dropout: float = 0.1,
    value_kernel: int = 33,
) -> Any:
    """TransMIL.

    Args:
        task: bags of images, views or feature tables.
        backbone: see `build_attention_mil`.
        dim: length of the vectors.
        heads: of the attention; must divide `dim`.
        landmarks: of the Nyström approximation.
        iterations: of its pseudo-inverse.
        dropout: behind each attention.
        value_kernel: width, odd, of the convolution of the values beside the attention; 0 leaves it out.

    Raises:
        ValueError: the parameters cannot work.
    """
    from harness_architectures.mil.encoders import Instances
    from harness_architectures.mil.nystrom import NystromAttention
    from harness_architectures.mil.transmil import TransMil

    transmil_facts(
        task, backbone=backbone, dim=dim, heads=heads, landmarks=landmarks, iterations=iterations, dropout=dropout,
        value_kernel=value_kernel,
    )  # fmt: skip
    first, second = (NystromAttention(dim, heads, landmarks, iterations, dropout, value_kernel) for _ in range(2))
    return TransMil(task, Instances(task, backbone, dim), (first, second))


def transmil_facts(
    task: Task,
    /,
    *,
    backbone: Any = None,
    dim: int = 512,
    heads: int = 8,
    landmarks: int = 256,
    iterations: int = 6,
    dropout: float = 0.1,
    value_kernel: int = 33,
) -> Mapping[str, Any]:
    """No more than the checks."""
    check_encoder(task, backbone)
    check_positive(dim=dim, heads=heads, landmarks=landmarks, iterations=iterations)
    check_share(dropout=dropout)
    if dim % heads:
        raise ValueError(f"`heads` must divide `dim`, but got {heads=}, {dim=}.")
    if value_kernel < 0 or (value_kernel and value_kernel % 2 == 0):
        raise ValueError(f"`value_kernel` must be odd, or 0, but got {value_kernel=}.")
    return {}


_NEEDS = frozenset({"instances"})
_ENCODER = {
    "encoder": "of images the LeNet of Ilse et al. 2018 (or `backbone`, its last map averaged) with one fully "
    "connected layer and a ReLU; the paper starts from features",
}
_SEVERAL = "a sigmoid a class with binary cross-entropy; exclusive classes a softmax"

COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="attention_mil",
        build=build_attention_mil,
        facts=attention_mil_facts,
        summary="attention (or any pooling) over the instances of a bag, one linear classifier",
        source="Ilse, Tomczak, Welling 2018, ICML",
        needs=_NEEDS,
        provides=frozenset({"attention"}),
        space={"dim": {"choice": [128, 256, 500]}},
        tiny={"dim": 16, "pooling": {"use": "attention", "dim": 8, "bias": True}},
        assumed={
            "features": "one fully connected layer and a ReLU before the pooling, as behind the paper's encoder",
            "several classes": f"{_SEVERAL}; all share one attention",
            "likelihood": "from logits; the released code clamps probabilities to [1e-5, 1 - 1e-5]",
        },
    ),
    Component(
        name="clam",
        build=build_clam,
        facts=clam_facts,
        summary="gated attention, one branch or one a class, and clustering of the most and least attended instances",
        source="Lu et al. 2021, Nature Biomedical Engineering 5, 555",
        needs=_NEEDS,
        provides=frozenset({"attention"}),
        space={"clustered": {"int": [1, 8]}},
        tiny={"dim": 16, "attention_dim": 8, "clustered": 2},
        assumed={
            **_ENCODER,
            "several classes": f"{_SEVERAL}; a class is clustered in bags that have it, with `subtyping` also where "
            "they have it not",
            "small bags": "below 2 B instances half of them are top and half bottom; a single one is top only",
            "clustering": "mean over the bags and classes that are clustered",
            "optimiser": "the study's; the released code has Adam at 1e-4 with weight decay 1e-5, up to 200 epochs",
        },
    ),
    Component(
        name="dsmil",
        build=build_dsmil,
        facts=dsmil_facts,
        summary="the highest instance of each class, and attention by likeness to it",
        source="Li, Li, Eliceiri 2021, CVPR",
        needs=_NEEDS,
        provides=frozenset({"attention"}),
        space={"query_dim": {"choice": [64, 128, 256]}},
        tiny={"dim": 16, "query_dim": 8},
        assumed={
            **_ENCODER,
            "score": "the mean of both streams' logits, as the paper's equation has it; the streams are heads",
            "several classes": _SEVERAL,
            "optimiser": "the study's; the source's was not found",
        },
    ),
    Component(
        name="transmil",
        build=build_transmil,
        facts=transmil_facts,
        summary="two layers of Nyström attention with convolutions over a square of the instances between them",
        source="Shao et al. 2021, NeurIPS; attention: Xiong et al. 2021, AAAI",
        needs=_NEEDS,
        space={"landmarks": {"choice": [64, 128, 256]}},
        tiny={"dim": 16, "heads": 2, "landmarks": 4, "value_kernel": 3},
        assumed={
            **_ENCODER,
            "landmarks": "means of stretches as even as can be; the Nyströmformer's code pads with zeros in front",
            "value_kernel": "33, of the Nyströmformer's paper",
            "optimiser": "the study's; the paper has Lookahead over RAdam at 2e-4 with weight decay 1e-5",
            "several classes": _SEVERAL,
        },
        xfail={"order_of_instances_does_not_matter": "its convolutions see a fold of the list of instances"},
    ),
)
