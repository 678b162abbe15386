"""Collectors of the terms of a metric over a split: the only module that converts tensors for formulas."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor, float64, ones
from torch import bool as boolean

from harness.contract.nn import Batch, Output, drawn
from harness.contract.types import Task
from harness.metrics.functional import attention_gap, layer_terms, map_terms, touched
from harness.metrics.metric import TERM, Metric
from harness.metrics.scores.ranking import is_probability
from harness.statistics.arrays import Array, mean_defined
from harness.tables.terms import of_scores, of_winners, wanted

ATTENTION = "attention"
"""The part of an `Output` that holds attention, "b n" or "b n w"."""


class Collector(ABC):
    """Collector of the terms of one metric for one model, head and split; used once.

    Values are keyed by class; "" is the metric itself.
    """

    def __init__(self, metric: Metric, task: Task) -> None:
        self.metric, self.classes = metric, task.classes

    @abstractmethod
    def update(self, output: Output, batch: Batch) -> None:
        """Add one batch; `output.probs` is the head in question."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the value so far by class, NaN where it is undefined."""

    def _with_mean(self, values: Mapping[str, float]) -> dict[str, float]:
        return {"": mean_defined(list(values.values())), **values}

    def _value(self, terms: Any) -> float:
        return float(self.metric.value(terms)) if len(terms) else float("nan")


def collector(metric: Metric, task: Task) -> Collector:
    """Return the collector of a metric.

    Raises:
        ValueError: the metric needs more than a model's output (`direct`).
    """
    if not direct(metric):
        raise ValueError(f"{metric.key!r} is computed from tables: it is fitted, or reads lesions.")
    return _COLLECTORS[metric.record.reads](metric, task)


def direct(metric: Metric) -> bool:
    """Return True if a metric can be computed batch by batch: nothing is fitted on another split."""
    return metric.record.fit is None and metric.record.reads in _COLLECTORS


def numpy(values: Tensor) -> Array:
    """Return a tensor as a float64 array."""
    array: Array = values.detach().to("cpu", float64).numpy()
    return array


def weights_of(output: Output, batch: Batch) -> list[list[Array]]:
    """Return the attention weights of each image, by branch (class), for the real instances."""
    weights = output.parts[ATTENTION].detach().to("cpu", float64)
    weights = weights.reshape(*weights.shape[:2], -1)  # b n w
    real = ones(weights.shape[:2], dtype=boolean) if batch.mask is None else batch.mask.cpu()
    return [list(own[kept].T.numpy()) for own, kept in zip(weights, real, strict=True)]


def of_weights(metric: Metric, branches: list[Array]) -> float:
    """Return a metric of one image's attention: the mean over its branches."""
    return float(np.mean([metric.term(branch) for branch in branches]))


class _Scores(Collector):
    def __init__(self, metric: Metric, task: Task) -> None:
        super().__init__(metric, task)
        self._labels: list[Array] = []
        self._scores: list[Array] = []

    def update(self, output: Output, batch: Batch) -> None:
        self._labels.append(numpy(batch.labels))
        self._scores.append(numpy(output.probs))

    def compute(self) -> dict[str, float]:
        none = np.zeros((0, len(self.classes)))
        labels, scores = (np.concatenate([none, *parts]) for parts in (self._labels, self._scores))
        if self.metric.record.reads == "winners":
            terms: Mapping[str, Any] = wanted(self.metric, of_winners(labels, scores, self.classes)[0])
        else:
            terms = {name: own for name, (own, _) in of_scores(labels, scores, self.classes).items()}
        defined = not self.metric.record.probabilities or is_probability(scores[~np.isnan(labels)])
        values = {name: float(self.metric.value(own)) if defined else float("nan") for name, own in terms.items()}
        return values if "" in values else self._with_mean(values)


