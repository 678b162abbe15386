"""Laws of metrics. A plugin's whole test file is a subclass with `plugin = my_module`.

A metric that needs another task than a multi-label one with outlines is left out. A metric that is fitted on another
split, or reads lesions, has no value for a batch: only the laws of terms are tested.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
import torch

from harness.contract.loading.catalog import Catalog
from harness.contract.masks import KINDS_OF_TASK, offers
from harness.contract.metrics import MetricRecord
from harness.contract.nn import Batch, Output, Targets
from harness.contract.types import Task
from harness.metrics.functional import Froc, Scores, boxes_of, components, map_terms
from harness.metrics.maps.boxes import box_ious
from harness.metrics.metric import TERM, Metric
from harness.tables.terms import of_scores
from harness.testing.declared import declared
from harness.trial.model.measure import Collector, collector, direct

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
"""Patches under attention, as x0 y0 x1 y1; together they cover the image."""


class MetricLaws:
    """Laws of metrics. Set `plugin`, and `references` for metrics that another library computes as well."""

    plugin: ClassVar[Any]
    references: ClassVar[Mapping[str, Reference]] = {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each law once for each metric; expect the failures that the component declares."""
        if "metric" not in metafunc.fixturenames:
            return
        law, catalog = metafunc.function.__name__.removeprefix("test_"), Catalog()
        catalog.register(self.plugin)
        found: dict[str, Any] = {name: catalog.get("metric", name) for name in catalog.names("metric")}
        found = {name: item for name, item in found.items() if KINDS_OF_TASK & item.needs <= offers(_TASK)}
        if "terms" in metafunc.fixturenames:
            cases = [pytest.param(item, _terms(item), id=name) for name, item in found.items() if item.reads in _TERMS]
            metafunc.parametrize(("metric", "terms"), cases)
            return
        found = {name: item for name, item in found.items() if direct(_bound(item))}
        if "reference" in metafunc.fixturenames:
            cases = [pytest.param(found[name], of, id=name) for name, of in self.references.items()]
            metafunc.parametrize(("metric", "reference"), cases)
            return
        metafunc.parametrize(
            "metric", [pytest.param(item, id=name, marks=declared(item, law)) for name, item in found.items()]
        )

    def test_perfect_is_best_and_inverted_is_worst(self, metric: MetricRecord) -> None:
        """Check that the truth is best, and that its opposite is worse than guesses are on average.

        Only on average: a lucky guess may be worse than tied scores that are all wrong (average precision).
        """
        case = _draw(0)
        worst, best = _values(metric, _inverted(case)), _values(metric, _perfect(case))
        guesses = [_values(metric, {**case, **_noise(seed)}) for seed in range(20)]
        sign = 1 if metric.higher_is_better else -1
        for key in best:
            values = [sign * guess[key] for guess in guesses]
            assert max(values) <= sign * best[key], key
            assert np.mean(values) >= sign * worst[key], key
            assert sign * worst[key] < sign * best[key], key

    def test_values_lie_within_the_bounds(self, metric: MetricRecord) -> None:
        """Check guesses, the truth and its opposite."""
        low, high = metric.bounds
        for case in (_draw(0), _perfect(_draw(0)), _inverted(_draw(0)), _draw(7)):
            assert all(low <= value <= high for value in _values(metric, case).values() if not math.isnan(value))

    def test_weights_say_how_often_each_row_counts(self, metric: MetricRecord, terms: Any) -> None:
        """Check that a weight of 1 changes nothing, 2 repeats the row and 0 leaves it out."""
        own, count = _bound(metric), _size(terms)
        threshold = own.fitted(terms)
        plain = float(own.value(terms, None, threshold))
        counts = np.random.default_rng(3).integers(0, 3, count)
        weighted = own.value(terms, np.stack([np.ones(count), counts.astype(float)]), threshold)
        assert weighted.shape == (2,) and weighted[0] == pytest.approx(plain, nan_ok=True)
        if metric.reads != "lesions":
            again = own.value(_repeated(terms, counts), None, threshold)
            assert weighted[1] == pytest.approx(float(again), nan_ok=True)

    def test_the_record_says_what_it_is(self, metric: MetricRecord) -> None:
        """Check for a label, a summary of one line and ordered bounds."""
        assert metric.label and metric.summary and len(metric.summary) <= 120
        assert metric.bounds[0] < metric.bounds[1]

    def test_values_carry_the_names_of_the_classes(self, metric: MetricRecord) -> None:
        """Check that the metric itself has the key "" and each class its name."""
        assert set(_values(metric, _draw(0))) - {""} <= set(_TASK.classes)
        assert "" in _values(metric, _draw(0))

    def test_the_order_of_batches_does_not_matter(self, metric: MetricRecord) -> None:
        """Check another order of images and another size of batches."""
        case = _draw(1)
        order = np.random.default_rng(1).permutation(_IMAGES)
        shuffled = {name: values[order] for name, values in case.items()}
        _same(_values(metric, case), _values(metric, shuffled))
        _same(_values(metric, case), _values(metric, case, batch=_IMAGES))

    def test_unknown_labels_do_not_matter(self, metric: MetricRecord) -> None:
        """Check that the scores and maps of an image whose label is NaN change nothing."""
        case = _draw(4)
        unknown = np.isnan(case["labels"])
        scores, saliency = case["scores"].copy(), case["saliency"].copy()
        scores[unknown], saliency[unknown] = 1 - scores[unknown], 1 - saliency[unknown]
        _same(_values(metric, case), _values(metric, {**case, "scores": scores, "saliency": saliency}))

    def test_what_is_seen_has_a_value(self, metric: MetricRecord) -> None:
        """Check for finite values: a metric that is always NaN would keep all other laws."""
        assert all(math.isfinite(value) for value in _values(metric, _draw(0)).values())

    def test_nothing_seen_is_nan(self, metric: MetricRecord) -> None:
        """Check that an undefined value is NaN, neither 0 nor an error."""
        assert all(math.isnan(value) for value in collector(_bound(metric), _TASK).compute().values())

    def test_equals_its_reference_on_random_cases(self, metric: MetricRecord, reference: Reference) -> None:
        """Compare with the reference implementation on CASES random cases."""
        for seed in range(CASES):
            case = _draw(100 + seed)
            expected = reference(case["labels"], case["scores"], case["saliency"], case["masks"])
            _same(_values(metric, case), expected)


