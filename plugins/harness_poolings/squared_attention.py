"""`squared_attention`: learnt weights that are squares of scores over their sum."""

from __future__ import annotations

from typing import Any

from harness import Component
from harness_poolings.attention import attention_facts
from harness_poolings.rules import Rule


def build_squared_attention(
    features: int, outputs: int, /, *, dim: int = 128, bias: bool = False, rule: Rule = "squared"
) -> Any:
    """Build attention whose weights are squares of bounded scores over their sum.

    Args:
        features: width of what attention looks at.
        outputs: number of weight maps.
        dim: width of the hidden layer, at least 1.
        bias: True if its layers have biases.
        rule: "squared": s^2 / sum s^2, which sums to 1; "mean_square": n times that; "root_mean_square":
            s / sqrt(mean s^2); "signed": squares of scores without the sigmoid, so that very negative ones count.
    """
    from harness_poolings.modules import NormalisedAttention

    attention_facts(1, dim=dim)
    return NormalisedAttention(features, outputs, dim=dim, bias=bias, rule=rule)


SQUARED_ATTENTION: Component[Any] = Component(
    name="squared_attention",
    build=build_squared_attention,
    facts=attention_facts,
    summary="learnt weights: squares of sigmoid(w tanh(V x)) over their sum",
    source="Liu et al. 2024, Geomatics and Information Science of Wuhan University, 1070-1078",
    tiny={"dim": 4},
    space={"dim": {"choice": [64, 128, 256]}},
    assumed={
        "rule": "s^2 / sum s^2 of sigmoid scores: the source names a squared average and prints no formula",
        "zeros": "equal weights where all scores are 0",
        "bias": "off, as in the other attentions here",
    },
)
