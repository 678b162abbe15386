"""The explanation a model gives of itself: its saliency, brought to the image's size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from harness.nn import Batch, Model, Output, place
from harness_explainers.adapter import Attribution


class Native(Attribution):
    """`Output.saliency` with each cell where it looks, nearest-neighbour upsampled; one forward pass, no gradients."""

    def _maps(self, model: Model, batch: Batch, classes: list[int]) -> Tensor:
        with torch.no_grad():
            out: Output = model(batch)
        if out.saliency is None:
            raise TypeError("the model has no saliency map to show")
        own = out.saliency[torch.arange(len(out.saliency)), classes].float()  # b i j
        assert batch.images is not None
        return place(own[:, None], model.grid(batch), (batch.images.shape[-2], batch.images.shape[-1]))[:, 0]

    def _shown(self, maps: Tensor, batch: Batch) -> Tensor:
        assert batch.images is not None
        return functional.interpolate(maps[:, None], batch.images.shape[2:], mode="nearest")[:, 0]
