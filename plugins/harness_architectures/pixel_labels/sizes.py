"""Positions of the patch classifier's windows, and the task of the inner architecture. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness import SizeMismatchError, Task

WINDOW_PER_HEIGHT = 256 / 2944
"""Side of a window as a share of the image's height, in the paper's configuration."""


def window_and_stride(task: Task, window_px: int | None, stride_px: int | None) -> tuple[int, int]:
    """Return side and stride in pixels; of an unknown image those of the published one."""
    least = min(task.image_size)
    window = window_px if window_px is not None else max(1, round(WINDOW_PER_HEIGHT * (task.image_size[0] or 2944)))
    stride = stride_px if stride_px is not None else max(1, window // 2)
    if window < 1:
        raise ValueError(f"`window_px >= 1` must hold, but got {window}.")
    if least and window > least:
        raise SizeMismatchError(f"`window_px <= {least}` must hold for images of {task.image_size}, but got {window}.")
    if not 1 <= stride <= window:
        raise ValueError(f"`1 <= stride_px <= {window}` must hold: windows leave no gap, but got {stride_px=}.")
    return window, stride


def window_facts(task: Task, architecture: Any, window: int, stride: int) -> Mapping[str, Any]:
    """Return the facts of the architecture behind the heat maps, window and stride in pixels, and how many windows."""
    found = {key: value for key, value in architecture.facts(widened(task)).items() if key != "canonical"}
    found |= {"window_px": window, "stride_px": stride}
    if min(task.image_size):
        rows, columns = (len(starts(length, window, stride)) for length in task.image_size)
        found["windows"] = rows * columns
    return {**found, "canonical": {"window_px": window, "stride_px": stride}}


def starts(length: int, window: int, stride: int) -> list[int]:
    """Return the starts of windows along an axis: every stride, and one flush with the end."""
    found = list(range(0, length - window + 1, stride))
    return found if found[-1] == length - window else [*found, length - window]


def widened(task: Task) -> Task:
    """Return the task of the inner architecture, with one channel more for each class."""
    return replace(task, channels=task.channels + len(task.classes))
