"""GLAM's network and losses. Written from the description of the paper's method; no line is the authors'."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from harness import Task
from harness.nn import Backbone, Batch, Model, Output, Pooling, outside_autocast
from harness_architectures.glam.patch import Maps, Score, patch_side
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
from harness_architectures.shared.regions import boxes_at, retrieve_roi, take_crops, to_pixels
from harness_architectures.shared.scores import link, logit_loss

SCALE_WEIGHTS = (0.2, 0.6, 0.2)
"""Of the fine, the middle and the coarse map in their combination."""


class GLAM(Model):
    """Maps of three scales choose one large patch, whose own fine map is pasted back into place.

    Output: `probs` is the head that `score` names; `heads` are global (the mean of the three scales), local, their
    mean, and fusion; `saliency` is the combined map merged with the patch's map, about as fine as that one;
    `parts` are `global_map` "b k i j", `local_map` "b k y x" of the patch, `corners` (cells), and `boxes`
    (pixels x0 y0 x1 y1, one per image).

    No gradient reaches the global network through the choice of the patch.

    Args:
        features: channels of the backbone's last three stages, fine to coarse.
        poolings: one for each of them.
        local_channels: of what the local network reads.
        maps: see `harness_architectures.glam.component.build_glam`.
        score: the head that is the model's score.

    Source: Liu et al. 2021, MIDL, arXiv 2106.07049.
    """

    def __init__(
        self,
        task: Task,
        *,
        backbone: Backbone,
        features: Sequence[int],
        local_backbone: Backbone,
        poolings: Sequence[Pooling],
        local_pooling: Pooling,
        patch_px: int | None,
        map_l1: float,
        local_channels: int,
        maps: Maps,
        score: Score,
    ) -> None:
        super().__init__()
        self.maps, self.score = maps, score
        self.exclusive = task.kind == "multiclass"
        self.patch_px, self.map_l1, self.local_channels = patch_px, map_l1, local_channels
        classes = len(task.classes)
        self.backbone = backbone
        self.saliency = nn.ModuleList(nn.Conv2d(width, classes, 1, bias=False) for width in features)
        self.poolings = nn.ModuleList(poolings)
        self.local_backbone = local_backbone
        self.local_saliency = nn.Conv2d(local_backbone.features, classes, 1, bias=False)
        self.local_pooling = local_pooling
        self.fusion = nn.Linear(backbone.features + local_backbone.features, classes)

    def forward(self, batch: Batch) -> Output:
        """Compute scores, maps and the patch of a batch of images."""
        images = batch.images
        if images is None:
            raise TypeError("glam reads images, and this batch has none.")
        stages = self.backbone.stages(images)[-len(self.saliency) :]
        maps = [class_maps(head, stage) for head, stage in zip(self.saliency, stages, strict=True)]  # type: ignore[arg-type]
        combined, scores = combine(maps, self.maps), self._scores(maps, stages)

        place = Geometry.of(size_of(images), size_of(combined), patch_side(size_of(images), self.patch_px))
        cells = retrieve_roi(combined, place.window, 1)
        corners = to_pixels(cells, place)
        patches = take_crops(images, corners, place.crop_px)  # b 1 c y x
        seen = self.local_backbone(with_channels(patches, self.local_channels))
        local_map = class_maps(self.local_saliency, seen)
        local_scores = self.local_pooling(cells_of(local_map), key=cells_of(seen)).value

        logits = outside_autocast(self.fusion, torch.cat((stages[-1].amax((2, 3)), seen.amax((2, 3))), 1))
        heads = {name: as_distribution(s, self.exclusive) for name, s in (("global", scores), ("local", local_scores))}
        heads["mean"] = (heads["global"] + heads["local"]) / 2
        heads["fusion"] = link(logits, self.exclusive)
        return Output(
            probs=heads[self.score],
            logits=logits if self.score == "fusion" else None,
            heads=heads,
            saliency=merge(combined, local_map, corners[:, 0], place, self.maps),
            parts={
                "global_map": combined,
                "local_map": local_map,
                "corners": cells,
                "boxes": boxes_at(corners, place),
                "global_scores": scores,
                "local_scores": local_scores,
                "fusion_logits": logits,
            },
        )

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the cross-entropy of global, local and fusion, and beta times the sums of both maps."""
        return {
            "global": score_loss(out.parts["global_scores"], batch),
            "local": score_loss(out.parts["local_scores"], batch),
            "fusion": logit_loss(out.parts["fusion_logits"], batch, self.exclusive),
            "map_l1": self.map_l1 * (map_sum(out.parts["global_map"]) + map_sum(out.parts["local_map"])),
        }

    def explain_layer(self) -> nn.Module:
        """Return the global network, whose output is the last feature map."""
        return self.backbone

    def _scores(self, maps: Sequence[Tensor], stages: Sequence[Tensor]) -> Float[Tensor, "b k"]:
        """Return the mean of the pooled maps of all scales; the released code pools each at the finest size."""
        if self.maps == "released":
            finest = size_of(maps[0])
            maps, stages = ([functional.interpolate(m, finest) for m in own] for own in (maps, stages))
        triples = zip(self.poolings, maps, stages, strict=True)
        return torch.stack([pool(cells_of(m), key=cells_of(stage)).value for pool, m, stage in triples]).mean(0)


