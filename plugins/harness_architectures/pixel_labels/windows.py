"""The windows of a patch classifier: where they are, their labels, and the map of their scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from harness_architectures.shared.regions import take_crops

OVERLAP = 0.1
"""Share of a patch that a lesion fills, to make the patch positive."""


def draw_corners(masks: Float[Tensor, "b k h w"], window: int, count: int) -> Int[Tensor, "b n 2"]:
    """Draw upper-left corners of patches; the first half contain a lesion pixel near their centre, if any.

    The middle is the window's central half, cut off where the image ends. Chance is torch's own generator.
    """
    size = torch.tensor(masks.shape[2:])
    corners = (torch.rand(len(masks), count, 2) * (size - window + 1)).long()
    half = count // 2
    for found, image in zip(corners, (masks != 0).any(1).cpu().numpy(), strict=True):
        points = torch.from_numpy(np.flatnonzero(image))  # torch's own, of floats, is slow
        if len(points):
            drawn = points[torch.randint(len(points), (half,))]
            chosen = torch.stack((drawn // image.shape[1], drawn % image.shape[1]), 1)
            shifts = ((torch.rand(half, 2) + 0.5) * window / 2).long()
            found[:half] = (chosen - shifts).clamp(min=0).minimum(size - window)
    return corners.to(masks.device)


def patch_labels(
    masks: Float[Tensor, "b k h w"], known: Bool[Tensor, "b k"], corners: Int[Tensor, "b n 2"], window: int
) -> Float[Tensor, "b n k"]:
    """Return 1 where a patch shows enough of a class, 0 where none of it, else NaN."""
    held = take_crops(masks, corners, window).sum((3, 4))  # b n k
    enough = (masks.sum((2, 3)) / 2).clamp(max=OVERLAP * window**2).unsqueeze(1)
    labels = torch.where(held == 0, 0.0, torch.where(held >= enough, 1.0, torch.nan))
    return labels.where(known.unsqueeze(1), torch.nan)


def grid(rows: Sequence[int], columns: Sequence[int], device: torch.device) -> Int[Tensor, "n 2"]:
    """Return the corners of all windows, row by row."""
    return torch.cartesian_prod(torch.tensor(rows), torch.tensor(columns)).reshape(-1, 2).to(device)


def spread_out(
    scores: Float[Tensor, "b k i j"], rows: Sequence[int], columns: Sequence[int], window: int, size: tuple[int, int]
) -> Float[Tensor, "b k h w"]:
    """Return a map at the image's size: each pixel has the score of the window with the nearest centre."""
    down, across = (
        (torch.arange(length)[:, None] - (torch.tensor(starts) + (window - 1) / 2)).abs().argmin(1).to(scores.device)
        for length, starts in zip(size, (rows, columns), strict=True)
    )
    return scores[:, :, down][:, :, :, across]
