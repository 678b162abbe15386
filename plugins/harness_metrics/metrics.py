"""The two shells around `harness.metrics.functional`: figures of scores, and figures of maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from harness import Task
from harness.metrics import functional
from harness.metrics.functional import Array
from harness.nn import Batch, Metric, Output

_TERMS = ["class", "label", "mask_known", "mask_area"]


class ScoreMetric(Metric):
    """A function of labels and scores "n k"; unknown labels do not count.

    Args:
        of: `(labels, scores, classes) -> {"": mean, class: value, …}`.
    """

    def __init__(
        self, task: Task, of: Callable[[Array, Array, Sequence[str]], dict[str, float]], *, higher_is_better: bool
    ) -> None:
        self._classes, self._of, self.higher_is_better = task.classes, of, higher_is_better
        self._labels: list[Array] = []
        self._scores: list[Array] = []

    def update(self, output: Output, batch: Batch) -> None:
        """Adds one batch's `probs`."""
        self._labels.append(_numpy(batch.labels))
        self._scores.append(_numpy(output.probs))

    def compute(self) -> dict[str, float]:
        """The figures of all batches together."""
        none = np.zeros((0, len(self._classes)))
        return self._of(np.concatenate([none, *self._labels]), np.concatenate([none, *self._scores]), self._classes)


class MapMetric(Metric):
    """A function of the maps table, fed with the model's own saliency map.

    Images without the class, or without a known mask of it, do not count. A model without
    saliency has no value: NaN.

    Args:
        of: `(maps, classes) -> {"": mean, class: value, …}`.
    """

    def __init__(self, task: Task, of: Callable[[pd.DataFrame, Sequence[str]], dict[str, float]]) -> None:
        self._classes, self._of = task.classes, of
        self._rows: list[dict[str, Any]] = []

    def update(self, output: Output, batch: Batch) -> None:
        """Adds one batch's saliency beside its masks.

        Raises:
            ValueError: the batch has no masks; only a stage that may read them can use this metric.
        """
        if output.saliency is None:
            return
        if batch.targets is None:
            raise ValueError("a metric of maps needs batches with masks.")
        counts = (batch.labels == 1) & batch.targets.known
        for image, k in counts.nonzero().tolist():
            mask = _numpy(batch.targets.masks[image, k]) > 0
            terms = functional.map_terms(_numpy(output.saliency[image, k]), mask)
            self._rows.append({"class": self._classes[k], "label": 1.0, **terms})

    def compute(self) -> dict[str, float]:
        """The figures of all batches together."""
        return self._of(pd.DataFrame(self._rows, columns=None if self._rows else _TERMS), self._classes)


class LayerMetric(Metric):
    """A figure of the said class's map beside a picture of layers, averaged over the images that have a class.

    Args:
        of: level -> row of `harness.metrics.functional.layer_terms` to a value.
    """

    def __init__(
        self, task: Task, of: Callable[[Mapping[int, Mapping[str, Any]]], float], *, higher_is_better: bool
    ) -> None:
        self._classes, self._of, self.higher_is_better = task.classes, of, higher_is_better
        self._values: dict[str, list[float]] = {name: [] for name in self._classes}

    def update(self, output: Output, batch: Batch) -> None:
        """Adds one batch's saliency beside its layers.

        Raises:
            ValueError: the batch has no masks; only a stage that may read them can use this metric.
        """
        if output.saliency is None:
            return
        if batch.targets is None:
            raise ValueError("a metric of maps needs batches with masks.")
        drawn = (batch.targets.masks > 0).any(-1).any(-1)
        counts = (batch.labels == 1) & batch.targets.known & drawn
        said = output.probs.argmax(1)  # the map is of the class that the model says; the layers are of no class
        for image, k in counts.nonzero().tolist():
            saliency = output.saliency[image, said[image]]
            rows = functional.layer_terms(_numpy(saliency), _numpy(batch.targets.masks[image, k]))
            self._values[self._classes[k]].append(self._of({row["level"]: row for row in rows}))

    def compute(self) -> dict[str, float]:
        """Mean over all images, a value a class, and their mean."""
        means = {name: functional.mean_defined(values) for name, values in self._values.items()}
        return {"": functional.mean_defined(list(means.values())), **means}


def _numpy(values: Tensor) -> Array:
    array: Array = values.detach().to("cpu", torch.float64).numpy()
    return array
