"""Classes, views and tasks of data sets of breasts. Free of torch and NumPy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness import Task

CLASSES = ("benign", "malignant")
EXAM_VIEWS = ("CC", "MLO", "other CC", "other MLO")
"""Views of a sample that is a breast in its exam: its own, then those of the other breast."""


def breast_task(*, image_size: tuple[int, int], **_: Any) -> Task:
    """Return the task of data sets of single breast images without building them."""
    height, width = image_size
    return Task(classes=CLASSES, unit="breast", image_size=(height, width), mask_kind="outline")


def exam_task(*, image_size: tuple[int, int], **_: Any) -> Task:
    """Return the task of `phantom_exams` without building it."""
    task = breast_task(image_size=image_size)
    return replace(task, mask_kind="none", sample="views", views=EXAM_VIEWS)
