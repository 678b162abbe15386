"""Integrated gradients."""

from __future__ import annotations

import captum.attr
import torch
from jaxtyping import Float
from torch import Tensor

from harness.nn import Batch, Model
from harness_explainers.adapter import Attribution, ClassScores
from harness_explainers.attributions.choices import Baseline, Sign
from harness_explainers.attributions.parts import baseline_of, part_of


class IntegratedGradients(Attribution):
    """The gradient's mean over the straight way from a baseline to the image, times that way.

    Args:
        name: for errors.
        steps: points of the Gauss-Legendre rule.
        baseline: where the way begins.
        sign: which part is shown.
        chunk: images in one forward pass.
    """

    def __init__(self, name: str, steps: int, baseline: Baseline, sign: Sign, chunk: int) -> None:
        super().__init__(name)
        self._steps, self._baseline, self._sign, self._chunk = steps, baseline, sign, chunk

    def attribute(self, model: Model, batch: Batch, kind: int) -> Float[Tensor, "c h w"]:
        """Return signed contributions to the score of the batch's one image; they sum to the score's rise."""
        assert batch.images is not None
        method = captum.attr.IntegratedGradients(ClassScores(model, batch))
        found: Tensor = method.attribute(
            batch.images.requires_grad_(),
            baseline_of(batch.images, self._baseline),
            target=kind,
            n_steps=self._steps,
            internal_batch_size=self._chunk,
        )[0]
        return found

    def _maps(self, model: Model, batch: Batch, classes: list[int]) -> Tensor:
        whole = ClassScores(model, batch)
        return torch.stack(
            [part_of(self.attribute(model, whole.of(i).batch, kind), self._sign) for i, kind in enumerate(classes)]
        )
