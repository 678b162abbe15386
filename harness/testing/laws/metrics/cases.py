"""What the laws of metrics are tried on: images of two classes with masks, maps and attention, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from harness.contract.metrics import MetricRecord
from harness.contract.nn import Batch, Output, Targets
from harness.contract.types import Task
from harness.metrics.functional import Froc, Scores, boxes_of, components, map_terms
from harness.metrics.maps.boxes import box_ious
from harness.metrics.metric import TERM, Metric
from harness.tables.terms import of_scores
from harness.trial.model.measure import Collector, collector

Array = npt.NDArray[np.float64]
TASK = Task(classes=("benign", "malignant"), image_size=(12, 10), mask_kind="outline")
IMAGES, _BATCH = 24, 7
_PATCH = 4, 5
_BOXES = [
    (left, top, left + _PATCH[1], top + _PATCH[0])
    for top in range(0, TASK.image_size[0], _PATCH[0])
    for left in range(0, TASK.image_size[1], _PATCH[1])
]
"""Patches under attention, as x0 y0 x1 y1; together they cover the image."""


def bound(metric: MetricRecord) -> Metric:
    """Return the metric with its smallest parameters."""
    return Metric(metric.name, metric, metric.tiny)


def terms_of(metric: MetricRecord) -> Any:
    """Return the terms that the metric reads, of a fixed case."""
    return TERMS[metric.reads](draw(11))


def _scores(case: Mapping[str, Array]) -> Scores:
    return of_scores(case["labels"], case["scores"], TASK.classes)["malignant"][0]


def _maps(case: Mapping[str, Array]) -> Any:
    import pandas as pd

    rows = []
    for place in np.flatnonzero(case["labels"][:, 1] == 1):
        saliency, mask = case["saliency"][place, 1], case["masks"][place, 1] > 0
        ious = box_ious(saliency, boxes_of(components(mask)[0]), TASK.image_size)
        rows.append({**map_terms(saliency, mask), "box_iou": ious, TERM: float(saliency.max())})
    return pd.DataFrame(rows)


def _lesions(case: Mapping[str, Array]) -> Froc:
    random = np.random.default_rng(5)
    of_lesions, of_alarms = random.integers(0, IMAGES, 9), random.integers(0, IMAGES, 30)
    images = tuple(str(place) for place in range(IMAGES))
    return Froc(images, random.random(9), of_lesions, random.random(30), of_alarms)


def size(terms: Any) -> int:
    """Return the number of rows that are resampled."""
    if isinstance(terms, Froc):
        return len(terms.images)
    return len(terms.labels if isinstance(terms, Scores) else terms)


def repeated(terms: Any, counts: npt.NDArray[np.int64]) -> Any:
    """Return the terms with each row as often as counted."""
    places = np.repeat(np.arange(len(counts)), counts)
    if isinstance(terms, Scores):
        return Scores(terms.labels[places], terms.scores[places])
    return terms.iloc[places]


TERMS: Mapping[str, Callable[[Mapping[str, Array]], Any]] = {"scores": _scores, "maps": _maps, "lesions": _lesions}


def draw(seed: int) -> dict[str, Array]:
    """Return images of two classes: some labels unknown, tied scores, saliency at half the size, box masks."""
    random = np.random.default_rng(seed)
    k, (height, width) = len(TASK.classes), TASK.image_size
    labels = (random.random((IMAGES, k)) < 0.5).astype(float)
    labels[:2], labels[2] = [[1, 0], [0, 1]], np.nan  # every class has both labels, and an unknown one
    masks = np.zeros((IMAGES, k, height, width))
    for image, name in zip(*np.nonzero(labels == 1), strict=True):
        top, left = random.integers(0, height - 4), random.integers(0, width - 4)
        masks[image, name, top : top + 2 + random.integers(2), left : left + 3] = 1
    return {"labels": labels, "masks": masks, **guesses(seed + 1)}


def guesses(seed: int) -> dict[str, Array]:
    """Return scores, saliency and attention that know nothing of the labels."""
    random = np.random.default_rng([seed, 1])
    k, (height, width) = len(TASK.classes), TASK.image_size
    scores = random.integers(0, 20, (IMAGES, k)) / 20
    saliency = random.random((IMAGES, k, height // 2, width // 2))
    return {"scores": scores, "saliency": saliency, "attention": random.dirichlet(np.ones(len(_BOXES)), IMAGES)}


def perfect(case: Mapping[str, Array]) -> dict[str, Array]:
    """Return the case with outputs that say the truth."""
    scores = np.nan_to_num(case["labels"], nan=0.5)
    return {**case, "scores": scores, "saliency": case["masks"], "attention": _shared(_touched(case))}


def inverted(case: Mapping[str, Array]) -> dict[str, Array]:
    """Return the case with outputs that say the opposite of the truth."""
    scores = 1 - np.nan_to_num(case["labels"], nan=0.5)
    return {**case, "scores": scores, "saliency": 1 - case["masks"], "attention": _shared(1 - _touched(case))}


def _touched(case: Mapping[str, Array]) -> Array:
    """Return 1 for each patch "n p" that a mask touches."""
    lesions = case["masks"].max(1)
    return np.stack([lesions[:, top:bottom, left:right].max((1, 2)) for left, top, right, bottom in _BOXES], 1)


def _shared(patches: Array) -> Array:
    """Return attention in equal shares to these patches, or to all patches if there is none."""
    chosen = np.where(patches.any(1, keepdims=True), patches, 1.0)
    return np.asarray(chosen / chosen.sum(1, keepdims=True))


def values_of(metric: MetricRecord, case: Mapping[str, Array], batch: int = _BATCH) -> dict[str, float]:
    """Return the values of the metric, fed in batches."""
    one = collector(bound(metric), TASK)
    _feed(one, case, batch)
    return one.compute()


def _feed(one: Collector, case: Mapping[str, Array], batch: int = _BATCH) -> None:
    tensors = {name: torch.from_numpy(values).float() for name, values in case.items()}
    for start in range(0, IMAGES, batch):
        now = {name: values[start : start + batch] for name, values in tensors.items()}
        labels, masks = now["labels"], now["masks"]
        known = ~labels.isnan() & ((labels == 0) | (masks.sum((2, 3)) > 0))
        parts = {"attention": now["attention"], "boxes": torch.tensor(_BOXES).expand(len(labels), -1, -1)}
        output = Output(probs=now["scores"], saliency=now["saliency"], parts=parts)
        one.update(output, Batch(labels=labels, targets=Targets(masks=masks, known=known)))
