"""The built-in metrics against the laws, scikit-learn and counting by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics

import harness_metrics
from harness import MetricRecord, Task
from harness.metrics.metric import Metric
from harness.metrics.registry import fits
from harness.nn import Batch, Output, Targets
from harness.testing import laws_for
from harness.testing.laws.metrics.cases import draw, values_of
from harness.trial.model.measure import Collector, collector, direct

TASK = Task(classes=("a", "b"), image_size=(4, 4), mask_kind="outline")


def built(name: str, task: Task = TASK) -> Collector:
    (record,) = (record for record in harness_metrics.harness_metrics() if record.name == name)
    return collector(Metric(name, record), task)


def of_scores(of: Callable) -> Callable:
    def reference(labels, scores, saliency, masks) -> Mapping[str, float]:
        values = []
        for label, score in zip(labels.T, scores.T, strict=True):
            known = ~np.isnan(label)
            values.append(of(label[known], score[known]))
        return {"": np.mean(values), "benign": values[0], "malignant": values[1]}

    return reference


def of_maps(of: Callable) -> Callable:
    """`of` the upsampled maps and masks "n h w" of the images that have the class."""

    def reference(labels, scores, saliency, masks) -> Mapping[str, float]:
        upsampled = saliency.repeat(2, axis=2).repeat(2, axis=3)
        values = [of(upsampled[labels[:, k] == 1, k], masks[labels[:, k] == 1, k]) for k in range(2)]
        return {"": np.mean(values), "benign": values[0], "malignant": values[1]}

    return reference


def dice(maps, masks) -> float:
    return np.mean([2 * (a * m).sum() / (a.sum() + m.sum()) for a, m in zip(maps, masks, strict=True)])


def pointing(maps, masks) -> float:
    return np.mean([m[a == a.max()].mean() for a, m in zip(maps, masks, strict=True)])


def pixel_ap(maps, masks) -> float:
    """The definition, threshold by threshold; the last ones are as fine as the histograms' bins."""
    scaled = np.stack([(a - a.min()) / (a.max() - a.min()) for a in maps])
    area, recall = 0.0, 0.0
    for step in range(1000, -1, -1):
        called = np.floor(scaled * 1000 + 1e-4) >= step
        hits = (called & (masks == 1)).sum()
        now = hits / masks.sum()
        area += (now - recall) * (hits / called.sum())
        recall = now
    return area


test_laws = laws_for(
    harness_metrics,
    references={
        "auroc": of_scores(sklearn_metrics.roc_auc_score),
        "auprc": of_scores(sklearn_metrics.average_precision_score),
        "brier": of_scores(sklearn_metrics.brier_score_loss),
        "dice": of_maps(dice),
        "pointing": of_maps(pointing),
        "pixel_ap": of_maps(pixel_ap),
    },
)


def test_a_positive_whose_mask_is_not_known_is_left_out() -> None:
    metric = built("dice")
    masks = torch.zeros(2, 2, 4, 4)
    masks[0, 0, :2] = 1
    labels = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    targets = Targets(masks=masks, known=torch.tensor([[True, True], [False, True]]))
    saliency = masks.clone()
    metric.update(Output(probs=labels, saliency=saliency), Batch(labels=labels, targets=targets))
    assert metric.compute() == pytest.approx({"": 1.0, "a": 1.0, "b": float("nan")}, nan_ok=True)


def test_saliency_in_half_precision_is_read() -> None:
    metric = built("pointing")
    masks = torch.zeros(1, 2, 4, 4)
    masks[0, 0, 0, 0] = 1
    labels = torch.tensor([[1.0, 0.0]])
    targets = Targets(masks=masks, known=torch.ones(1, 2, dtype=torch.bool))
    metric.update(Output(probs=labels, saliency=masks.bfloat16()), Batch(labels=labels, targets=targets))
    assert metric.compute()["a"] == 1


def test_a_model_without_saliency_has_no_dice() -> None:
    metric = built("dice")
    labels = torch.tensor([[1.0, 0.0]])
    metric.update(Output(probs=labels), Batch(labels=labels))
    assert np.isnan(list(metric.compute().values())).all()


def test_maps_without_masks_are_an_error_and_not_a_silent_nothing() -> None:
    labels = torch.tensor([[1.0, 0.0]])
    with pytest.raises(ValueError, match="masks"):
        built("dice").update(Output(probs=labels, saliency=torch.zeros(1, 2, 2, 2)), Batch(labels=labels))


@pytest.mark.parametrize("kind", ["circle", "box", "none"])
def test_dice_is_for_masks_that_are_outlines(kind: str) -> None:
    (dice,) = (record for record in harness_metrics.harness_metrics() if record.name == "dice")
    assert not fits(dice, Task(classes=("a",), mask_kind=kind)) and fits(dice, TASK)


def test_keys_of_columns_are_each_of_one_metric() -> None:
    records = list(harness_metrics.harness_metrics())
    keys = [place.name or record.name for record in records for place in record.standing]
    assert len(set(keys)) == len(keys) and len({record.name for record in records}) == len(records)
    others = {place.name for record in records for place in record.standing} - {""}
    assert not others & {record.name for record in records}


DIRECT = [item for item in harness_metrics.harness_metrics() if not item.needs & {"layers", "multiclass"}]
DIRECT = [item for item in DIRECT if direct(Metric(item.name, item))]


@pytest.mark.parametrize("record", DIRECT, ids=lambda record: record.name)
def test_what_is_unknown_does_not_count_and_values_carry_the_names_of_the_classes(record: MetricRecord) -> None:
    case = draw(4)
    unknown = np.isnan(case["labels"])
    other = {
        **case,
        **{
            name: np.where(unknown.reshape(*unknown.shape, *[1] * (case[name].ndim - 2)), 1 - case[name], case[name])
            for name in ("scores", "saliency")
        },
    }
    values = values_of(record, case)
    assert values_of(record, other) == pytest.approx(values, nan_ok=True)
    assert "" in values and set(values) - {""} <= {"benign", "malignant"}
