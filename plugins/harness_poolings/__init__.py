"""Built-in poolings: the names, their parameters and facts. The arithmetic stands in `functional`.

Every builder is given `features`, the width of what attention looks at, and `outputs`, the number of weight maps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from harness import Component, hookimpl

Rule = Literal["squared", "mean_square", "root_mean_square", "signed"]


def kept(count: int, fraction: float) -> int:
    """How many of `count` instances the share `fraction` keeps: rounded half to even, at least one.

    Raises:
        ValueError: `fraction` is outside (0, 1].
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"`0 < fraction <= 1` must hold, but got {fraction=}.")
    return max(1, int(round(count * fraction)))


def build_mean(features: int, outputs: int, /) -> Any:
    """Equal weights."""
    from harness_poolings.modules import Mean

    return Mean()


def mean_facts(cells: int, /) -> Mapping[str, Any]:
    """The mean keeps every cell."""
    return _keeps(cells)


def build_max(features: int, outputs: int, /) -> Any:
    """The highest value of each column."""
    from harness_poolings.modules import TopFraction

    return TopFraction(None)


def max_facts(cells: int, /) -> Mapping[str, Any]:
    """The maximum keeps one cell."""
    return _keeps(1)


def build_top_fraction(features: int, outputs: int, /, *, fraction: float = 0.03) -> Any:
    """The mean of each column's highest values; `fraction` in (0, 1] of the unmasked instances."""
    from harness_poolings.modules import TopFraction

    kept(1, fraction)
    return TopFraction(fraction)


def top_fraction_facts(cells: int, /, *, fraction: float = 0.03) -> Mapping[str, Any]:
    """How many cells the fraction comes to."""
    return _keeps(kept(cells, fraction))


def build_lse(features: int, outputs: int, /, *, sharpness: float = 5.0) -> Any:
    """Log-sum-exp: the mean for `sharpness` near 0, the maximum for a large one."""
    from harness_poolings.modules import LogSumExp

    lse_facts(1, sharpness=sharpness)
    return LogSumExp(sharpness)


def lse_facts(cells: int, /, *, sharpness: float = 5.0) -> Mapping[str, Any]:
    """No more than the check."""
    if not sharpness > 0:
        raise ValueError(f"`sharpness > 0` must hold, but got {sharpness=}.")
    return {}


def build_noisy_or(features: int, outputs: int, /) -> Any:
    """The probability that any instance is positive, were they independent."""
    from harness_poolings.modules import NoisyOr

    return NoisyOr()


def noisy_or_facts(cells: int, /) -> Mapping[str, Any]:
    """It pools probabilities and nothing else."""
    return {"pools": "probabilities"}


def build_attention(features: int, outputs: int, /, *, dim: int = 128, bias: bool = False) -> Any:
    """Weights from a two-layer network; `dim` is its width."""
    from harness_poolings.modules import Attention

    attention_facts(1, dim=dim)
    return Attention(features, outputs, dim=dim, bias=bias, gated=False)


def build_gated_attention(features: int, outputs: int, /, *, dim: int = 128, bias: bool = False) -> Any:
    """Attention whose hidden layer is gated by a sigmoid."""
    from harness_poolings.modules import Attention

    attention_facts(1, dim=dim)
    return Attention(features, outputs, dim=dim, bias=bias, gated=True)


def attention_facts(cells: int, /, *, dim: int = 128, bias: bool = False) -> Mapping[str, Any]:
    """No more than the check."""
    if dim < 1:
        raise ValueError(f"`dim >= 1` must hold, but got {dim=}.")
    return {}


def build_squared_attention(
    features: int, outputs: int, /, *, dim: int = 128, bias: bool = False, rule: Rule = "squared"
) -> Any:
    """Attention whose weights are squares of bounded scores over their sum.

    Args:
        features: width of what attention looks at.
        outputs: weight maps.
        dim: width of the hidden layer.
        bias: whether its layers have biases.
        rule: "squared": s^2 / sum s^2, which sums to 1; "mean_square": n times that; "root_mean_square":
            s / sqrt(mean s^2); "signed": squares of scores without the sigmoid, so that very negative ones count.
    """
    from harness_poolings.modules import NormalisedAttention

    attention_facts(1, dim=dim)
    return NormalisedAttention(features, outputs, dim=dim, bias=bias, rule=rule)


