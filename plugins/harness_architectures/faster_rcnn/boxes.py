"""Conversion of masks to a detector's targets, and of its boxes to a map."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from harness.metrics.functional import Array, boxes_of, components
from harness.nn import Batch


def lesion_boxes(masks: Array, least_px: int) -> tuple[Array, Array]:
    """Return the boxes around the lesions of one image.

    Augmentation can leave specks of a lesion: components below `least_px` get no box where the class has a
    larger one. An empty mask has none.

    Args:
        masks: "k h w", any value but 0 is inside.
        least_px: pixels of the smallest lesion.

    Returns:
        Boxes "l 4", x0 y0 x1 y1 in pixels, half open; and the class of each "l", counted from 0.
    """
    boxes, kinds = [np.zeros((0, 4), np.int64)], [np.zeros(0, np.int64)]
    for kind in np.flatnonzero(masks.any((1, 2))).tolist():
        labelled, count = components(masks[kind])
        areas = np.bincount(labelled[labelled > 0], minlength=count + 1)[1:]
        kept = areas >= min(least_px, areas.max(initial=0))
        boxes.append(boxes_of(labelled)[kept])
        kinds.append(np.full(int(kept.sum()), kind))
    return np.concatenate(boxes), np.concatenate(kinds)


def targets_of(batch: Batch, rows: Int[Tensor, " r"], least_px: int) -> list[dict[str, Tensor]]:
    """Return torchvision's targets of the images in `rows`: `boxes` "l 4" and `labels` "l", 0 for background."""
    assert batch.targets is not None
    device = batch.targets.masks.device
    masks = (batch.targets.masks > 0).cpu().numpy()
    found = [lesion_boxes(masks[row], least_px) for row in rows.tolist()]
    return [
        {"boxes": torch.from_numpy(boxes).float().to(device), "labels": torch.from_numpy(kinds + 1).to(device)}
        for boxes, kinds in found
    ]


def fully_known(batch: Batch) -> Bool[Tensor, " b"]:
    """Return True if label and outline of every class are known; what is not drawn is then background."""
    assert batch.targets is not None
    return (batch.targets.known & ~batch.labels.isnan()).all(1)


def painted(
    boxes: Float[Tensor, "n 4"], scores: Float[Tensor, " n"], kinds: Int[Tensor, " n"], shape: tuple[int, int, int]
) -> Float[Tensor, "k h w"]:
    """Draw a map for each class: a pixel has the score of the best box that contains it, else 0."""
    scores, maps = scores.detach(), scores.new_zeros(shape)
    order = scores.argsort()  # the best is painted last
    edges = (boxes - 0.5).ceil().long()[order].tolist()
    for (left, top, right, bottom), score, kind in zip(edges, scores[order], kinds[order].tolist(), strict=True):
        maps[kind, top:bottom, left:right] = score
    return maps
