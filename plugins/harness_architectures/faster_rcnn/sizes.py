"""Sizes in proportion to the image, which the plan needs before building. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass

from harness import Task

SIDE = 800
"""Shorter side in pixels of the images that torchvision's anchors and levels are made for."""
SMALLEST_ANCHOR = 32
CANONICAL_BOX = 224
"""Side of a box that is read from the level of stride 16, in an image of SIDE."""
NO_WEIGHTS = 'the losses of faster_rcnn take no label weights: use `balance = "sampler"` in place of "weights"'


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The numbers among the parameters of `build_faster_rcnn`.

    Raises:
        ValueError: one is out of range.
    """

    levels: int
    width: int
    head: int
    anchor_px: float | None
    proposals: int
    samples: int
    detections: int
    least_score: float
    least_px: int

    def __post_init__(self) -> None:
        for name in ("levels", "width", "head", "proposals", "samples", "detections", "least_px"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name} >= 1` must hold, but got {getattr(self, name)}.")
        if self.anchor_px is not None and not 0 < self.anchor_px < float("inf"):
            raise ValueError(f"`anchor_px > 0` must hold, but got anchor_px={self.anchor_px}.")
        if not 0 <= self.least_score < 1:
            raise ValueError(f"`0 <= least_score < 1` must hold, but got least_score={self.least_score}.")

    def smallest_anchor(self, task: Task) -> float:
        """Return the side in pixels that is given, or torchvision's for an image of this size."""
        return SMALLEST_ANCHOR * scale(task) if self.anchor_px is None else float(self.anchor_px)


def scale(task: Task) -> float:
    """Return the ratio of the image's shorter side to torchvision's; 1 where it is not known."""
    return min(task.image_size) / SIDE or 1.0
