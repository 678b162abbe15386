"""`attention_mil`: its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import BackboneFactory, Component, PoolingFactory, Task, use
from harness_architectures.mil.declared import NEEDS, SEVERAL
from harness_architectures.mil.sizes import check_encoder, check_positive


def build_attention_mil(
    task: Task,
    /,
    *,
    backbone: BackboneFactory | None = None,
    pooling: PoolingFactory = use("attention", dim=128, bias=True),
    dim: int = 500,
) -> Any:
    """Build attention MIL; `pooling` may be any that pools features.

    Args:
        task: bags of images, views or feature tables.
        backbone: the encoder of images, its last map averaged; without one the LeNet of the paper.
        pooling: reduces a bag's vectors to one; "gated_attention" is the paper's other.
        dim: length of the vectors, at least 1: one fully connected layer and a ReLU bring images and features to it.

    Raises:
        ValueError: the parameters cannot work.
    """
    from harness_architectures.mil.attention_mil.model import AttentionMil
    from harness_architectures.mil.encoders import Instances

    attention_mil_facts(task, backbone=backbone, pooling=pooling, dim=dim)
    return AttentionMil(task, Instances(task, backbone, dim), pooling)


def attention_mil_facts(task: Task, /, *, backbone: Any, pooling: Any, dim: int) -> Mapping[str, Any]:
    """Check the parameters."""
    check_encoder(task, backbone)
    check_positive(dim=dim)
    if pooling.facts(1).get("pools") == "probabilities":
        raise ValueError(f"pooling pools features here, {pooling.name!r} pools probabilities only.")
    return {}


ATTENTION_MIL: Component[Any] = Component(
    name="attention_mil",
    build=build_attention_mil,
    facts=attention_mil_facts,
    summary="attention (or any pooling) over the instances of a bag, one linear classifier",
    source="Ilse, Tomczak, Welling 2018, ICML",
    needs=NEEDS,
    provides=frozenset({"attention"}),
    space={"dim": {"choice": [128, 256, 500]}},
    tiny={"dim": 16, "pooling": {"use": "attention", "dim": 8, "bias": True}},
    assumed={
        "features": "one fully connected layer and a ReLU before the pooling, as behind the paper's encoder",
        "several classes": f"{SEVERAL}; all share one attention",
        "likelihood": "from logits; the released code clamps probabilities to [1e-5, 1 - 1e-5]",
    },
)
