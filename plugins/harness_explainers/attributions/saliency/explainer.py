"""The gradient of the score."""

from __future__ import annotations

import captum.attr
from torch import Tensor

from harness.nn import Batch, Model
from harness_explainers.adapter import Attribution, ClassScores


class Saliency(Attribution):
    """The size of the score's gradient, the highest over the image's channels."""

    def _maps(self, model: Model, batch: Batch, classes: list[int]) -> Tensor:
        assert batch.images is not None
        method = captum.attr.Saliency(ClassScores(model, batch))
        found: Tensor = method.attribute(batch.images.requires_grad_(), target=classes).amax(1)
        return found
