"""`dsmil`: its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import BackboneFactory, Component, Task
from harness_architectures.mil.declared import ENCODER, NEEDS, SEVERAL
from harness_architectures.mil.sizes import check_encoder, check_positive


def build_dsmil(task: Task, /, *, backbone: BackboneFactory | None = None, dim: int = 512, query_dim: int = 128) -> Any:
    """Build DSMIL.

    Args:
        task: bags of images, views or feature tables.
        backbone: the encoder of images, its last map averaged; without one the LeNet of Ilse et al.
        dim: length of the vectors that images are encoded to, at least 1; features stay as they are.
        query_dim: width of the queries, at least 1.

    Raises:
        ValueError: the parameters cannot work.
    """
    from harness_architectures.mil.dsmil.model import Dsmil
    from harness_architectures.mil.encoders import Instances

    dsmil_facts(task, backbone=backbone, dim=dim, query_dim=query_dim)
    return Dsmil(task, Instances(task, backbone, None if task.sample == "features" else dim), query_dim)


def dsmil_facts(task: Task, /, *, backbone: Any, dim: int, query_dim: int) -> Mapping[str, Any]:
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
        "score": "the mean of both streams' logits, as the paper's equation has it; the streams are heads",
        "several classes": SEVERAL,
        "optimiser": "the study's; the source's was not found",
    },
)
