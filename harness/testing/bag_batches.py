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
"""Length of a feature vector in the laws."""


def bag_batch(task: Task, labels: Tensor, longest: int = 5) -> Batch:
    """Noise of unequal length; one instance of each bag of class k has a square (or a column) that is k's own.

    The first bag is as long as they get and the second has one instance; of views each sample but the first
    lacks one.
    """
    chance = torch.Generator().manual_seed(0)
    count, slots = len(labels), len(task.views) or longest
    shape = (task.features,) if task.features else (task.channels, *task.image_size)
    values = 0.3 * torch.randn(count, slots, *shape, generator=chance)
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
    """The same bags with `more` instances that are not there; what stands in them is `value`."""
    assert batch.mask is not None

    def longer(values: Tensor | None, fill: float) -> Any:
        if values is None:
            return None
        return functional.pad(values, [0, 0] * (values.ndim - 2) + [0, more], value=fill)

    mask = functional.pad(batch.mask, [0, more], value=False)
    images, features = longer(batch.images, value), longer(batch.features, value)
    return replace(batch, images=images, features=features, coords=longer(batch.coords, 0.0), mask=mask)


def reordered(batch: Batch, order: Tensor) -> Batch:
    """The same bags with their instances in another order, the padding among them."""
    assert batch.mask is not None
    pick = {name: getattr(batch, name) for name in ("images", "features", "coords", "mask")}
    return replace(batch, **{name: None if value is None else value[:, order] for name, value in pick.items()})


def _mark(instance: Tensor, number: int, brightness: float) -> None:
    if instance.ndim == 1:
        instance[number] += 2 * brightness
        return
    side = instance.shape[1] // 4
    left = side * (2 * number % 4)
    instance[:, side : 2 * side, left : left + side] += brightness
