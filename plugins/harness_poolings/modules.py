"""The poolings as modules: `functional` with the mask passed on and the weights reported."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from harness.nn import Pooled, Pooling
from harness_poolings import functional
from harness_poolings.rules import Rule

_Values = Float[Tensor, "b n d"]
_Key = Float[Tensor, "b n e"] | None
_Mask = Bool[Tensor, "b n"] | None


class Mean(Pooling):
    """Equal weights for all unmasked instances."""

    def forward(self, x: _Values, key: _Key = None, mask: _Mask = None) -> Pooled:
        """Return the mean; `key` is not used."""
        return Pooled(functional.mean(x, mask), functional.uniform_weights(x, mask))


class TopFraction(Pooling):
    """Mean of each column's highest values.

    Args:
        fraction: share of the unmasked instances, in (0, 1]; None keeps the highest alone.
    """

    def __init__(self, fraction: float | None) -> None:
        super().__init__()
        self.fraction = fraction

    def forward(self, x: _Values, key: _Key = None, mask: _Mask = None) -> Pooled:
        """Rank each column separately and return the mean of the highest; `key` is not used."""
        return Pooled(*functional.top_fraction(x, self.fraction, mask))


class LogSumExp(Pooling):
    """A soft maximum of the given sharpness; it has no weights."""

    def __init__(self, sharpness: float) -> None:
        super().__init__()
        self.sharpness = sharpness

    def forward(self, x: _Values, key: _Key = None, mask: _Mask = None) -> Pooled:
        """Return the soft maximum; `key` is not used."""
        return Pooled(functional.log_sum_exp(x, self.sharpness, mask))


class NoisyOr(Pooling):
    """One positive instance suffices; it has no weights."""

    def forward(self, x: _Values, key: _Key = None, mask: _Mask = None) -> Pooled:
        """Return 1 - product of (1 - p) of probabilities `x`; `key` is not used."""
        return Pooled(functional.noisy_or(x, mask))


class Attention(Pooling):
    """Learnt weights: softmax over instances of w tanh(V x), or w (tanh(V x) * sigmoid(U x)) if gated.

    Args:
        features: width of what it looks at: `key` where that is given, else `x`.
        outputs: weight maps: 1 for all columns of `x`, or one for each.
        dim: width of V and U.
        bias: whether V, U and w have biases; GMIC's have none.
        gated: whether there is a U.

    Source: Ilse, Tomczak, Welling 2018, ICML.
    """

    def __init__(self, features: int, outputs: int, *, dim: int = 128, bias: bool = False, gated: bool = True) -> None:
        super().__init__()
        self.value = nn.Linear(features, dim, bias=bias)
        self.gate = nn.Linear(features, dim, bias=bias) if gated else None
        self.score = nn.Linear(dim, outputs, bias=bias)

    def forward(self, x: _Values, key: _Key = None, mask: _Mask = None) -> Pooled:
        """Weigh `x` by the network's scores of `key`."""
        seen = x if key is None else key
        hidden = torch.tanh(self.value(seen))
        if self.gate is not None:
            hidden = hidden * torch.sigmoid(self.gate(seen))
        weights = self._weights(self.score(hidden), mask)
        return Pooled(functional.weighted_sum(x, weights, mask), weights)

    def _weights(self, scores: Float[Tensor, "b n k"], mask: _Mask) -> Float[Tensor, "b n k"]:
        return functional.attention_weights(scores, mask)


class NormalisedAttention(Attention):
    """Attention whose scores become weights by another rule than their softmax.

    Args:
        rule: "squared", "mean_square" and "root_mean_square" of scores bounded by a sigmoid, "signed": squares of
            scores as they are; "softmax" of bounded scores, to compare with at equal n.
        dim: width of V; see `Attention`.

    Source: Liu et al. 2024; the readings of its formula are ours.
    """

    def __init__(self, features: int, outputs: int, *, dim: int, bias: bool, rule: Rule | Literal["softmax"]) -> None:
        super().__init__(features, outputs, dim=dim, bias=bias, gated=False)
        self.rule = rule

    def _weights(self, scores: Float[Tensor, "b n k"], mask: _Mask) -> Float[Tensor, "b n k"]:
        scores = scores.float() if self.rule == "signed" else scores.float().sigmoid()
        if self.rule == "softmax":
            return functional.attention_weights(scores, mask)
        if self.rule == "root_mean_square":
            return functional.root_mean_square_weights(scores, mask)
        squared = functional.squared_weights(scores, mask)
        return squared * functional.instances(scores, mask) if self.rule == "mean_square" else squared
