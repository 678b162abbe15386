"""Figures of a model's attention over patches: how it lies to the masks, over how many patches, how flat it is."""

from __future__ import annotations

import numpy as np
import torch

from harness import Task
from harness.metrics import functional
from harness.metrics.functional import Array
from harness.nn import Batch, Metric, Output


class AttentionGap(Metric):
    """`attention_gap` of each image that has the class, by the patches its mask touches, averaged over images.

    Images whose patches under attention all touch the lesion, or none of which does, do not count. A model
    without attention has no value.
    """

    def __init__(self, task: Task) -> None:
        self._classes = task.classes
        self._gaps: dict[str, list[float]] = {name: [] for name in self._classes}

    def update(self, output: Output, batch: Batch) -> None:
        """Adds one batch's `parts`: `attention` "b n" and `boxes` "b n 4" in pixels.

        Raises:
            ValueError: the batch has no masks; only a stage that may read them can use this metric.
        """
        if "attention" not in output.parts or "boxes" not in output.parts:
            return
        if batch.targets is None:
            raise ValueError("the attention gap needs batches with masks.")
        weights = output.parts["attention"].detach().to("cpu", torch.float64).numpy()
        places = output.parts["boxes"].detach().cpu().long().numpy()
        for image, k in ((batch.labels == 1) & batch.targets.known).nonzero().tolist():
            mask = batch.targets.masks[image, k].detach().cpu().numpy()
            self._gaps[self._classes[k]].append(
                functional.attention_gap(weights[image], functional.touched(mask, places[image]))
            )

    def compute(self) -> dict[str, float]:
        """Mean over images, a value a class, and their mean."""
        means = {name: functional.mean_defined(values) for name, values in self._gaps.items()}
        return {"": functional.mean_defined(list(means.values())), **means}


class AttentionFigure(Metric):
    """A figure of each image's attention weights, averaged over all images.

    Padded instances of a bag do not count; of several branches (classes) the mean is taken.

    Args:
        name: "count": n, instances under attention; "entropy": over that of n equal weights, 1 is flat;
            "peak": the highest weight over the mean one, 1 is flat.
    """

    def __init__(self, name: str, *, higher_is_better: bool) -> None:
        self._name, self.higher_is_better = name, higher_is_better
        self._values: list[float] = []

    def update(self, output: Output, batch: Batch) -> None:
        """Adds one batch's `parts["attention"]`, "b n" or "b n w" with w branches."""
        if "attention" not in output.parts:
            return
        weights = output.parts["attention"].detach().to("cpu", torch.float64)
        weights = weights.reshape(*weights.shape[:2], -1)  # b n w
        real = torch.ones(weights.shape[:2], dtype=torch.bool) if batch.mask is None else batch.mask.cpu()
        for own, kept in zip(weights, real, strict=True):
            branches = own[kept].T.numpy()  # w, real instances
            self._values.append(float(np.mean([_figure(self._name, branch) for branch in branches])))

    def compute(self) -> dict[str, float]:
        """The mean over images."""
        return {"": functional.mean_defined(self._values)}


def _figure(name: str, weights: Array) -> float:
    number = len(weights)
    if name == "count":
        return float(number)
    shares = weights / weights.sum()
    if name == "peak":
        return float(number * shares.max())
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum() / np.log(number)) if number > 1 else 1.0
