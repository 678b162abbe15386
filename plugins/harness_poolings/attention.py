"""`attention` and `gated_attention`: learnt weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import Component


def build_attention(features: int, outputs: int, /, *, dim: int = 128, bias: bool = False) -> Any:
    """Build weights from a two-layer network; `dim` is its width."""
    from harness_poolings.modules import Attention

    attention_facts(1, dim=dim)
    return Attention(features, outputs, dim=dim, bias=bias, gated=False)


def build_gated_attention(features: int, outputs: int, /, *, dim: int = 128, bias: bool = False) -> Any:
    """Build attention whose hidden layer is gated by a sigmoid."""
    from harness_poolings.modules import Attention

    attention_facts(1, dim=dim)
    return Attention(features, outputs, dim=dim, bias=bias, gated=True)


def attention_facts(cells: int, /, *, dim: int, **_: Any) -> Mapping[str, Any]:
    """Check the width."""
    if dim < 1:
        raise ValueError(f"`dim >= 1` must hold, but got {dim=}.")
    return {}


ATTENTION: Component[Any] = Component(
    name="attention",
    build=build_attention,
    facts=attention_facts,
    summary="learnt weights: softmax of w tanh(V x)",
    source="Ilse, Tomczak, Welling 2018, ICML",
    tiny={"dim": 4},
    space={"dim": {"choice": [64, 128, 256]}},
    assumed={"bias": "off, as in GMIC; the code of Ilse et al. has biases: bias = true"},
)
GATED_ATTENTION: Component[Any] = Component(
    name="gated_attention",
    build=build_gated_attention,
    facts=attention_facts,
    summary="learnt weights: softmax of w (tanh(V x) * sigmoid(U x))",
    source="Ilse, Tomczak, Welling 2018, ICML",
    tiny={"dim": 4},
    space={"dim": {"choice": [64, 128, 256]}},
    assumed={"bias": "off, as in GMIC; the code of Ilse et al. has biases: bias = true"},
)
