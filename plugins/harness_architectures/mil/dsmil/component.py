"""`dsmil`: its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harness import BackboneFactory, Component, Task
from harness_architectures.mil.declared import ENCODER, NEEDS, SEVERAL
from harness_architectures.mil.sizes import check_encoder, check_positive


def build_dsmil(
    task: Task,
    /,
    *,
    backbone: BackboneFactory | None = None,
    dim: int = 512,
    query_dim: int = 128,
    score: Literal["mean", "bag"] = "mean",
    initialisation: Literal["default", "orthogonal"] = "default",
) -> Any:
    """Build DSMIL.

    Args:
        task: bags of images, views or feature tables.
        backbone: the encoder of images, its last map averaged; without one the LeNet of Ilse et al.
        dim: length of the vectors that images are encoded to, at least 1; features stay as they are.
        query_dim: width of the queries, at least 1.
        score: "mean" of both streams' logits, as in the paper's equation, or "bag" alone, as in the released code.
        initialisation: PyTorch's "default", or "orthogonal" weights and biases of 0, as in the released code.

    Raises:
        ValueError: the parameters cannot work.
    """
    from harness_architectures.mil.dsmil.model import Dsmil
    from harness_architectures.mil.encoders import Instances

    dsmil_facts(task, backbone=backbone, dim=dim, query_dim=query_dim)
    return Dsmil(
        task, Instances(task, backbone, None if task.sample == "features" else dim), query_dim, score, initialisation
    )


def dsmil_facts(task: Task, /, *, backbone: Any, dim: int, query_dim: int, **_: Any) -> Mapping[str, Any]:
    """Check the parameters."""
    check_encoder(task, backbone)
    check_positive(dim=dim, query_dim=query_dim)
    return {}


DSMIL: Component[Any] = Component(
    name="dsmil",
    build=build_dsmil,
    facts=dsmil_facts,
    summary="the highest instance of each class, and attention by likeness to it",
    source="Li, Li, Eliceiri 2021, CVPR",
    needs=NEEDS,
    provides=frozenset({"attention"}),
    space={"query_dim": {"choice": [64, 128, 256]}},
    tiny={"dim": 16, "query_dim": 8},
    assumed={
        **ENCODER,
        "score": "the mean of both streams' logits, as the paper's equation has it; the released code's is the bag's",
        "several classes": SEVERAL,
        "optimiser": "the study's; the released code has Adam at 1e-4, betas .5 and .9, weight decay 1e-3, and half a "
        "cosine down to 5e-6 over 50 epochs",
    },
)
