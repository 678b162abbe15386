"""Cutting images into patches, joining them, and maps and attention of patches."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from harness_architectures.shared.patches.grid import PatchGrid


def unfold(images: Float[Tensor, "b c h w"], side: int) -> Float[Tensor, "b n c y x"]:
    """Cut images into adjacent square patches, row by row; `side` divides height and width."""
    count, channels, height, width = images.shape
    cut = images.reshape(count, channels, height // side, side, width // side, side)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(count, -1, channels, side, side)


def stitch(patches: Float[Tensor, "b n c y x"], rows: int) -> Float[Tensor, "b c h w"]:
    """Join patches in `rows` rows; the inverse of `unfold`."""
    count, number, channels, high, wide = patches.shape
    laid = patches.reshape(count, rows, number // rows, channels, high, wide)
    return laid.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, rows * high, number // rows * wide)


def cut(images: Float[Tensor, "b c h w"], grid: PatchGrid) -> Float[Tensor, "b n c y x"]:
    """Return the patches of a grid."""
    (top, left), (height, width) = grid.corner, grid.area
    return unfold(images[:, :, top : top + height, left : left + width], grid.patch_px)


class Stitched(nn.Module):
    """The feature maps of all patches as one map of the image, the layer that class-activation methods explain.

    Its input "b n d i j" is what each patch's network gives; the user of the map cuts it into patches again.
    """

    def forward(self, maps: Float[Tensor, "b n d i j"], rows: int) -> Float[Tensor, "b d y x"]:
        """Place the maps where their patches lie."""
        return stitch(maps, rows)


def boxes(grid: PatchGrid, device: torch.device) -> Int[Tensor, "n 4"]:
    """Return the patches' boxes: x0 y0 x1 y1 in pixels of the image, half open."""
    top, left = grid.corner
    y, x = torch.meshgrid(
        top + grid.patch_px * torch.arange(grid.rows, device=device),
        left + grid.patch_px * torch.arange(grid.columns, device=device),
        indexing="ij",
    )
    corner = torch.stack((x, y), 2).flatten(0, 1)
    return torch.cat((corner, corner + grid.patch_px), 1)


def share(weights: Float[Tensor, "b n w"]) -> Float[Tensor, "b n"]:
    """Return one weight for each instance: the mean of several weight maps."""
    return weights.float().mean(2)


def relative(weights: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """Divide weights by the highest of their image."""
    return weights / weights.amax(1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)


def flatness(weights: Float[Tensor, "b n"]) -> dict[str, Float[Tensor, " b"]]:
    """Return `attention_entropy` relative to equal weights (1 is even) and `attention_peak`, max / mean.

    Dividing by the maximum, as attention is drawn, hides it.
    """
    shares = weights / weights.sum(1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
    number = weights.shape[1]
    entropy = torch.special.entr(shares).sum(1) / math.log(number) if number > 1 else torch.ones_like(shares[:, 0])
    return {"attention_entropy": entropy, "attention_peak": number * shares.amax(1)}


def saliency_map(scores: Float[Tensor, "b n k"], grid: PatchGrid) -> Float[Tensor, "b k i j"]:
    """Arrange patch scores as a map, a cell a patch; with a crop a cell is a pixel and the margin is 0."""
    maps: Tensor = scores.transpose(1, 2).unflatten(2, (grid.rows, grid.columns))
    if grid.area == grid.image:
        return maps
    enlarged = functional.interpolate(maps.float(), grid.area, mode="nearest")
    (top, left), (height, width) = grid.corner, grid.area
    below, right = grid.image[0] - top - height, grid.image[1] - left - width
    return functional.pad(enlarged, (left, right, top, below))
