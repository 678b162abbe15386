"""`transmil`: its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harness import BackboneFactory, Component, Task
from harness_architectures.mil.declared import ENCODER, NEEDS, SEVERAL
from harness_architectures.mil.sizes import check_encoder, check_positive, check_share


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
    padding: Literal["none", "released"] = "none",
) -> Any:
    """Build TransMIL.

    Args:
        task: bags of images, views or feature tables.
        backbone: the encoder of images, its last map averaged; without one the LeNet of Ilse et al.
        dim: length of the vectors, at least 1.
        heads: of the attention, at least 1; must divide `dim`.
        landmarks: of the Nyström approximation, at least 1.
        iterations: of its pseudo-inverse, at least 1.
        dropout: behind each attention, in [0, 1).
        value_kernel: width, odd, of the convolution of the values that is added to the attention, at least 0; 0 leaves
            it out.
        padding: "none", or "released": zeros in front of the tokens up to a multiple of `landmarks`, which take
            attention, as in the released code; the pseudo-inverse is then scaled by the largest norms of all heads.

    Raises:
        ValueError: the parameters cannot work.
    """
    from harness_architectures.mil.encoders import Instances
    from harness_architectures.mil.transmil.model import TransMil
    from harness_architectures.mil.transmil.nystrom import NystromAttention

    transmil_facts(
        task, backbone=backbone, dim=dim, heads=heads, landmarks=landmarks, iterations=iterations, dropout=dropout,
        value_kernel=value_kernel,
    )  # fmt: skip
    shape = (dim, heads, landmarks, iterations, dropout, value_kernel, padding == "released")
    first, second = (NystromAttention(*shape) for _ in range(2))
    return TransMil(task, Instances(task, backbone, dim), (first, second))


def transmil_facts(
    task: Task,
    /,
    *,
    backbone: Any,
    dim: int,
    heads: int,
    landmarks: int,
    iterations: int,
    dropout: float,
    value_kernel: int,
    **_: Any,
) -> Mapping[str, Any]:
    """Check the parameters."""
    check_encoder(task, backbone)
    check_positive(dim=dim, heads=heads, landmarks=landmarks, iterations=iterations)
    check_share(dropout=dropout)
    if dim % heads:
        raise ValueError(f"`heads` must divide `dim`, but got {heads=}, {dim=}.")
    if value_kernel < 0 or (value_kernel and value_kernel % 2 == 0):
        raise ValueError(f"`value_kernel` must be odd, or 0, but got {value_kernel=}.")
    return {}


TRANSMIL: Component[Any] = Component(
    name="transmil",
    build=build_transmil,
    facts=transmil_facts,
    summary="two layers of Nyström attention with convolutions over a square of the instances between them",
    source="Shao et al. 2021, NeurIPS; attention: Xiong et al. 2021, AAAI",
    needs=NEEDS,
    space={"landmarks": {"choice": [64, 128, 256]}},
    tiny={"dim": 16, "heads": 2, "landmarks": 4, "value_kernel": 3},
    assumed={
        **ENCODER,
        "landmarks": "means of stretches as even as can be; `padding` has the zeros of the released code",
        "value_kernel": "33, of the Nyströmformer's paper",
        "optimiser": "the study's; the paper has Lookahead over RAdam at 2e-4 with weight decay 1e-5",
        "several classes": SEVERAL,
    },
    xfail={"order_of_instances_does_not_matter": "its convolutions see a fold of the list of instances"},
)
