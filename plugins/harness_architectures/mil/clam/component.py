"""`clam`: its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harness import BackboneFactory, Component, Task
from harness_architectures.mil.declared import ENCODER, NEEDS, SEVERAL
from harness_architectures.mil.sizes import check_encoder, check_positive, check_share


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
    """Build CLAM-SB (`branches = "single"`) or CLAM-MB ("multiple").

    Args:
        task: bags of images, views or feature tables.
        backbone: the encoder of images, its last map averaged; without one the LeNet of Ilse et al.
        branches: one attention for all classes, or one per class.
        dim: length of the vectors, at least 1.
        attention_dim: width of the attention's hidden layer, at least 1.
        dropout: behind the vectors and in the attention, in [0, 1).
        clustered: B: how many instances of highest and of lowest attention get a pseudo-label, at least 1.
        clustering_loss: their loss, "svm" (smooth top-1) or "ce".
        bag_weight: share of the bag's loss in the whole, in [0, 1].
        subtyping: whether the top instances of a class that the bag has not are pseudo-labelled out.

    Raises:
        ValueError: the parameters cannot work.
    """
    from harness_architectures.mil.clam.model import Clam
    from harness_architectures.mil.encoders import Instances

    given: dict[str, Any] = {
        "branches": branches,
        "attention_dim": attention_dim,
        "dropout": dropout,
        "clustered": clustered,
        "clustering_loss": clustering_loss,
        "bag_weight": bag_weight,
        "subtyping": subtyping,
    }
    clam_facts(task, backbone=backbone, dim=dim, **given)
    return Clam(task, Instances(task, backbone, dim, dropout), **given)


def clam_facts(
    task: Task,
    /,
    *,
    backbone: Any,
    dim: int,
    attention_dim: int,
    dropout: float,
    clustered: int,
    bag_weight: float,
    **_: Any,
) -> Mapping[str, Any]:
    """Check the parameters; with a single class both kinds of branches are equal."""
    check_encoder(task, backbone)
    check_positive(dim=dim, attention_dim=attention_dim, clustered=clustered)
    check_share(dropout=dropout)
    if not 0 <= bag_weight <= 1:
        raise ValueError(f"`0 <= bag_weight <= 1` must hold, but got {bag_weight=}.")
    return {"canonical": {"branches": "single"}} if len(task.classes) == 1 else {}


CLAM: Component[Any] = Component(
    name="clam",
    build=build_clam,
    facts=clam_facts,
    summary="gated attention, one branch or one per class, and clustering of the most and least attended instances",
    source="Lu et al. 2021, Nature Biomedical Engineering 5, 555",
    needs=NEEDS,
    provides=frozenset({"attention"}),
    space={"clustered": {"int": [1, 8]}},
    tiny={"dim": 16, "attention_dim": 8, "clustered": 2},
    assumed={
        **ENCODER,
        "several classes": f"{SEVERAL}; a class is clustered in bags that have it, with `subtyping` also where "
        "they have it not",
        "small bags": "below 2 B instances half of them are top and half bottom; a single one is top only",
        "bag": "of several labels the mean of their cross-entropies, as the clustering's",
        "clustering": "mean over the bags and classes that are clustered",
        "optimiser": "the study's; the released code has Adam at 1e-4 with weight decay 1e-5, up to 200 epochs",
    },
)