def combine(maps: Sequence[Float[Tensor, "b k _ _"]], how: Maps = "released") -> Float[Tensor, "b k i j"]:
    """Return the weighted sum of the maps of three scales, fine to coarse, at the size of the finest."""
    resized = [_resized(m, size_of(maps[0]), how) for m in maps]
    return torch.stack([weight * m for weight, m in zip(SCALE_WEIGHTS, resized, strict=True)]).sum(0).clamp(0, 1)


def merge(
    combined: Float[Tensor, "b k i j"],
    local_map: Float[Tensor, "b k y x"],
    corners: Int[Tensor, "b 2"],
    place: Geometry,
    how: Maps = "released",
) -> Float[Tensor, "b k u v"]:
    """Merge the combined map, at the resolution of the patch's own map, with that one.

    As released, the result is half of the sum of the global map and of the patch's map on zeros: outside the patch
    the global map is halved too. "smooth" replaces the global map inside the patch.

    Args:
        combined: over the whole image.
        local_map: over the patch.
        corners: upper-left corners of the patches, row and column in pixels.
        place: the image's size and the patch's side.
        how: see `harness_architectures.glam.component.build_glam`.
    """
    high, wide = size_of(local_map)
    scale = high / place.crop_px, wide / place.crop_px
    size = max(high, round(place.image[0] * scale[0])), max(wide, round(place.image[1] * scale[1]))
    whole = _resized(combined, size, how)
    first = [
        (corner * factor).round().long().clamp(max=most)
        for corner, factor, most in zip(corners.float().unbind(1), scale, (size[0] - high, size[1] - wide), strict=True)
    ]
    rows = first[0].unsqueeze(1) + torch.arange(high, device=corners.device)  # b y
    columns = first[1].unsqueeze(1) + torch.arange(wide, device=corners.device)  # b x
    index = (rows.unsqueeze(2) * size[1] + columns.unsqueeze(1)).flatten(1).unsqueeze(1)  # b 1 yx
    below = torch.zeros_like(whole) if how == "released" else whole
    pasted: Tensor = below.flatten(2).scatter(2, index.expand(-1, whole.shape[1], -1), local_map.flatten(2))
    found: Tensor = pasted.unflatten(2, size)
    return (found + whole) / 2 if how == "released" else found


def _resized(maps: Float[Tensor, "b k _ _"], size: tuple[int, int], how: Maps) -> Float[Tensor, "b k i j"]:
    if how == "released":
        return functional.interpolate(maps, size, mode="nearest")
    return functional.interpolate(maps, size, mode="bilinear", align_corners=False)