def squared_attention_facts(
    cells: int, /, *, dim: int = 128, bias: bool = False, rule: Rule = "squared"
) -> Mapping[str, Any]:
    """No more than the check."""
    return attention_facts(cells, dim=dim)


def build_bounded_attention(features: int, outputs: int, /, *, dim: int = 128, bias: bool = False) -> Any:
    """Attention by the softmax of scores in (0, 1): no weight is more than e times another."""
    from harness_poolings.modules import NormalisedAttention

    attention_facts(1, dim=dim)
    return NormalisedAttention(features, outputs, dim=dim, bias=bias, rule="softmax")


def _keeps(count: int) -> Mapping[str, Any]:
    return {"canonical": {"use": "top_fraction", "kept": count}}


def _component(name: str, build: Callable[..., Any], facts: Callable[..., Any], summary: str, **more: Any) -> Any:
    return Component(name=name, build=build, facts=facts, summary=summary, **more)


@hookimpl
def harness_poolings() -> Iterable[Component[Any]]:
    """The poolings of this package."""
    ilse = "Ilse, Tomczak, Welling 2018, ICML"
    attention = {
        "source": ilse,
        "tiny": {"dim": 4},
        "space": {"dim": {"choice": [64, 128, 256]}},
        "assumed": {"bias": "off, as in GMIC; the code of Ilse et al. has biases: bias = true"},
    }
    only_kept = "what is not kept gets no gradient"
    yield _component("mean", build_mean, mean_facts, "mean of all instances (GAP)")
    yield _component(
        "max", build_max, max_facts, "highest instance (GMP)", xfail={"gradient_reaches_every_instance": only_kept}
    )
    yield _component(
        "top_fraction",
        build_top_fraction,
        top_fraction_facts,
        "mean of the highest share of instances (GMIC's top-t %)",
        source="Shen et al. 2021, Medical Image Analysis 68, 101908",
        tiny={"fraction": 0.5},
        space={"fraction": {"float": [0.01, 0.2], "log": True}},
        assumed={"fraction": "a share of the unmasked instances, rounded half to even, at least one"},
        xfail={"gradient_reaches_every_instance": only_kept},
    )
    yield _component(
        "lse",
        build_lse,
        lse_facts,
        "log-sum-exp: a soft maximum",
        source="Pinheiro, Collobert 2015, CVPR",
        space={"sharpness": {"float": [1.0, 20.0], "log": True}},
        assumed={"sharpness": "5, the value of Pinheiro and Collobert; GMIC's papers do not use it"},
    )
    yield _component(
        "noisy_or",
        build_noisy_or,
        noisy_or_facts,
        "1 - product of (1 - p): one positive instance suffices; pools probabilities only",
        source="Maron, Lozano-Perez 1998, NIPS",
        assumed={"range": "values are clamped to [0, 1 - 1e-6], so that the gradient stays finite"},
    )
    yield _component(
        "attention", build_attention, attention_facts, "learnt weights: softmax of w tanh(V x)", **attention
    )
    yield _component(
        "gated_attention",
        build_gated_attention,
        attention_facts,
        "learnt weights: softmax of w (tanh(V x) * sigmoid(U x))",
        **attention,
    )
    yield from _of_bounded_scores()
    yield _component(
        "uniform", build_mean, mean_facts, "equal weights: the ablation of attention, `mean` by another name"
    )


def _of_bounded_scores() -> Iterable[Component[Any]]:
    liu = "Liu et al. 2024, Geomatics and Information Science of Wuhan University, 1070-1078"
    bias = "off, as in the other attentions here"
    yield _component(
        "squared_attention",
        build_squared_attention,
        squared_attention_facts,
        "learnt weights: squares of sigmoid(w tanh(V x)) over their sum",
        source=liu,
        tiny={"dim": 4},
        space={"dim": {"choice": [64, 128, 256]}},
        assumed={
            "rule": "s^2 / sum s^2 of sigmoid scores: the source names a squared average and prints no formula",
            "zeros": "equal weights where all scores are 0",
            "bias": bias,
        },
    )
    yield _component(
        "bounded_attention",
        build_bounded_attention,
        attention_facts,
        "learnt weights: softmax of sigmoid(w tanh(V x)), what squared_attention is compared with",
        source=liu,
        tiny={"dim": 4},
        space={"dim": {"choice": [64, 128, 256]}},
        assumed={"scores": "bounded by a sigmoid as the squared ones are", "bias": bias},
    )
