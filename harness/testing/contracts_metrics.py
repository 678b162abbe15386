"""The laws of a metric. A plugin's whole test file is a subclass with `plugin = my_module`.

A metric whose value depends on the data set beyond labels, scores, saliency, attention over patches and masks is
not for these laws, and one that needs another task than a multi-label one with outlines is passed over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
import torch

from harness.contract.catalog import Catalog
from harness.contract.components import Component
from harness.contract.masks import KINDS_OF_TASK, offers
from harness.contract.nn import Batch, Metric, Output, Targets
from harness.contract.types import Task
from harness.testing.declared import declared

Array = npt.NDArray[np.float64]
Reference = Callable[[Array, Array, Array, Array], Mapping[str, float]]
"""`(labels "n k", scores "n k", saliency "n k h w", masks "n k h w") -> {"": …, class: …}`."""

CASES = 100
_TASK = Task(classes=("benign", "malignant"), image_size=(12, 10), mask_kind="outline")
_IMAGES, _BATCH = 24, 7
_PATCH = 4, 5
_BOXES = [
    (left, top, left + _PATCH[1], top + _PATCH[0])
    for top in range(0, _TASK.image_size[0], _PATCH[0])
    for left in range(0, _TASK.image_size[1], _PATCH[1])
]
"""The patches under attention, x0 y0 x1 y1: they share the image out among them."""


class MetricLaws:
    """Subclass it, set `plugin`; set `references` for the metrics that someone else computes too."""

    plugin: ClassVar[Any]
    references: ClassVar[Mapping[str, Reference]] = {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Runs each law once a metric, expecting the failures that the component declares."""
        if "metric" not in metafunc.fixturenames:
            return
        law, catalog = metafunc.function.__name__.removeprefix("test_"), Catalog()
        catalog.register(self.plugin)
        found = {name: catalog.get("metric", name) for name in catalog.names("metric")}
        found = {name: item for name, item in found.items() if KINDS_OF_TASK & item.needs <= offers(_TASK)}
        if "reference" in metafunc.fixturenames:
            cases = [pytest.param(found[name], of, id=name) for name, of in self.references.items()]
            metafunc.parametrize(("metric", "reference"), cases)
            return
        metafunc.parametrize(
            "metric", [pytest.param(item, id=name, marks=declared(item, law)) for name, item in found.items()]
        )

    def test_perfect_is_best_and_inverted_is_worst(self, metric: Component[Metric]) -> None:
        """Nothing beats the truth, and its opposite does worse than guessing does on average.

        On average: a lucky guess may fall below tied scores that are all wrong (average precision).
        """
        case = _draw(0)
        worst, best = _figures(metric, _inverted(case)), _figures(metric, _perfect(case))
        guesses = [_figures(metric, {**case, **_noise(seed)}) for seed in range(20)]
        sign = 1 if _build(metric).higher_is_better else -1
        for key in best:
            values = [sign * guess[key] for guess in guesses]
            assert max(values) <= sign * best[key], key
            assert np.mean(values) >= sign * worst[key], key
            assert sign * worst[key] < sign * best[key], key

    def test_the_component_names_the_metrics_direction(self, metric: Component[Metric]) -> None:
        """A plan reads the direction from the component, a search follows it: the two must say the same."""
        assert metric.higher_is_better == _build(metric).higher_is_better

    def test_values_carry_the_names_of_the_classes(self, metric: Component[Metric]) -> None:
        """The metric itself under "", class values beneath it."""
        assert set(_figures(metric, _draw(0))) - {""} <= set(_TASK.classes)
        assert "" in _figures(metric, _draw(0))

    def test_the_order_of_batches_does_not_matter(self, metric: Component[Metric]) -> None:
        """Nor how images are shared out among them."""
        case = _draw(1)
        order = np.random.default_rng(1).permutation(_IMAGES)
        shuffled = {name: values[order] for name, values in case.items()}
        _same(_figures(metric, case), _figures(metric, shuffled))
        _same(_figures(metric, case), _figures(metric, case, batch=_IMAGES))

    def test_unknown_labels_do_not_matter(self, metric: Component[Metric]) -> None:
        """What is said about an image whose label is NaN changes nothing."""
        case = _draw(4)
        unknown = np.isnan(case["labels"])
        scores, saliency = case["scores"].copy(), case["saliency"].copy()
        scores[unknown], saliency[unknown] = 1 - scores[unknown], 1 - saliency[unknown]
        _same(_figures(metric, case), _figures(metric, {**case, "scores": scores, "saliency": saliency}))

    def test_what_is_seen_has_a_value(self, metric: Component[Metric]) -> None:
        """All laws hold for a metric that never says anything but NaN; this one does not."""
        assert all(math.isfinite(value) for value in _figures(metric, _draw(0)).values())

    def test_nothing_seen_is_nan(self, metric: Component[Metric]) -> None:
        """Undefined is said as NaN, not as 0 and not as an error."""
        assert all(math.isnan(value) for value in _build(metric).compute().values())

    def test_equals_its_reference_on_random_cases(self, metric: Component[Metric], reference: Reference) -> None:
        """Someone else's computation, a hundred times."""
        for seed in range(CASES):
            case = _draw(100 + seed)
            expected = reference(case["labels"], case["scores"], case["saliency"], case["masks"])
            _same(_figures(metric, case), expected)


