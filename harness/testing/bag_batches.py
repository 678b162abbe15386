"""Batches of bags, exams and feature tables for the laws of models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from harness.contract.nn import Batch
from harness.contract.types import Task

FEATURES = 12
"""Length of the feature vectors in the laws."""


def bag_batch(task: Task, labels: Tensor, longest: int = 5) -> Batch:
    """Return noise of unequal length, in which one instance of each bag of class k has a mark of that class.

    The mark is a square, or an entry of a feature vector. The first bag has the most instances and the second has one.
    Of the views of an exam, each sample but the first lacks one.
    """
    rng = torch.Generator().manual_seed(0)
    count, slots = len(labels), len(task.views) or longest
    shape = (task.features,) if task.features else (task.channels, *task.image_size)
    values = 0.3 * torch.randn(count, slots, *shape, generator=rng)
    mask = torch.ones(count, slots, dtype=torch.bool)
    for row, known in enumerate(labels.nan_to_num().bool()):
        for number in known.nonzero().flatten().tolist():
            _mark(values[row, 0], number, 3.0 * (-1) ** number)
        if task.views:
            mask[row, 1 + row % (slots - 1)] = row == 0
        else:
            mask[row, (slots if row == 0 else row) :] = False
    values = torch.where(mask.view(count, slots, *[1] * len(shape)), values, 0.0)
    ids = tuple(f"bag {number}" for number in range(count))
    batch = Batch(labels=labels, mask=mask, ids=ids, groups=ids)
    return replace(batch, features=values) if task.features else replace(batch, images=values)


def padded(batch: Batch, more: int, value: float = 9.0) -> Batch:
    """Return the same bags with `more` padded instances of the given value."""
    assert batch.mask is not None

    def longer(values: Tensor | None, fill: float) -> Any:
        if values is None:
            return None
        return functional.pad(values, [0, 0] * (values.ndim - 2) + [0, more], value=fill)

    mask = functional.pad(batch.mask, [0, more], value=False)
    images, features = longer(batch.images, value), longer(batch.features, value)
    return replace(batch, images=images, features=features, coords=longer(batch.coords, 0.0), mask=mask)


def reordered(batch: Batch, order: Tensor) -> Batch:
    """Return the same bags with their instances, padding included, in another order."""
    assert batch.mask is not None
    chosen: dict[str, Any] = {}
    for name in ("images", "features", "coords", "mask"):
        value = getattr(batch, name)
        chosen[name] = None if value is None else value[:, order]
    return replace(batch, **chosen)


def _mark(instance: Tensor, number: int, brightness: float) -> None:
    if instance.ndim == 1:
        instance[number] += 2 * brightness
        return
    side = instance.shape[1] // 4
    left = side * (2 * number % 4)
    instance[:, side : 2 * side, left : left + side] += brightness
