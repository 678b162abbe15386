"""`bounded_attention`: learnt weights by the softmax of bounded scores."""

from __future__ import annotations

from typing import Any

from harness import Component
from harness_poolings.attention import attention_facts


def build_bounded_attention(features: int, outputs: int, /, *, dim: int = 128, bias: bool = False) -> Any:
    """Build attention by the softmax of scores in (0, 1): no weight is more than e times another.

    Args:
        features: width of what attention looks at.
        outputs: number of weight maps.
        dim: width of the hidden layer, at least 1.
        bias: True if its layers have biases.
    """
    from harness_poolings.modules import NormalisedAttention

    attention_facts(1, dim=dim)
    return NormalisedAttention(features, outputs, dim=dim, bias=bias, rule="softmax")


BOUNDED_ATTENTION: Component[Any] = Component(
    name="bounded_attention",
    build=build_bounded_attention,
    facts=attention_facts,
    summary="learnt weights: softmax of sigmoid(w tanh(V x)), what squared_attention is compared with",
    source="Liu et al. 2024, Geomatics and Information Science of Wuhan University, 1070-1078",
    tiny={"dim": 4},
    space={"dim": {"choice": [64, 128, 256]}},
    assumed={"scores": "bounded by a sigmoid as the squared ones are", "bias": "off, as in the other attentions here"},
)
