"""Model A: a score for each patch and class, learnt from image labels, and the selection by score."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from harness.nn import Backbone, Batch, outside_autocast

ROUNDING = 1e-3
"""Tolerance of normalised pixels, which depend on the batch, when an image is recognised again."""


class PatchScorer(nn.Module):
    """A network over single patches: backbone, mean over space, two linear layers, a logit a class."""

    def __init__(self, backbone: Backbone, features: int, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Sequential(nn.Linear(backbone.features, features), nn.ReLU(), nn.Linear(features, classes))

    def forward(self, patches: Float[Tensor, "b n c y x"]) -> Float[Tensor, "b n k"]:
        """Compute logits in fp32, because their ranking decides which patches are learnt from."""
        maps = self.backbone(patches.flatten(0, 1))
        logits: Tensor = outside_autocast(self.head, maps.mean((2, 3))).unflatten(0, patches.shape[:2])
        return logits


def top(logits: Float[Tensor, "b n k"], count: int) -> Int[Tensor, "b t k"]:
    """Return the instances with the highest logits of each class, best first; all where there are fewer."""
    return logits.topk(min(count, logits.shape[1]), dim=1).indices


def ends(logits: Float[Tensor, "b n k"], highest: int, lowest: int) -> Int[Tensor, "b m"]:
    """Return the instances with the highest and the lowest scores, each once, ranked by their best class."""
    number = logits.shape[1]
    order = logits.amax(2).argsort(dim=1, descending=True, stable=True)
    high = min(highest, number)
    low = min(lowest, number - high)
    return torch.cat((order[:, :high], order[:, number - low :]), 1)


def take(patches: Float[Tensor, "b n c y x"], places: Int[Tensor, "b m"]) -> Float[Tensor, "b m c y x"]:
    """Return the patches at these places of each image."""
    return patches[torch.arange(len(patches), device=patches.device).unsqueeze(1), places]


class Selection:
    """Patches from which each training image is learnt in this epoch.

    An image is remembered by its id, with a few of its pixels: augmentation that moves patches from under
    their selection is an error, not silently another method.
    """

    def __init__(self) -> None:
        self._places: dict[str, tuple[Tensor, Tensor]] = {}

    def add(self, batch: Batch, places: Int[Tensor, "b t k"]) -> None:
        """Store the places of one batch."""
        assert batch.images is not None
        for key, own, pixels in zip(batch.ids, places.cpu(), _probe(batch.images), strict=True):
            self._places[key] = own, pixels

    def clear(self) -> None:
        """Remove all places."""
        self._places.clear()

    def of(self, batch: Batch) -> Int[Tensor, "b t k"] | None:
        """Return the places of a batch's images, or None if one of them is not stored.

        Raises:
            ValueError: an image is not as it was when its patches were selected.
        """
        assert batch.images is not None
        if not batch.ids or any(key not in self._places for key in batch.ids):
            return None
        found = [self._places[key] for key in batch.ids]
        if not torch.allclose(torch.stack([pixels for _, pixels in found]), _probe(batch.images), atol=ROUNDING):
            raise ValueError(
                "images were augmented after their patches had been selected: leave `train.augment` empty."
            )
        return torch.stack([places for places, _ in found]).to(batch.images.device)


def _probe(images: Float[Tensor, "b c h w"]) -> Tensor:
    """Return about sixteen pixels of each image, on the CPU."""
    down, across = (max(1, size // 4) for size in images.shape[2:])
    return images[:, :, down // 2 :: down, across // 3 :: across].detach().cpu()