def _bound(metric: MetricRecord) -> Metric:
    return Metric(metric.name, metric, metric.tiny)


def _terms(metric: MetricRecord) -> Any:
    return _TERMS[metric.reads](_draw(11))


def _scores(case: Mapping[str, Array]) -> Scores:
    return of_scores(case["labels"], case["scores"], _TASK.classes)["malignant"][0]


def _maps(case: Mapping[str, Array]) -> Any:
    import pandas as pd

    rows = []
    for place in np.flatnonzero(case["labels"][:, 1] == 1):
        saliency, mask = case["saliency"][place, 1], case["masks"][place, 1] > 0
        ious = box_ious(saliency, boxes_of(components(mask)[0]), _TASK.image_size)
        rows.append({**map_terms(saliency, mask), "box_iou": ious, TERM: float(saliency.max())})
    return pd.DataFrame(rows)


def _lesions(case: Mapping[str, Array]) -> Froc:
    random = np.random.default_rng(5)
    of_lesions, of_alarms = random.integers(0, _IMAGES, 9), random.integers(0, _IMAGES, 30)
    images = tuple(str(place) for place in range(_IMAGES))
    return Froc(images, random.random(9), of_lesions, random.random(30), of_alarms)


def _size(terms: Any) -> int:
    if isinstance(terms, Froc):
        return len(terms.images)
    return len(terms.labels if isinstance(terms, Scores) else terms)


def _repeated(terms: Any, counts: npt.NDArray[np.int64]) -> Any:
    places = np.repeat(np.arange(len(counts)), counts)
    if isinstance(terms, Scores):
        return Scores(terms.labels[places], terms.scores[places])
    return terms.iloc[places]


_TERMS: Mapping[str, Callable[[Mapping[str, Array]], Any]] = {"scores": _scores, "maps": _maps, "lesions": _lesions}


def _draw(seed: int) -> dict[str, Array]:
    """Return images of two classes: some labels unknown, tied scores, saliency at half the size, box masks."""
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
    """Return 1 for each patch "n p" that a mask touches."""
    lesions = case["masks"].max(1)
    return np.stack([lesions[:, top:bottom, left:right].max((1, 2)) for left, top, right, bottom in _BOXES], 1)


def _shared(patches: Array) -> Array:
    """Return attention in equal shares to these patches, or to all patches if there is none."""
    chosen = np.where(patches.any(1, keepdims=True), patches, 1.0)
    return np.asarray(chosen / chosen.sum(1, keepdims=True))


def _values(metric: MetricRecord, case: Mapping[str, Array], batch: int = _BATCH) -> dict[str, float]:
    one = collector(_bound(metric), _TASK)
    _feed(one, case, batch)
    return one.compute()


def _feed(one: Collector, case: Mapping[str, Array], batch: int = _BATCH) -> None:
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
