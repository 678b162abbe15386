"""Sizes that the plan needs before building. Free of torch."""

from __future__ import annotations

from typing import Any

from harness import SizeMismatchError, Task

LENET_CHANNELS = (20, 50)
SMALLEST_PX = 16


def lenet_cells(side_px: int) -> int:
    """Return the rows (or columns) left by two 5 x 5 convolutions without padding, each with a 2 x 2 maximum."""
    return ((side_px - 4) // 2 - 4) // 2


def check_encoder(task: Task, backbone: Any) -> None:
    """Check that the images are large enough for the LeNet, where it is the encoder.

    Raises:
        SizeMismatchError: it has not.
    """
    if task.sample != "features" and backbone is None and min(task.image_size) < SMALLEST_PX:
        size = " x ".join(map(str, task.image_size))
        raise SizeMismatchError(
            f"the encoder of Ilse et al. needs images of 16 x 16 px, these have {size}: set `backbone`."
        )


def check_positive(**values: int) -> None:
    """Check that each of these parameters is above 0.

    Raises:
        ValueError: one is not.
    """
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"`{name} > 0` must hold, but got {name}={value}.")


def check_share(**values: float) -> None:
    """Check that each of these parameters is in [0, 1).

    Raises:
        ValueError: one is not.
    """
    for name, value in values.items():
        if not 0 <= value < 1:
            raise ValueError(f"`0 <= {name} < 1` must hold, but got {name}={value}.")
