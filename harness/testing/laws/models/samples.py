"""What the laws of architectures feed to a model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from harness.contract.masks import SAMPLE_WORDS
from harness.contract.nn import Batch, Model, Output, Targets
from harness.contract.types import Task
from harness.testing.bag_batches import FEATURES, bag_batch
from harness.testing.laws.compare import noise
from harness.testing.laws.subject import Subject

VIEWS = ("CC", "MLO", "other CC", "other MLO")
"""Views of the exams of the laws: both views of a breast, then of the other one."""


def task_of(subject: Subject) -> Task:
    """Return the task of the settings, with samples of the kind that the component needs."""
    task, needs = subject.settings.task, subject.component.needs
    if "views" in needs:
        return replace(task, sample="views", views=task.views or VIEWS)
    if "features" in needs:
        return replace(task, sample="features", features=FEATURES, image_size=(0, 0))
    return replace(task, sample="bag") if needs & SAMPLE_WORDS - {"single_image"} else task


def model_of(subject: Subject, seed: int = 0) -> Model:
    """Return a new model of the component for `task_of`."""
    model: Model = subject.build(task_of(subject), seed=seed)
    return model


def batch_of(subject: Subject, task: Task | None = None, count: int = 4) -> Batch:
    """Return noise in which a square of its own brightness marks each class; see `bag_batch` for bags.

    Single images have masks of the squares if the component needs "train_masks".
    """
    task = task or task_of(subject)
    labels = labels_of(task, count)
    if task.sample != "image":
        return bag_batch(task, labels)
    images = 0.3 * noise(count, task.channels, *task.image_size)
    side = task.image_size[0] // 4
    masks = torch.zeros(count, len(task.classes), *task.image_size)
    for image, known in enumerate(labels.bool()):
        for number in known.nonzero().flatten().tolist():
            top, left = side * (image % 3), side * (2 * number % 4)
            masks[image, number, top : top + side, left : left + side] = 1
            images[image, :, top : top + side, left : left + side] += 3.0 * (-1) ** number
    shown = Targets(masks=masks, known=torch.ones_like(labels, dtype=torch.bool))
    ids = tuple(f"image {number}" for number in range(count))
    targets = shown if "train_masks" in subject.component.needs else None
    return Batch(images=images, labels=labels, ids=ids, groups=ids, targets=targets)


def blind(batch: Batch) -> Batch:
    """Return the batch as validation and test give it: labels are NaN, there are no masks."""
    return replace(batch, labels=torch.full_like(batch.labels, math.nan), targets=None, weights=None)


def run(subject: Subject, task: Task) -> Output:
    """Return what a new model gives in eval mode for a blind batch."""
    model: Model = subject.build(task).eval()
    with torch.no_grad():
        return model(blind(batch_of(subject, task)))  # type: ignore[no-any-return]


def total(model: Model, batch: Batch) -> Tensor:
    """Return the sum of the losses of a batch."""
    return torch.stack(list(model.losses(model(batch), batch).values())).sum()


def labels_of(task: Task, count: int) -> Tensor:
    """Return labels with positives and negatives of each class; no two classes have the same ones."""
    number = torch.arange(count)
    if task.kind == "multiclass":
        return nn.functional.one_hot(number % len(task.classes), len(task.classes)).float()
    return torch.stack([(number // 2**level) % 2 for level in range(len(task.classes))], 1).float()


def predicted(model: Model, batch: Batch) -> Iterator[tuple[Batch, Output]]:
    """Yield the images with their outputs in eval mode, as a model gets them before an epoch."""
    with torch.no_grad():
        yield batch, model.eval()(batch)


def pixels_of(batch: Batch) -> tuple[str, Tensor]:
    """Return the name and the values of the field that holds images or feature vectors."""
    name = "images" if batch.images is not None else "features"
    values: Any = getattr(batch, name)
    return name, values
