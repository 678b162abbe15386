"""Attention over crops, painted back where the crops were taken."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from harness.nn import Batch, Model
from harness_explainers.adapter import Attribution


class Attention(Attribution):
    """Each crop's box filled with its attention weight, the highest where boxes overlap; one forward pass.

    Reads `Output.parts`: `attention` "b n", and `boxes` "b n 4" in pixels, x0 y0 x1 y1, half open. The
    same map for every class: attention has none.
    """

    def _maps(self, model: Model, batch: Batch, classes: list[int]) -> Tensor:
        with torch.no_grad():
            parts = model(batch).parts
        if absent := [name for name in ("attention", "boxes") if name not in parts]:
            raise TypeError(f"its output has no {' and no '.join(absent)} among its parts.")
        assert batch.images is not None
        return paint(parts["attention"].float(), parts["boxes"], (batch.images.shape[2], batch.images.shape[3]))


def paint(
    weights: Float[Tensor, "b n"], boxes: Float[Tensor, "b n 4"] | Tensor, size: tuple[int, int]
) -> Float[Tensor, "b h w"]:
    """Fill boxes in pixels (x0 y0 x1 y1, half open) with their weights; 0 where there is no box."""
    canvas = weights.new_zeros(len(weights), *size)
    for image, own, places in zip(canvas, weights, boxes.long().tolist(), strict=True):
        for weight, (x0, y0, x1, y1) in zip(own, places, strict=True):
            area = image[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
            area.copy_(torch.maximum(area, weight))
    return canvas
