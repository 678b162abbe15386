"""Ablation-CAM in bounded memory, without exchanging layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from pytorch_grad_cam import AblationCAM
from torch import Tensor, nn

from harness_explainers.adapter import ClassScores
from harness_explainers.cams.cam import Array


class BoundedAblationCam(AblationCAM):  # type: ignore[misc]
    """Ablation-CAM by letting the layer answer with one channel at 0, as the paper does, `chunk` at a time.

    The library puts another layer in its place, which stays there if a forward pass fails, takes -1e7 for
    "absent" where activations may be negative, and divides by the score with its sign, which turns the map of
    a negative logit inside out.
    """

    def __init__(self, model: ClassScores, layers: list[nn.Module], *, chunk: int) -> None:
        super().__init__(model, layers)
        self.chunk = chunk

    @torch.no_grad()
    def get_cam_weights(self, images: Tensor, layer: Any, classes: list[int], activations: Array, _: Any) -> Array:
        """Return how far the score falls without each channel, "b d"."""
        weights = []
        for place, kind in enumerate(classes):
            score, maps = self.model.of(place), torch.from_numpy(activations[place]).to(images.device)
            whole = _score_with(score, layer, images[place], maps[None], kind)
            found = []
            for channels in torch.arange(len(maps), device=maps.device).split(self.chunk):
                ablated = maps.repeat(len(channels), 1, 1, 1)
                ablated[torch.arange(len(channels)), channels] = 0
                found.append(whole - _score_with(score, layer, images[place], ablated, kind))
            weights.append(torch.cat(found).cpu())
        return torch.stack(weights).numpy()


def _score_with(score: ClassScores, layer: nn.Module, image: Tensor, maps: Tensor, kind: int) -> Tensor:
    with _answering(layer, maps):
        found: Tensor = score(image.expand(len(maps), *image.shape))[:, kind]
        return found


@contextmanager
def _answering(layer: nn.Module, value: Tensor) -> Iterator[None]:
    """Make the layer return a copy of `value`, whatever its input; it computes nothing."""
    before = vars(layer).get("forward")
    layer.forward = lambda *_, **__: value.clone()  # type: ignore[method-assign]
    try:
        yield
    finally:
        del layer.forward
        if before is not None:
            layer.forward = before  # type: ignore[method-assign]
