"""Sizes in proportion to the image, which the plan must know before anything is built. Free of torch."""

from __future__ import annotations

from harness import Task

SIDE = 800
"""Shorter side in pixels of the images that torchvision's anchors and levels are made for."""
SMALLEST_ANCHOR = 32
CANONICAL_BOX = 224
"""Side of a box that is read from the level of stride 16, in an image of SIDE."""
NO_WEIGHTS = 'the losses of faster_rcnn take no label weights: use `balance = "sampler"` in place of "weights"'


def smallest_anchor(task: Task, anchor_px: float | None) -> float:
    """What is given, or torchvision's for an image of this size."""
    return SMALLEST_ANCHOR * scale(task) if anchor_px is None else float(anchor_px)


def scale(task: Task) -> float:
    """How long the image's shorter side is beside torchvision's; 1 where it is not known."""
    return min(task.image_size) / SIDE or 1.0
