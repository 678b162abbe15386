"""Poolings as pure functions: values "b n k" and an optional mask "b n" (True is real) to "b k".

A sample needs at least one unmasked instance; one that has none gives a finite number without meaning.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from harness_poolings.rules import kept

EPS = 1e-6
FLOOR = 1e-12
_Mask = Bool[Tensor, "b n"] | None


def uniform_weights(values: Float[Tensor, "b n k"], mask: _Mask = None) -> Float[Tensor, "b n 1"]:
    """Return 1 / n for each of a sample's n unmasked instances, 0 for the others."""
    if mask is None:
        return values.new_full((*values.shape[:2], 1), 1 / values.shape[1])
    real = mask.to(values.dtype)
    return (real / real.sum(1, keepdim=True).clamp(min=1)).unsqueeze(-1)


def mean(values: Float[Tensor, "b n k"], mask: _Mask = None) -> Float[Tensor, "b k"]:
    """Return the mean of the unmasked instances."""
    return values.mean(1) if mask is None else weighted_sum(values, uniform_weights(values, mask), mask)


def top_fraction(
    values: Float[Tensor, "b n k"], fraction: float | None, mask: _Mask = None
) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b n k"]]:
    """Return the mean of each column's highest values, and its weights: 1 / kept for each of them, else 0.

    `fraction` near 0 is the maximum, 1 the mean. Used by GMIC to turn a class map into an image score.

    Args:
        values: score per instance; of equals any may be taken.
        fraction: share of the unmasked instances that is kept, in (0, 1]; None keeps one.
        mask: True where an instance is real.

    Raises:
        ValueError: `fraction` is outside (0, 1].

    Source: Shen et al. 2021, Medical Image Analysis 68, 101908.
    """
    instances = values.shape[1]
    most = _kept(instances, fraction)
    if mask is None:
        best, places = values.max(1, keepdim=True) if most == 1 else values.topk(most, dim=1)
        return best.mean(1), torch.zeros_like(values).scatter(1, places, 1 / most)
    count = _kept_of_each(mask, fraction).view(-1, 1, 1)
    order = values.detach().masked_fill(~mask.unsqueeze(-1), -math.inf).argsort(dim=1, descending=True)
    rank = torch.arange(instances, device=values.device).view(1, -1, 1)
    share = torch.where(rank < count, 1 / count, 0.0).to(values.dtype)
    weights = torch.zeros_like(values).scatter(1, order, share.expand_as(values))
    return weighted_sum(values, weights, mask), weights


def log_sum_exp(values: Float[Tensor, "b n k"], sharpness: float, mask: _Mask = None) -> Float[Tensor, "b k"]:
    """Return log(mean(exp(r x))) / r: between the mean (r near 0) and the maximum (r large).

    Args:
        values: score per instance.
        sharpness: r, above 0.
        mask: True where an instance is real.

    Source: Pinheiro, Collobert 2015, CVPR.
    """
    scaled = sharpness * values
    if mask is None:
        return (scaled.logsumexp(1) - math.log(values.shape[1])) / sharpness
    scaled = scaled.masked_fill(~mask.unsqueeze(-1), torch.finfo(values.dtype).min)
    count = mask.sum(1, keepdim=True).clamp(min=1).to(values.dtype)
    return (scaled.logsumexp(1) - count.log()) / sharpness


def noisy_or(probs: Float[Tensor, "b n k"], mask: _Mask = None) -> Float[Tensor, "b k"]:
    """Return 1 - prod(1 - p) over the instances; values are clamped to [0, 1 - 1e-6].

    Source: Maron, Lozano-Perez 1998, NIPS.
    """
    # Summed in fp32: one minus a small probability is one in bf16.
    missed = torch.log1p(-probs.float().clamp(0, 1 - EPS))
    if mask is not None:
        missed = missed.masked_fill(~mask.unsqueeze(-1), 0.0)
    return -torch.expm1(missed.sum(1)).to(probs.dtype)


def attention_weights(scores: Float[Tensor, "b n k"], mask: _Mask = None) -> Float[Tensor, "b n k"]:
    """Return the softmax over the unmasked instances, in fp32.

    Source: Ilse, Tomczak, Welling 2018, ICML.
    """
    scores = scores.float()
    if mask is not None:
        scores = scores.masked_fill(~mask.unsqueeze(-1), torch.finfo(scores.dtype).min)
    return scores.softmax(1)


def squared_weights(scores: Float[Tensor, "b n k"], mask: _Mask = None) -> Float[Tensor, "b n k"]:
    """Return s_i^2 / sum_j s_j^2 over the unmasked instances, in fp32; equal weights where all scores are 0.

    Of two instances the weights are as (s_i / s_j)^2, where the softmax of scores in [0, 1] never gives more
    than e to 1. Scores are first divided by the largest, so that small ones do not vanish when squared.

    Source: Liu et al. 2024, "squared-average" normalisation; the formula is not printed, this is its likeliest reading.
    """
    squares = _over_largest(scores, mask).square() + FLOOR
    if mask is not None:
        squares = squares.masked_fill(~mask.unsqueeze(-1), 0.0)
    return squares / squares.sum(1, keepdim=True).clamp_min(FLOOR)


def root_mean_square_weights(scores: Float[Tensor, "b n k"], mask: _Mask = None) -> Float[Tensor, "b n k"]:
    """Divide s_i by the root of the mean square of the unmasked instances, in fp32; squares sum to n."""
    scaled = _over_largest(scores, mask)
    squares = scaled.square() if mask is None else scaled.square().masked_fill(~mask.unsqueeze(-1), 0.0)
    count = instances(scores, mask)
    weights = scaled / ((squares.sum(1, keepdim=True) / count) + FLOOR).sqrt()
    return weights if mask is None else weights.masked_fill(~mask.unsqueeze(-1), 0.0)


def instances(scores: Float[Tensor, "b n k"], mask: _Mask = None) -> Float[Tensor, "b 1 1"]:
    """Return the number of unmasked instances of each sample, at least 1."""
    if mask is None:
        return torch.full((len(scores), 1, 1), float(scores.shape[1]), device=scores.device)
    return mask.sum(1).clamp(min=1).float().view(-1, 1, 1)


def weighted_sum(
    values: Float[Tensor, "b n k"], weights: Float[Tensor, "b n w"], mask: _Mask = None
) -> Float[Tensor, "b k"]:
    """Sum weight times value over the instances; w is 1 or k. Masked values may be anything, even NaN."""
    if mask is not None:
        values = values.masked_fill(~mask.unsqueeze(-1), 0.0)
    return (weights * values).sum(1)


def _over_largest(scores: Float[Tensor, "b n k"], mask: _Mask) -> Float[Tensor, "b n k"]:
    """Divide scores by the largest magnitude of their sample, which takes no gradient: weights do not depend on it."""
    scores = scores.float()
    if mask is not None:
        scores = scores.masked_fill(~mask.unsqueeze(-1), 0.0)
    largest = scores.detach().abs().amax(1, keepdim=True)
    return scores / largest.clamp_min(torch.finfo(torch.float32).tiny)


def _kept_of_each(mask: Bool[Tensor, "b n"], fraction: float | None) -> Tensor:
    """Return `kept` for every sample, on the device: doubles round exactly as Python does (MPS has none)."""
    exact = torch.float32 if mask.device.type == "mps" else torch.float64
    share = 0.0 if fraction is None else fraction
    return (mask.sum(1).to(exact) * share).round().clamp(min=1)


def _kept(count: int, fraction: float | None) -> int:
    return 1 if fraction is None else kept(count, fraction)
