"""The blank image that attributions start from, and the part of their result that is shown."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from harness_explainers.attributions.choices import Baseline, Sign


def baseline_of(images: Float[Tensor, "b c h w"], kind: Baseline) -> Float[Tensor, "b c h w"]:
    """Return an image that shows nothing: 0 everywhere as the model is given it, or its darkest value."""
    blank = torch.zeros_like(images, requires_grad=False)
    return blank if kind == "zero" else blank + images.detach().amin((1, 2, 3), keepdim=True)


def part_of(contributions: Float[Tensor, "c h w"], sign: Sign) -> Float[Tensor, "h w"]:
    """Return the sum over channels, as it is, negated, or absolute."""
    total = contributions.detach().sum(0)
    return {"positive": total, "negative": -total, "absolute": total.abs()}[sign]
