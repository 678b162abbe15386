"""Where the windows of the patch classifier lie along an axis, and the task behind it. Free of torch."""

from __future__ import annotations

from dataclasses import replace

from harness import Misfit, Task

WINDOW_PER_HEIGHT = 256 / 2944
"""Side of a window as a share of the image's height, in the paper's configuration."""


def window_and_stride(
    task: Task, window_px: int | None, stride_px: int | None, patches: int = 2, patch_epochs: int | None = None
) -> tuple[int, int]:
    """Side and stride in pixels; of an unknown image those of the published one."""
    least = min(task.image_size)
    window = window_px if window_px is not None else max(1, round(WINDOW_PER_HEIGHT * (task.image_size[0] or 2944)))
    stride = stride_px if stride_px is not None else max(1, window // 2)
    if window < 1:
        raise ValueError(f"`window_px >= 1` must hold, but got {window}.")
    if least and window > least:
        raise Misfit(f"`window_px <= {least}` must hold for images of {task.image_size}, but got {window}.")
    if not 1 <= stride <= window:
        raise ValueError(f"`1 <= stride_px <= {window}` must hold: windows leave no gap, but got {stride_px=}.")
    if patches < 2:
        raise ValueError(f"`patches >= 2` must hold: half are drawn at a lesion, but got {patches=}.")
    if patch_epochs is not None and patch_epochs < 1:
        raise ValueError(f"`patch_epochs >= 1` must hold, but got {patch_epochs=}.")
    return window, stride


def starts(length: int, window: int, stride: int) -> list[int]:
    """Where windows begin along an axis: every stride, and one flush with the end."""
    found = list(range(0, length - window + 1, stride))
    return found if found[-1] == length - window else [*found, length - window]


def widened(task: Task) -> Task:
    """The task as the system sees it: a channel more for each class."""
    return replace(task, channels=task.channels + len(task.classes))