def _build(metric: Component[Metric]) -> Metric:
    return metric.build(_TASK, **metric.tiny)


def _draw(seed: int) -> dict[str, Array]:
    """Images of two classes: some labels unknown, scores that tie, saliency at half the size, box masks."""
    random = np.random.default_rng(seed)
    k, (height, width) = len(_TASK.classes), _TASK.image_size
    labels = (random.random((_IMAGES, k)) < 0.5).astype(float)
    labels[:2], labels[2] = [[1, 0], [0, 1]], np.nan  # every class has both labels, and an unknown one
    masks = np.zeros((_IMAGES, k, height, width))
    for image, name in zip(*np.nonzero(labels == 1), strict=True):
        top, left = random.integers(0, height - 4), random.integers(0, width - 4)
        masks[image, name, top : top + 2 + random.integers(2), left : left + 3] = 1
    return {"labels": labels, "masks": masks, **_noise(seed + 1)}


def _noise(seed: int) -> dict[str, Array]:
    random = np.random.default_rng([seed, 1])
    k, (height, width) = len(_TASK.classes), _TASK.image_size
    scores = random.integers(0, 20, (_IMAGES, k)) / 20
    saliency = random.random((_IMAGES, k, height // 2, width // 2))
    return {"scores": scores, "saliency": saliency, "attention": random.dirichlet(np.ones(len(_BOXES)), _IMAGES)}


def _perfect(case: Mapping[str, Array]) -> dict[str, Array]:
    scores = np.nan_to_num(case["labels"], nan=0.5)
    return {**case, "scores": scores, "saliency": case["masks"], "attention": _shared(_touched(case))}


def _inverted(case: Mapping[str, Array]) -> dict[str, Array]:
    scores = 1 - np.nan_to_num(case["labels"], nan=0.5)
    return {**case, "scores": scores, "saliency": 1 - case["masks"], "attention": _shared(1 - _touched(case))}


def _touched(case: Mapping[str, Array]) -> Array:
    """1 for each patch "n p" that a mask touches."""
    lesions = case["masks"].max(1)
    return np.stack([lesions[:, top:bottom, left:right].max((1, 2)) for left, top, right, bottom in _BOXES], 1)


def _shared(patches: Array) -> Array:
    """Attention in equal shares to these patches; to all of them where there is none."""
    chosen = np.where(patches.any(1, keepdims=True), patches, 1.0)
    return np.asarray(chosen / chosen.sum(1, keepdims=True))


def _figures(metric: Component[Metric], case: Mapping[str, Array], batch: int = _BATCH) -> dict[str, float]:
    one = _build(metric)
    _feed(one, case, batch)
    return one.compute()


def _feed(one: Metric, case: Mapping[str, Array], batch: int = _BATCH) -> None:
    tensors = {name: torch.from_numpy(values).float() for name, values in case.items()}
    for start in range(0, _IMAGES, batch):
        now = {name: values[start : start + batch] for name, values in tensors.items()}
        labels, masks = now["labels"], now["masks"]
        known = ~labels.isnan() & ((labels == 0) | (masks.sum((2, 3)) > 0))
        parts = {"attention": now["attention"], "boxes": torch.tensor(_BOXES).expand(len(labels), -1, -1)}
        output = Output(probs=now["scores"], saliency=now["saliency"], parts=parts)
        one.update(output, Batch(labels=labels, targets=Targets(masks=masks, known=known)))


def _same(found: Mapping[str, float], expected: Mapping[str, float]) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-6, nan_ok=True), key
