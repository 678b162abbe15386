"""Occlusion by a sliding window."""

from __future__ import annotations

import captum.attr
import torch
from jaxtyping import Float
from torch import Tensor

from harness.nn import Batch, Model
from harness_explainers.adapter import Attribution, ClassScores
from harness_explainers.attributions.choices import Baseline, Sign
from harness_explainers.attributions.parts import baseline_of, part_of


class Occlusion(Attribution):
    """Fall of the score when a window of the image is covered; overlapping windows are averaged.

    Args:
        name: for errors.
        window_px: side of the window.
        stride_px: how far it moves.
        baseline: what covers it.
        sign: which part is shown: "positive" where covering lowers the score.
        chunk: covered images in one forward pass.
    """

    def __init__(self, name: str, window_px: int, stride_px: int, baseline: Baseline, sign: Sign, chunk: int) -> None:
        super().__init__(name)
        self._window, self._stride, self._chunk = window_px, stride_px, chunk
        self._baseline, self._sign = baseline, sign

    def _maps(self, model: Model, batch: Batch, classes: list[int]) -> Tensor:
        assert batch.images is not None
        height, width = batch.images.shape[2:]
        if self._window > min(height, width):
            raise ValueError(f"`window_px` is {self._window}, and an image has {height} x {width} pixels.")
        whole = ClassScores(model, batch)
        return torch.stack([self._map(model, whole.of(i).batch, kind) for i, kind in enumerate(classes)])

    def _map(self, model: Model, batch: Batch, kind: int) -> Float[Tensor, "h w"]:
        assert batch.images is not None
        channels = batch.images.shape[1]
        found = captum.attr.Occlusion(ClassScores(model, batch)).attribute(
            batch.images,
            sliding_window_shapes=(channels, self._window, self._window),
            strides=(channels, self._stride, self._stride),
            baselines=baseline_of(batch.images, self._baseline),
            target=kind,
            perturbations_per_eval=self._chunk,
        )
        return part_of(found[0].detach() / channels, self._sign)
