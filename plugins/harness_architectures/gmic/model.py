"""GMIC's network and losses, of 2021 and of 2019. Written from the papers; `regions` chooses the crops."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness import Task
from harness.nn import Backbone, Batch, Grid, Model, Output, Pooling, outside_autocast
from harness_architectures.gmic.cropping import Cropping
from harness_architectures.shared.class_maps import (
    as_distribution,
    cells_of,
    class_maps,
    map_sum,
    score_loss,
    size_of,
    with_channels,
)
from harness_architectures.shared.geometry import Geometry
from harness_architectures.shared.regions import boxes_at, random_corners, retrieve_roi, take_crops, to_pixels
from harness_architectures.shared.scores import link, logit_loss


class GMIC(Model):
    """A global network draws a map per class, a local one looks at the map's best crops, both are fused.

    Output: `probs` is the fusion's, or without one the mean of the two; `heads` are global, local, their
    mean, and fusion where there is one; `saliency` are the maps; `parts` are `corners` (cells), `boxes`
    (pixels x0 y0 x1 y1), `crops` and, where the local pooling has weights, `attention` "b n".

    No gradient reaches the maps through the crops: they learn from the global loss and their own sum,
    the global features also from the fusion.

    Args:
        task: classes and channels.
        cropping: what is cropped.
        backbone: the global network.
        local_backbone: sees the crops.
        pooling: reduces each map to a score.
        local_pooling: reduces the crops' features to one vector.
        map_l1: weight of the maps' sum.
        fuse: a linear layer over both networks' features gives the scores (2021); else their mean does (2019).
        map_exponent: of the maps' cells in their sum; 1 in 2021, searched in 2019.
        centred: maps and crops lie where the cells look; else evenly, as published.

    Source: Shen et al. 2021, Medical Image Analysis 68, 101908; Shen et al. 2019, MLMI.
    """

    def __init__(
        self,
        task: Task,
        cropping: Cropping,
        *,
        backbone: Backbone,
        local_backbone: Backbone,
        pooling: Pooling,
        local_pooling: Pooling,
        map_l1: float,
        fuse: bool = True,
        map_exponent: float = 1.0,
        centred: bool = True,
    ) -> None:
        super().__init__()
        self.centred = centred
        self.exclusive = task.kind == "multiclass"
        self.cropping = cropping
        self.crop_channels, self.local_channels = cropping.channels(task)
        self.map_l1, self.map_exponent = map_l1, map_exponent
        classes = len(task.classes)
        self.backbone = backbone
        self.saliency = nn.Conv2d(backbone.features, classes, 1, bias=False)
        self.pooling = pooling
        self.local_backbone = local_backbone
        self.local_pooling = local_pooling
        self.classifier = nn.Linear(local_backbone.features, classes, bias=False)
        self.fusion = nn.Linear(backbone.features + local_backbone.features, classes) if fuse else None

    def forward(self, batch: Batch) -> Output:
        """Compute scores, maps and crops of a batch of images."""
        images = batch.images
        if images is None:
            raise TypeError("gmic reads images, and this batch has none.")
        features = self.backbone(images)  # b d i j
        maps = class_maps(self.saliency, features)
        place = self.cropping.on(size_of(images), size_of(maps))
        scores = self.pooling(cells_of(maps), key=cells_of(features)).value

        cells = self._corners(maps, place, batch)
        corners = to_pixels(cells, place, self.grid(batch))
        crops = take_crops(images[:, : self.crop_channels], corners, place.crop_px)  # b n c y x
        seen = self.local_backbone(with_channels(crops, self.local_channels))
        local = self.local_pooling(seen.mean((2, 3)).unflatten(0, crops.shape[:2]))
        local_logits = outside_autocast(self.classifier, local.value)

        heads = {"global": as_distribution(scores, self.exclusive), "local": link(local_logits, self.exclusive)}
        heads["mean"] = (heads["global"] + heads["local"]) / 2
        probs, logits = heads["mean"], None
        if self.fusion is not None:
            logits = outside_autocast(self.fusion, torch.cat((features.amax((2, 3)), local.value), 1))
            probs = heads["fusion"] = link(logits, self.exclusive)
        parts = {
            "corners": cells,
            "boxes": boxes_at(corners, place),
            "crops": crops,
            "global_scores": scores,
            "local_logits": local_logits,
        }
        if local.weights is not None and local.weights.shape[2] == 1:
            parts["attention"] = local.weights.squeeze(2)
        return Output(probs=probs, logits=logits, heads=heads, saliency=maps, parts=parts)

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the cross-entropy of global, local and (if any) fusion, and beta times the maps' sum.

        The sum is rescaled to the published map's 1,380 cells, so that beta keeps its meaning.
        """
        assert out.saliency is not None
        losses = {
            "global": score_loss(out.parts["global_scores"], batch),
            "local": logit_loss(out.parts["local_logits"], batch, self.exclusive),
        }
        if out.logits is not None:
            losses["fusion"] = logit_loss(out.logits, batch, self.exclusive)
        return {**losses, "map_l1": self.map_l1 * map_sum(out.saliency, self.map_exponent)}

    def explain_layer(self) -> nn.Module:
        """Return the global network, whose output is the last feature map."""
        return self.backbone

    def grid(self, batch: Batch) -> Grid | None:
        """Return where the maps' cells look, if `centred`."""
        return self.backbone.grid(batch.images) if self.centred and batch.images is not None else None

    def _corners(self, maps: Tensor, place: Geometry, batch: Batch) -> Tensor:
        if self.cropping.crop_choice == "saliency":
            return retrieve_roi(maps, place.window, self.cropping.crops)
        count = len(maps)
        names = None if self.training else batch.ids or ("",) * count
        return random_corners(place, count, self.cropping.crops, maps.device, names)
