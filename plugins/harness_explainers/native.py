"""The explanation a model gives of itself: its evidence, brought to the image's size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from harness.nn import Batch, Explainer, Model


class Native(Explainer):
    """`Output.evidence` by nearest-neighbour upsampling; one forward pass, no gradients."""

    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> Float[Tensor, "b h w"]:
        """The map of `classes[i]` for image i, in [0, 1].

        Raises:
            TypeError: the model has no evidence, or the batch no images.
        """
        if batch.images is None:
            raise TypeError("'native' shows images, and this batch has none.")
        modes = {module: module.training for module in model.modules()}
        try:
            with torch.no_grad():
                evidence = model.eval()(batch).evidence
        finally:
            for module, mode in modes.items():
                module.training = mode
        if evidence is None:
            raise TypeError(f"{type(model).__name__} gives no evidence: 'native' has nothing to show.")
        chosen = evidence[torch.arange(len(evidence)), list(classes)].float()  # b i j
        return functional.interpolate(chosen[:, None], batch.images.shape[2:], mode="nearest")[:, 0]
