"""The attention gap on numbers made by hand, and how flat attention is."""

import math

import numpy as np
import pytest
import torch

import harness_metrics
from harness import Task
from harness.metrics.functional import attention_gap, touched
from harness.metrics.metric import Metric
from harness.nn import Batch, Output, Targets
from harness.trial.model.measure import collector

TASK = Task(classes=("a", "b"), image_size=(8, 8), mask_kind="outline")
BOXES = torch.tensor([[0, 0, 4, 4], [4, 0, 8, 4], [0, 4, 4, 8], [4, 4, 8, 8]])


def built(name: str):
    (record,) = (record for record in harness_metrics.harness_metrics() if record.name == name)
    return collector(Metric(name, record), TASK)


def test_a_box_is_touched_by_a_single_pixel_and_cut_at_the_border():
    mask = np.zeros((8, 8))
    mask[3, 4] = 1
    assert touched(mask, BOXES.numpy()).tolist() == [False, True, False, False]
    assert touched(mask, np.array([[-2, -2, 5, 4], [4, 4, 20, 20], [4, 3, 5, 4]])).tolist() == [True, False, True]


def test_the_gap_is_the_mean_over_positive_patches_minus_that_over_negative_ones():
    weights = np.array([0.5, 0.3, 0.1, 0.1])
    assert attention_gap(weights, np.array([True, True, False, False])) == pytest.approx(0.3)
    assert attention_gap(np.full(4, 0.25), np.array([True, False, False, False])) == 0
    assert math.isnan(attention_gap(weights, np.ones(4, bool)))
    assert math.isnan(attention_gap(weights, np.zeros(4, bool)))


def _case(known=True):
    labels = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    masks = torch.zeros(3, 2, 8, 8)
    masks[0, 0, 1, 1] = 1  # the first box
    masks[1, 0, 5:7, :] = 1  # the two lower ones
    masks[2, 1] = 1  # all: no negative patch
    targets = Targets(masks=masks, known=torch.full((3, 2), known))
    attention = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.2, 0.2, 0.3, 0.3], [0.25] * 4])
    parts = {"attention": attention, "boxes": BOXES.expand(3, -1, -1)}
    return Output(probs=labels, parts=parts), Batch(labels=labels, targets=targets)


def test_the_gap_of_a_class_is_the_mean_over_its_images():
    metric = built("attention_gap")
    metric.update(*_case())
    assert metric.compute() == pytest.approx({"": 0.35, "a": 0.35, "b": math.nan}, nan_ok=True)  # (.6 + .1) / 2
    unknown = built("attention_gap")
    unknown.update(*_case(known=False))
    assert np.isnan(list(unknown.compute().values())).all()


def test_the_gap_is_not_to_be_had_without_masks():
    out, batch = _case()
    with pytest.raises(ValueError, match="masks"):
        built("attention_gap").update(out, Batch(labels=batch.labels))


def test_how_many_share_the_attention_and_how_flat_it_is():
    found = {}
    for name in ("count", "entropy", "peak"):
        metric = built(f"attention_{name}")
        metric.update(*_case())
        found[name] = metric.compute()[""]
    assert found["count"] == 4
    assert found["peak"] == pytest.approx((2.8 + 1.2 + 1.0) / 3)
    entropies = [
        -sum(w * math.log(w) for w in row) / math.log(4) for row in ([0.7, 0.1, 0.1, 0.1], [0.2, 0.2, 0.3, 0.3])
    ]
    assert found["entropy"] == pytest.approx((sum(entropies) + 1) / 3)


def test_a_model_without_attention_has_no_value_of_it():
    metric = built("attention_gap")
    metric.update(Output(probs=torch.zeros(1, 2)), Batch(labels=torch.ones(1, 2)))
    assert np.isnan(list(metric.compute().values())).all()


def test_padding_and_branches_of_bags_do_not_count_as_instances():
    attention = torch.tensor([[[0.5, 0.9], [0.5, 0.1], [0.0, 0.0]], [[0.5, 0.5], [0.25, 0.25], [0.25, 0.25]]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    batch = Batch(features=torch.zeros(2, 3, 4), labels=torch.ones(2, 1), mask=mask)
    output = Output(probs=torch.ones(2, 1), parts={"attention": attention})
    found = {}
    for name in ("count", "peak", "entropy"):
        metric = built(f"attention_{name}")
        metric.update(output, batch)
        found[name] = metric.compute()[""]
    assert found["count"] == 2.5
    assert found["peak"] == pytest.approx(((1 + 1.8) / 2 + 1.5) / 2)
    uneven = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / math.log(2)
    rest = -(0.5 * math.log(0.5) + 0.5 * math.log(0.25)) / math.log(3)
    assert found["entropy"] == pytest.approx(((1 + uneven) / 2 + rest) / 2)
