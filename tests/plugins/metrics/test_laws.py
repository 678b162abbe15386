"""The built-in metrics against the laws, scikit-learn and counting by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics

import harness_metrics
from harness import Task
from harness.nn import Batch, Output, Targets
from harness.testing.contracts_metrics import MetricLaws

TASK = Task(classes=("a", "b"), image_size=(4, 4), mask_kind="outline")


@pytest.mark.parametrize("component", list(harness_metrics.harness_metrics()), ids=lambda component: component.name)
def test_a_plan_and_a_metric_agree_on_what_is_better(component) -> None:
    kind = "multiclass" if "multiclass" in component.needs else "multilabel"
    masks = "layers" if "layers" in component.needs else "outline"
    metric = component.build(Task(classes=("a", "b"), image_size=(4, 4), mask_kind=masks, kind=kind))
    assert component.higher_is_better == metric.higher_is_better


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


class TestMetrics(MetricLaws):
    plugin = harness_metrics
    references = {
        "auroc": of_scores(sklearn_metrics.roc_auc_score),
        "auprc": of_scores(sklearn_metrics.average_precision_score),
        "brier": of_scores(sklearn_metrics.brier_score_loss),
        "dice": of_maps(dice),
        "pointing": of_maps(pointing),
        "pixel_ap": of_maps(pixel_ap),
    }


def test_a_positive_whose_mask_is_not_known_is_left_out() -> None:
    metric = harness_metrics.build_dice(TASK)
    masks = torch.zeros(2, 2, 4, 4)
    masks[0, 0, :2] = 1
    labels = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    targets = Targets(masks=masks, known=torch.tensor([[True, True], [False, True]]))
    saliency = masks.clone()
    metric.update(Output(probs=labels, saliency=saliency), Batch(labels=labels, targets=targets))
    assert metric.compute() == pytest.approx({"": 1.0, "a": 1.0, "b": float("nan")}, nan_ok=True)


def test_evidence_in_half_precision_is_read() -> None:
    metric = harness_metrics.build_pointing(TASK)
    masks = torch.zeros(1, 2, 4, 4)
    masks[0, 0, 0, 0] = 1
    labels = torch.tensor([[1.0, 0.0]])
    targets = Targets(masks=masks, known=torch.ones(1, 2, dtype=torch.bool))
    metric.update(Output(probs=labels, saliency=masks.bfloat16()), Batch(labels=labels, targets=targets))
    assert metric.compute()["a"] == 1


def test_a_model_without_evidence_has_no_dice() -> None:
    metric = harness_metrics.build_dice(TASK)
    labels = torch.tensor([[1.0, 0.0]])
    metric.update(Output(probs=labels), Batch(labels=labels))
    assert np.isnan(list(metric.compute().values())).all()


def test_maps_without_masks_are_an_error_and_not_a_silent_nothing() -> None:
    labels = torch.tensor([[1.0, 0.0]])
    with pytest.raises(ValueError, match="masks"):
        harness_metrics.build_dice(TASK).update(
            Output(probs=labels, saliency=torch.zeros(1, 2, 2, 2)), Batch(labels=labels)
        )


@pytest.mark.parametrize("kind", ["circle", "box", "none"])
def test_dice_is_refused_where_masks_are_no_outlines(kind: str) -> None:
    with pytest.raises(ValueError, match="outlines"):
        harness_metrics.build_dice(Task(classes=("a",), mask_kind=kind))
