"""GMIC's network and losses. Written from the paper; see `regions` for how it chooses its crops."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from harness import Task
from harness.nn import Backbone, Batch, Model, Output, Pooling, masked_bce
from harness_systems.gmic.geometry import Geometry
from harness_systems.gmic.regions import random_corners, retrieve_roi, take_crops, to_pixels

PUBLISHED_CELLS = 46 * 30
"""Cells of the published map: what `map_l1` was tuned for."""
EPS = 1e-6


class GMIC(Model):
    """A global network draws a map per class, a local one looks at the map's best crops, both are fused.

    Output: `probs` is the fusion's, `heads` are global, local, their mean, and fusion; `evidence` are
    the maps; `parts` are `corners` (cells), `boxes` (pixels x0 y0 x1 y1), `crops` and, where the local
    pooling has weights, `attention` "b n".

    No gradient reaches the maps through the crops: they learn from the global loss and their own sum,
    the global features also from the fusion.

    Source: Shen et al. 2021, Medical Image Analysis 68, 101908.
    """

    def __init__(
        self,
        task: Task,
        *,
        backbone: Backbone,
        local_backbone: Backbone,
        pooling: Pooling,
        local_pooling: Pooling,
        crops: int,
        crop_px: int | None,
        map_l1: float,
        crop_choice: Literal["saliency", "random"],
        local_channels: int,
    ) -> None:
        super().__init__()
        self.exclusive = task.kind == "multiclass"
        self.crops, self.crop_px, self.crop_choice = crops, crop_px, crop_choice
        self.map_l1, self.local_channels = map_l1, local_channels
        classes = len(task.classes)
        self.backbone = backbone
        self.saliency = nn.Conv2d(backbone.features, classes, 1, bias=False)
        self.pooling = pooling
        self.local_backbone = local_backbone
        self.local_pooling = local_pooling
        self.classifier = nn.Linear(local_backbone.features, classes, bias=False)
        self.fusion = nn.Linear(backbone.features + local_backbone.features, classes)

    def forward(self, batch: Batch) -> Output:
        """Scores, maps and crops of a batch of images."""
        images = batch.images
        if images is None:
            raise TypeError("gmic reads images, and this batch has none.")
        features = self.backbone(images)  # b d i j
        maps = self._maps(features)
        place = Geometry.of(_size(images), _size(maps), self.crop_px)
        place.check(self.crops)
        scores = self.pooling(_cells(maps), key=_cells(features)).value

        cells = self._corners(maps, place, batch)
        corners = to_pixels(cells, place)
        crops = take_crops(images, corners, place.crop_px)  # b n c y x
        local = self.local_pooling(self._look_at(crops))
        local_logits = self.classifier(local.value).float()
        logits = self.fusion(torch.cat((features.amax((2, 3)), local.value), 1)).float()

        global_probs = scores / scores.sum(1, keepdim=True).clamp(min=EPS) if self.exclusive else scores
        local_probs, probs = self._link(local_logits), self._link(logits)
        parts = {
            "corners": cells,
            "boxes": torch.cat((corners.flip(2), corners.flip(2) + place.crop_px), 2),
            "crops": crops,
            "global_scores": scores,
            "local_logits": local_logits,
        }
        if local.weights is not None and local.weights.shape[2] == 1:
            parts["attention"] = local.weights.squeeze(2)
        return Output(
            probs=probs,
            logits=logits,
            heads={
                "global": global_probs,
                "local": local_probs,
                "mean": (global_probs + local_probs) / 2,
                "fusion": probs,
            },
            evidence=maps,
            parts=parts,
        )

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of global, local and fusion, and beta times the maps' sum.

        The sum is rescaled to the published map's 1,380 cells, so that beta keeps its meaning.
        """
        assert out.evidence is not None and out.logits is not None
        loss = _cross_entropy if self.exclusive else _binary
        total = out.evidence.float().abs().sum((1, 2, 3)).mean()
        return {
            "global": masked_bce(out.parts["global_scores"], batch.labels, weights=batch.weights, eps=EPS),
            "local": loss(out.parts["local_logits"], batch),
            "fusion": loss(out.logits, batch),
            "map_l1": self.map_l1 * PUBLISHED_CELLS / out.evidence[0, 0].numel() * total,
        }

    def explain_layer(self) -> nn.Module:
        """The global network, whose output is the last feature map."""
        return self.backbone

    def _maps(self, features: Float[Tensor, "b d i j"]) -> Float[Tensor, "b k i j"]:
        """In fp32 under autocast too: in bf16 cells would tie, and ties decide where the crops lie."""
        with torch.autocast(features.device.type, enabled=False):
            return torch.sigmoid(self.saliency(features.float()))

    def _corners(self, maps: Tensor, place: Geometry, batch: Batch) -> Tensor:
        if self.crop_choice == "saliency":
            return retrieve_roi(maps, place.window, self.crops)
        count = len(maps)
        names = None if self.training else batch.ids or ("",) * count
        return random_corners(place, count, self.crops, maps.device, names)

    def _look_at(self, crops: Float[Tensor, "b n c y x"]) -> Float[Tensor, "b n d"]:
        flat = crops.flatten(0, 1)
        if flat.shape[1] != self.local_channels:
            flat = flat.expand(-1, self.local_channels, -1, -1)
        return self.local_backbone(flat).mean((2, 3)).unflatten(0, crops.shape[:2])

    def _link(self, logits: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        return logits.softmax(1) if self.exclusive else logits.sigmoid()


@torch.no_grad()
def first_map(backbone: Backbone, task: Task) -> tuple[int, int]:
    """The size of a backbone's map, found by running it once on a blank image."""
    training = backbone.training
    found = backbone.eval()(torch.zeros(1, task.channels, *task.image_size))
    backbone.train(training)
    return _size(found)


def _size(images: Float[Tensor, "b c h w"]) -> tuple[int, int]:
    return images.shape[2], images.shape[3]


def _cells(maps: Float[Tensor, "b d i j"]) -> Float[Tensor, "b n d"]:
    return maps.flatten(2).transpose(1, 2)


def _binary(logits: Float[Tensor, "b k"], batch: Batch) -> Float[Tensor, ""]:
    return masked_bce(logits, batch.labels, link="logits", weights=batch.weights)


def _cross_entropy(logits: Float[Tensor, "b k"], batch: Batch) -> Float[Tensor, ""]:
    """Over one-hot labels; an image with an unknown label does not count."""
    known = ~batch.labels.isnan().any(1)
    loss = -batch.labels.nan_to_num(0.0) * logits.float().log_softmax(1)
    if batch.weights is not None:
        loss = loss * batch.weights
    return (loss.sum(1) * known).sum() / max(1, len(loss))