class _Maps(Collector):
    """Terms of maps. Images without the class or its known mask do not count; without saliency there is no value."""

    def __init__(self, metric: Metric, task: Task) -> None:
        super().__init__(metric, task)
        self._rows: dict[str, list[dict[str, Any]]] = {name: [] for name in task.classes}

    def update(self, output: Output, batch: Batch) -> None:
        if output.saliency is None:
            return
        maps = drawn(output, batch)
        for image, k in _counted(batch):
            mask = numpy(batch.targets.masks[image, k]) > 0  # type: ignore[union-attr]
            saliency = numpy(maps[image, k])
            if mask.any():
                self._rows[self.classes[k]].append(self._terms(saliency, mask))

    def compute(self) -> dict[str, float]:
        return self._with_mean({name: self._value(pd.DataFrame(rows)) for name, rows in self._rows.items()})

    def _terms(self, saliency: Array, mask: Array) -> dict[str, Any]:
        if self.metric.record.form == "term":
            return {TERM: self.metric.term(saliency, mask)}
        return map_terms(saliency, mask)


class _Layers(Collector):
    """Terms of layers, for the map of the highest-scored class, because layers belong to no class."""

    def __init__(self, metric: Metric, task: Task) -> None:
        super().__init__(metric, task)
        self._images: dict[str, list[dict[int, Any]]] = {name: [] for name in task.classes}

    def update(self, output: Output, batch: Batch) -> None:
        if output.saliency is None:
            return
        said, maps = output.probs.argmax(1), drawn(output, batch)
        for image, k in _counted(batch):
            layers = batch.targets.masks[image, k]  # type: ignore[union-attr]
            if (layers > 0).any():
                rows = layer_terms(numpy(maps[image, said[image]]), numpy(layers))
                self._images[self.classes[k]].append({row["level"]: row for row in rows})

    def compute(self) -> dict[str, float]:
        return self._with_mean({name: self._value(images) for name, images in self._images.items()})


class _Attention(Collector):
    """Terms of attention. Images in which no patch under attention or every patch touches the lesion do not count."""

    def __init__(self, metric: Metric, task: Task) -> None:
        super().__init__(metric, task)
        self._rows: dict[str, list[dict[str, float]]] = {name: [] for name in task.classes}

    def update(self, output: Output, batch: Batch) -> None:
        if ATTENTION not in output.parts or "boxes" not in output.parts:
            return
        weights, boxes = numpy(output.parts[ATTENTION]), output.parts["boxes"].detach().cpu().long().numpy()
        for image, k in _counted(batch):
            mask = batch.targets.masks[image, k].detach().cpu().numpy()  # type: ignore[union-attr]
            gap = attention_gap(weights[image], touched(mask, boxes[image]))
            self._rows[self.classes[k]].append({"gap": gap, "patches": len(weights[image])})

    def compute(self) -> dict[str, float]:
        return self._with_mean({name: self._value(pd.DataFrame(rows)) for name, rows in self._rows.items()})


class _Weights(Collector):
    """Terms of attention weights, without padded instances of a bag."""

    def __init__(self, metric: Metric, task: Task) -> None:
        super().__init__(metric, task)
        self._values: list[float] = []

    def update(self, output: Output, batch: Batch) -> None:
        if ATTENTION in output.parts:
            self._values += [of_weights(self.metric, branches) for branches in weights_of(output, batch)]

    def compute(self) -> dict[str, float]:
        return {"": mean_defined(self._values)}


def _counted(batch: Batch) -> list[tuple[int, int]]:
    """Return image and class of each pair that counts.

    Raises:
        ValueError: the batch has no masks; only a stage that may read them can use this metric.
    """
    if batch.targets is None:
        raise ValueError("a metric of maps needs batches with masks.")
    pairs: list[list[int]] = ((batch.labels == 1) & batch.targets.known).nonzero().tolist()
    return [(image, k) for image, k in pairs]


_COLLECTORS: Mapping[str, type[Collector]] = {
    "scores": _Scores,
    "winners": _Scores,
    "maps": _Maps,
    "layers": _Layers,
    "attention": _Attention,
    "weights": _Weights,
}
