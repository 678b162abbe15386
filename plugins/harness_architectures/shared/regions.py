"""Selection of GMIC's regions of an image, and the cutting of crops. Nothing here waits for the device."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import torch
from jaxtyping import Float, Int
from torch import Tensor

from harness import seed_of
from harness.nn import Grid
from harness_architectures.shared.geometry import Geometry


@torch.no_grad()
def retrieve_roi(maps: Float[Tensor, "b k i j"], window: tuple[int, int], crops: int) -> Int[Tensor, "b n 2"]:
    """Choose the windows with the highest mean greedily; return upper-left corners (row, column) in cells.

    Each class map is min-max normalised by itself and the maps are summed. Then `crops` times: of all
    windows fully inside, at a stride of one cell, the one with the highest mean wins (the first in
    row-major order among equals), and its cells are set to 0. Windows may overlap.

    A constant map contributes nothing; when all is 0, the corner is (0, 0). No gradient passes.

    Source: Shen et al. 2021, Medical Image Analysis 68, 101908, algorithm 1.
    """
    maps = maps.detach().float()
    low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    span = high - low
    summed = ((maps - low) / span.where(span > 0, 1.0)).sum(1).contiguous()  # b i j
    wide = summed.shape[2]
    across = wide - window[1] + 1
    inside = torch.arange(window[0], device=maps.device).unsqueeze(1) * wide
    inside = (inside + torch.arange(window[1], device=maps.device)).flatten()  # a window's cells, from its corner
    found = []
    for _ in range(crops):
        scores = _run_sums(_run_sums(summed, 2, window[1]), 1, window[0])
        best = scores.flatten(1).argmax(1)
        corner = best + best.div(across, rounding_mode="floor") * (wide - across)  # counted in cells of the map
        summed.flatten(1).scatter_(1, corner.unsqueeze(1) + inside, 0.0)
        found.append(best)
    corners = torch.stack(found, 1)
    return torch.stack((corners // across, corners % across), 2)


def random_corners(
    place: Geometry, images: int, crops: int, device: torch.device, names: Sequence[object] | None = None
) -> Int[Tensor, "b n 2"]:
    """Draw corners evenly and independently over all places where a window fits.

    Args:
        place: tells how many rows and columns there are.
        images: how many images.
        crops: how many corners for each.
        device: where the result is wanted.
        names: one per image; what is drawn then depends on the name alone. None draws from torch's
            generator, as dropout does.
    """
    high, wide = place.corners
    if names is None:
        flat = torch.randint(high * wide, (images, crops), device=device)
    else:
        drawn = [Random(seed_of("crops", name)).choices(range(high * wide), k=crops) for name in names]
        flat = torch.tensor(drawn).to(device, non_blocking=True)
    return torch.stack((flat // wide, flat % wide), 2)


def to_pixels(corners: Int[Tensor, "b n 2"], place: Geometry, grid: Grid | None = None) -> Int[Tensor, "b n 2"]:
    """Convert corners to pixels, rounded half to even.

    Args:
        corners: of windows, in cells.
        place: of the map on the image.
        grid: where the cells look: a crop is centred where its window is, and moved inside the image. None is the
            published rule, cell / cells * pixels.
    """
    exact = torch.float32 if corners.device.type == "mps" else torch.float64  # Python's rounding; MPS has no doubles
    if grid is not None:
        found = []
        for axis, cell in enumerate(corners.unbind(2)):
            centre = grid.offset[axis] + grid.stride[axis] * (cell.to(exact) + (place.window[axis] - 1) / 2)
            first = (centre - (place.crop_px - 1) / 2).round().long()
            found.append(first.clamp(0, place.image[axis] - place.crop_px))
        return torch.stack(found, 2)
    axes = zip(corners.unbind(2), place.map, place.image, strict=True)
    return torch.stack([(cell.to(exact) / cells * pixels).round().long() for cell, cells, pixels in axes], 2)


def boxes_at(corners: Int[Tensor, "b n 2"], place: Geometry) -> Int[Tensor, "b n 4"]:
    """Return the boxes of crops at corners in pixels: x0 y0 x1 y1, half open."""
    first = corners.flip(2)
    return torch.cat((first, first + place.crop_px), 2)


def take_crops(
    images: Float[Tensor, "b c h w"], corners: Int[Tensor, "b n 2"], crop_px: int
) -> Float[Tensor, "b n c y x"]:
    """Cut square crops at corners in pixels.

    What overflows the image at the bottom or right is filled with the image's minimum, and the
    remaining content is at the crop's bottom right: the released network was trained so.
    """
    rows, row_real = _indices(corners[..., 0], crop_px, images.shape[2])
    columns, column_real = _indices(corners[..., 1], crop_px, images.shape[3])
    which = torch.arange(images.shape[0], device=images.device).view(-1, 1, 1, 1)
    crops = images.permute(0, 2, 3, 1)[which, rows.unsqueeze(3), columns.unsqueeze(2)]  # b n y x c
    real = row_real.unsqueeze(3) & column_real.unsqueeze(2)
    lowest = images.amin((1, 2, 3)).view(-1, 1, 1, 1, 1)
    return crops.where(real.unsqueeze(4), lowest).permute(0, 1, 4, 2, 3)


def _run_sums(maps: Float[Tensor, "b i j"], axis: int, size: int) -> Tensor:
    """Sum `size` neighbours along an axis by halves, in one order for all, so that equals tie exactly.

    Along both axes, on a batch of small maps, several times as fast as `avg_pool2d`.
    """
    if size == 1:
        return maps
    half, count = size // 2, maps.shape[axis] - size + 1
    halves = _run_sums(maps, axis, half)
    total = halves.narrow(axis, 0, count) + halves.narrow(axis, half, count)
    return total + maps.narrow(axis, size - 1, count) if size % 2 else total


def _indices(start: Int[Tensor, "b n"], size: int, length: int) -> tuple[Tensor, Tensor]:
    """Return the image's row (or column) of each pixel of a crop, and whether it has one."""
    offset = torch.arange(size, device=start.device)
    over = (start + size - length).clamp(min=0).unsqueeze(2)
    return (start.unsqueeze(2) - over + offset).clamp(min=0), offset >= over
