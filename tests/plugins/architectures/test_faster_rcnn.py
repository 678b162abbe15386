"""Faster R-CNN on boxes made from masks: what it learns from, what it finds, what it must not take for background."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from harness import InputError, Task
from harness.contract.loading.catalog import Catalog
from harness.nn import Batch, Model, Targets
from harness_architectures.faster_rcnn.boxes import fully_known, lesion_boxes, painted

TASK = Task(classes=("benign", "malignant"), image_size=(64, 64), mask_kind="outline")
TINY = {
    "use": "faster_rcnn",
    "backbone": {"use": "resnet22", "stride": 8, "width": 4},
    "width": 16,
    "head": 32,
    "anchor_px": 12.0,
    "proposals": 50,
    "samples": 32,
}
CORNERS = ((8, 12), (36, 30), (20, 40), (40, 6))
SIDE = 16


def _model(catalog: Catalog, task: Task = TASK, **changed: Any) -> Model:
    torch.manual_seed(0)
    model: Model = catalog.build("architecture", {**TINY, **changed}, task)
    return model


def _squares(count: int = 4) -> Batch:
    """A bright square a picture, on noise; the first is benign, the second malignant, and so on."""
    images = 0.1 * torch.randn(count, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    masks, labels = torch.zeros(count, 2, 64, 64), torch.zeros(count, 2)
    for number in range(count):
        top, left = CORNERS[number % 4]
        inside = (..., slice(top, top + SIDE), slice(left, left + SIDE))
        images[number][inside] += 3.0 * (-1) ** number
        masks[number, number % 2][inside[1:]] = 1
        labels[number, number % 2] = 1
    targets = Targets(masks=masks, known=torch.ones(count, 2, dtype=torch.bool))
    ids = tuple(map(str, range(count)))
    return Batch(images=images, labels=labels, targets=targets, ids=ids, groups=ids)


def _total(model: Model, batch: Batch) -> torch.Tensor:
    return torch.stack(list(model.losses(model(batch), batch).values())).sum()


def test_boxes_go_round_connected_components_and_leave_specks_out() -> None:
    masks = np.zeros((2, 10, 12), np.uint8)
    masks[0, 1:4, 2:7] = 1
    masks[0, 4, 7] = 1  # touches at a corner: the same lesion
    masks[0, 8, 11] = 1  # a speck
    masks[1, 9, 0] = 1  # all there is of its class
    boxes, kinds = lesion_boxes(masks, least_px=4)
    assert boxes.tolist() == [[2, 1, 8, 5], [0, 9, 1, 10]]
    assert kinds.tolist() == [0, 1]
    assert lesion_boxes(masks, least_px=1)[0].tolist() == [[2, 1, 8, 5], [11, 8, 12, 9], [0, 9, 1, 10]]
    assert lesion_boxes(np.zeros((2, 4, 4), np.uint8), 4)[0].shape == (0, 4)


def test_a_map_shows_the_best_box_that_holds_each_pixel() -> None:
    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0], [2.0, 2.0, 6.0, 5.0], [0.6, 0.0, 1.4, 1.0]])
    maps = painted(boxes, torch.tensor([0.9, 0.5, 0.7]), torch.tensor([0, 0, 1]), (2, 6, 8))
    assert maps[0, :4, :4].unique().tolist() == pytest.approx([0.9])
    assert maps[0, 2:5, 4:6].unique().tolist() == pytest.approx([0.5])
    assert maps[0].count_nonzero() == 16 + 3 * 4 - 2 * 2
    assert maps[1].count_nonzero() == 0  # no pixel's centre lies inside


def test_planted_squares_are_boxed_after_a_few_steps(catalog: Catalog) -> None:
    model, batch = _model(catalog), _squares()
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(90):
        optimiser.zero_grad()
        torch.autograd.backward(_total(model, batch))
        optimiser.step()
    with torch.no_grad():
        out = model.eval()(replace(batch, targets=None))
    assert torch.equal(out.probs > 0.5, batch.labels == 1)
    for number, (top, left) in enumerate(CORNERS):
        found = out.parts["boxes"][number, out.parts["scores"][number].argmax()]
        expected = torch.tensor([[left, top, left + SIDE, top + SIDE]]).float()
        assert box_iou(found[None], expected) > 0.5, (number, found)
        assert out.saliency is not None
        assert out.saliency[number, number % 2, top + SIDE // 2, left + SIDE // 2] == out.probs[number, number % 2]


def test_an_image_scores_as_its_best_box_and_0_without_one(catalog: Catalog) -> None:
    batch = replace(_squares(), targets=None)
    with torch.no_grad():
        out = _model(catalog).eval()(batch)
        none = _model(catalog, least_score=0.99).eval()(batch)
    scores, kinds = out.parts["scores"], out.parts["classes"]
    for kind in range(2):
        assert torch.equal(out.probs[:, kind], scores.where(kinds == kind, 0.0).amax(1))
    with torch.no_grad():
        few = _model(catalog, detections=1).eval()(batch)
    torch.testing.assert_close(few.probs, out.probs)  # whichever class the one box is of
    assert few.parts["boxes"].shape == (4, 1, 4) and none.parts["boxes"].shape == (4, 0, 4)
    assert none.probs.count_nonzero() == 0 == none.saliency.count_nonzero()


@pytest.mark.parametrize("unknown", ["outline", "label"])
def test_an_image_without_a_known_outline_is_no_background(catalog: Catalog, unknown: str) -> None:
    batch = _squares()
    assert batch.targets is not None
    masks, known, labels = batch.targets.masks.clone(), batch.targets.known.clone(), batch.labels.clone()
    masks[1] = 0
    if unknown == "outline":
        known[1, 1] = False
    else:
        labels[1, 1] = torch.nan
    without = replace(batch, labels=labels, targets=Targets(masks=masks, known=known))
    assert fully_known(without).tolist() == [True, False, True, True]
    model = _model(catalog)
    model.backbone.eval()  # type: ignore[union-attr,operator] # batch statistics hold no labels: they may be shared
    rest = [0, 2, 3]
    assert batch.images is not None
    alone = replace(
        without, images=batch.images[rest], labels=labels[rest], targets=Targets(masks=masks[rest], known=known[rest])
    )
    losses = []
    for given in (without, alone):
        torch.manual_seed(1)
        losses.append(_total(model, given))
    torch.testing.assert_close(*losses)


def test_a_batch_of_which_nothing_is_known_trains_nothing(catalog: Catalog) -> None:
    batch, model = _squares(), _model(catalog)
    assert batch.targets is not None
    nothing = Targets(masks=batch.targets.masks, known=torch.zeros(4, 2, dtype=torch.bool))
    total = _total(model, replace(batch, targets=nothing))
    torch.autograd.backward(total)
    assert total == 0
    assert all(value.grad is None or not value.grad.any() for value in model.parameters())


def test_outside_training_there_are_no_losses(catalog: Catalog) -> None:
    model, batch = _model(catalog).eval(), _squares()
    with torch.no_grad(), pytest.raises(ValueError, match='balance = "sampler"'):
        model.losses(model(batch), batch)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"anchor_px": -1.0}, "anchor_px > 0"),
        ({"samples": 0}, "samples >= 1"),
        ({"least_score": 1.0}, "least_score < 1"),
    ],
)
def test_parameters_that_cannot_work_are_refused(catalog: Catalog, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _model(catalog, **changed)
