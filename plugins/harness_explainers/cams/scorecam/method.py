"""Score-CAM in bounded memory."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_grad_cam import ScoreCAM
from torch import Tensor, nn

from harness_explainers.adapter import ClassScores
from harness_explainers.cams.cam import Array


class BoundedScoreCam(ScoreCAM):  # type: ignore[misc]
    """Score-CAM whose masked images are made and scored `chunk` at a time, without a progress bar."""

    def __init__(self, model: ClassScores, layers: list[nn.Module], *, chunk: int) -> None:
        super().__init__(model, layers)
        self.chunk = chunk

    @torch.no_grad()
    def get_cam_weights(self, images: Tensor, layer: Any, classes: list[int], activations: Array, _: Any) -> Array:
        """Return the softmax over channels of the score of the image masked by each channel, "b d"."""
        enlarge = nn.UpsamplingBilinear2d(size=(images.shape[2], images.shape[3]))
        weights = []
        for place, kind in enumerate(classes):
            score, maps = self.model.of(place), torch.from_numpy(activations[place]).to(images.device)
            found = []
            for part in maps.split(self.chunk):
                masks = enlarge(part[None])[0]  # n h w
                low, high = masks.amin((1, 2), keepdim=True), masks.amax((1, 2), keepdim=True)
                masks = (masks - low) / (high - low + 1e-8)
                found.append(score(images[place] * masks[:, None])[:, kind])
            weights.append(torch.cat(found).softmax(0).cpu())
        return torch.stack(weights).numpy()
