"""AG-CNN's heat map of an image, its largest hot region, and the crop. Class-agnostic, no gradient."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from harness.nn import Grid, place

LEAST_PX = 2
"""A narrower box is too small to be enlarged."""
_NEIGHBOURS = np.zeros((3, 3, 3), bool)
_NEIGHBOURS[1] = True  # eight within an image, none in the next image of the batch


@torch.no_grad()
def heat_map(
    features: Float[Tensor, "b d i j"],
    size: tuple[int, int],
    statistic: Literal["max", "l1", "l2"] = "max",
    grid: Grid | None = None,
) -> Float[Tensor, "b h w"]:
    """Reduce the absolute activations over the channels, at image size, min-max normalised to [0, 1].

    A constant map is 0 everywhere. Cells lie where `grid` says, without it evenly.

    Source: Guan et al. 2018, arXiv 1801.09927, equation 4 (max) and section 4.4 (L1, L2); the range is assumed.
    """
    found = features.detach().float()
    if statistic == "max":
        coarse = found.abs().amax(1, keepdim=True)
    elif statistic == "l1":
        coarse = found.abs().mean(1, keepdim=True)
    else:
        coarse = found.square().sum(1, keepdim=True).sqrt() / found.shape[1]
    if grid is None:
        fine = functional.interpolate(coarse, size, mode="bilinear", align_corners=False).squeeze(1)
    else:
        fine = place(coarse, grid, size, "bilinear").squeeze(1)
    low, high = fine.amin((1, 2), keepdim=True), fine.amax((1, 2), keepdim=True)
    span = high - low
    return fine.sub_(low).div_(span.where(span > 0, 1.0))


def largest_region(heat: Float[Tensor, "b h w"], tau: float) -> Int[Tensor, "b 4"]:
    """Return the bounding box of the largest connected region above tau: x0 y0 x1 y1 in pixels, half open.

    The whole image where nothing is that hot, or the box is less than 2 px high or wide.

    Source: Guan et al. 2018, arXiv 1801.09927, section 3.2.
    """
    hot = (heat > tau).cpu().numpy()
    labelled, count = ndimage.label(hot, _NEIGHBOURS)
    areas = np.bincount(labelled[hot], minlength=count + 1)
    boxes = np.tile([0, 0, hot.shape[2], hot.shape[1]], (len(hot), 1))
    largest = np.zeros(len(hot), np.int64)
    for number, (images, rows, columns) in enumerate(ndimage.find_objects(labelled), start=1):
        image = images.start
        if areas[number] > largest[image]:
            largest[image] = areas[number]
            boxes[image] = columns.start, rows.start, columns.stop, rows.stop
    narrow = ((boxes[:, 2:] - boxes[:, :2]) < LEAST_PX).any(1)
    boxes[narrow] = 0, 0, hot.shape[2], hot.shape[1]
    return torch.from_numpy(boxes).to(heat.device)


def crop_and_resize(images: Float[Tensor, "b c h w"], boxes: Int[Tensor, "b 4"]) -> Float[Tensor, "b c h w"]:
    """Crop the boxes (x0 y0 x1 y1 in pixels, half open) and resize them bilinearly to the images' size."""
    height, width = images.shape[2:]
    x0, y0, x1, y1 = (edge.unsqueeze(1).float() for edge in boxes.unbind(1))
    across = (x0 + (x1 - x0) * _centres(width, images.device)) * 2 / width - 1  # b w, of -1 to 1 from edge to edge
    down = (y0 + (y1 - y0) * _centres(height, images.device)) * 2 / height - 1
    grid = torch.stack(torch.broadcast_tensors(across.unsqueeze(1), down.unsqueeze(2)), 3)
    with torch.autocast(images.device.type, enabled=False):  # sampled in fp32 on every device
        return functional.grid_sample(images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)


def _centres(count: int, device: torch.device) -> Float[Tensor, " n"]:
    """Return the centres of the pixels on an edge of length 1."""
    return (torch.arange(count, device=device) + 0.5) / count
