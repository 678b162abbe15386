"""`attention` and `gated_attention`: learnt weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import Component


def build_attention(features: int, outputs: int, /, *, dim: int = 128, bias: bool = False) -> Any:
    """Build weights from a two-layer network.

    Args:
        features: width of what attention looks at.
        outputs: number of weight maps.
        dim: width of the hidden layer, at least 1.
        bias: True if its layers have biases.
    """
    from harness_poolings.modules import Attention

    attention_facts(1, dim=dim)
    return Attention(features, outputs, dim=dim, bias=bias, gated=False)


def build_gated_attention(features: int, outputs: int, /, *, dim: int = 128, bias: bool = False) -> Any:
    """Build attention whose hidden layer is gated by a sigmoid.

    Args:
        features: width of what attention looks at.
        outputs: number of weight maps.
        dim: width of the hidden layer, at least 1.
        bias: True if its layers have biases.
    """
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
