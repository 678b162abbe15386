"""The plain classifier: its two heads against what they are defined by."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from harness import Task
from harness.contract.errors import InputError
from harness.contract.loading.catalog import Catalog
from harness.nn import Batch, Model

BACKBONE = {"use": "resnet22", "stride": 8, "width": 2}
SIZE = (64, 48)
MANY = Task(classes=("a", "b", "c"), image_size=SIZE)
ONE = Task(kind="multiclass", classes=("a", "b", "c"), image_size=SIZE)
TOP = {"use": "top_fraction", "fraction": 0.2}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.discover()


def build(catalog: Catalog, task: Task, **table: Any) -> Model:
    torch.manual_seed(0)
    model: Model = catalog.build("architecture", {"use": "cnn", "backbone": BACKBONE, **table}, task)
    return model.eval()


def batch(**more: Any) -> Batch:
    images = torch.randn(4, 1, *SIZE, generator=torch.Generator().manual_seed(1))
    return Batch(**{"images": images, "labels": torch.eye(3)[[0, 1, 2, 0]], **more})


def test_the_mean_of_the_activation_map_is_the_logit(catalog: Catalog) -> None:
    out = build(catalog, MANY)(batch())
    assert out.saliency is not None and out.logits is not None
    torch.testing.assert_close(out.saliency.logit().mean((2, 3)), out.logits)
    torch.testing.assert_close(out.probs, out.logits.sigmoid())


def test_exclusive_classes_share_each_cell_and_each_image(catalog: Catalog) -> None:
    out = build(catalog, ONE)(batch())
    assert out.saliency is not None and out.logits is not None
    torch.testing.assert_close(out.saliency.sum(1), torch.ones_like(out.saliency[:, 0]))
    torch.testing.assert_close(out.probs, out.logits.softmax(1))


def test_the_convolution_comes_before_top_t(catalog: Catalog) -> None:
    model = build(catalog, MANY, head="conv_before_pool", pooling=TOP)
    out = model(batch())
    assert out.saliency is not None and out.logits is not None
    kept = max(1, round(0.2 * out.saliency[0, 0].numel()))
    expected = out.saliency.flatten(2).topk(kept, 2).values.mean(2)
    torch.testing.assert_close(out.probs, expected)
    torch.testing.assert_close(out.logits.sigmoid(), expected)


def test_exclusive_scores_of_maps_are_divided_by_their_sum(catalog: Catalog) -> None:
    out = build(catalog, ONE, head="conv_before_pool", pooling=TOP)(batch())
    assert out.logits is not None
    torch.testing.assert_close(out.probs.sum(1), torch.ones(4))
    torch.testing.assert_close(out.logits.softmax(1), out.probs)


@pytest.mark.parametrize("table", [{}, {"head": "conv_before_pool", "pooling": TOP}])
def test_losses_are_cross_entropies_of_known_labels(catalog: Catalog, table: dict[str, Any]) -> None:
    known = batch()
    model = build(catalog, ONE, **table)
    out = model(known)
    expected = torch.nn.functional.cross_entropy(out.logits, known.labels.argmax(1))
    torch.testing.assert_close(model.losses(out, known)["class"], expected)
    hidden = batch(labels=torch.cat([known.labels[:3], torch.full((1, 3), math.nan)]))
    few = torch.nn.functional.cross_entropy(out.logits[:3], known.labels[:3].argmax(1), reduction="sum") / 4
    torch.testing.assert_close(model.losses(out, hidden)["class"], few)
    model = build(catalog, MANY, **table)
    out = model(known)
    binary = torch.nn.functional.binary_cross_entropy(out.probs, known.labels, reduction="sum") / 4
    torch.testing.assert_close(model.losses(out, known)["class"], binary)


@pytest.mark.parametrize("task", [ONE, MANY])
def test_weights_of_labels_count(catalog: Catalog, task: Task) -> None:
    model, plain = build(catalog, task), batch()
    double = batch(weights=torch.full((4, 3), 2.0))
    out = model(plain)
    torch.testing.assert_close(model.losses(out, double)["class"], 2 * model.losses(out, plain)["class"])


def test_dropout_acts_in_training_alone(catalog: Catalog) -> None:
    model = build(catalog, MANY, dropout=0.5)
    same, images = model.backbone, batch()
    first, second = model(images).probs, model(images).probs
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    model.train()
    same.eval()
    assert not torch.equal(model(images).probs, model(images).probs)


@pytest.mark.parametrize(
    ("table", "told"),
    [({"dropout": 1.0}, "dropout < 1"), ({"pooling": {"use": "noisy_or"}}, "pools probabilities only")],
)
def test_what_cannot_work_is_told(catalog: Catalog, table: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        build(catalog, MANY, **table)
