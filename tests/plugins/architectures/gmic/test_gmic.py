import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from harness import InputError, Task
from harness.contract.errors import Problems
from harness.nn import Batch

SMALL = {
    "backbone": {"use": "resnet22", "stride": 8, "width": 2},
    "local_backbone": {"use": "timm", "model": "resnet10t"},
    "pooling": {"use": "top_fraction", "fraction": 0.2},
    "crops": 3,
    "crop_px": 16,
}
TASK = Task(classes=("benign", "malignant"), image_size=(64, 48))


def build(catalog, task=TASK, seed=0, **params):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return catalog.build("architecture", {"use": "gmic", **SMALL, **params}, task)


def batch(count=4, channels=1, size=(64, 48), ids=()):
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([[number % 2, number // 2 % 2] for number in range(count)]).float()
    return Batch(images=torch.randn(count, channels, *size, generator=generator), labels=labels, ids=ids)


def factory(catalog, **params):
    problems = Problems("")
    made = catalog.factory("architecture", {"use": "gmic", **params}, problems, "model")
    problems.raise_if_any()
    return made


def gradients(loss, module):
    found = torch.autograd.grad(loss, list(module.parameters()), retain_graph=True, allow_unused=True)
    return sum(float(value.abs().sum()) for value in found if value is not None)


def test_the_local_loss_does_not_reach_the_global_network_and_the_fusion_does(catalog):
    model, images = build(catalog), batch()
    losses = model.losses(model(images), images)
    assert gradients(losses["local"], model.backbone) == 0
    assert gradients(losses["local"], model.local_backbone) > 0
    assert gradients(losses["fusion"], model.backbone) > 0
    assert gradients(losses["fusion"], model.local_backbone) > 0
    assert gradients(losses["fusion"], model.saliency) == 0
    assert gradients(losses["global"], model.saliency) > 0
    assert gradients(losses["global"], model.local_backbone) == 0


def test_the_sum_of_the_maps_pulls_every_cell_down(catalog):
    model, images = build(catalog), batch()
    out = model(images)
    (gradient,) = torch.autograd.grad(model.losses(out, images)["map_l1"], out.saliency)
    assert (gradient > 0).all()


@pytest.mark.parametrize(("stride", "cells"), [(8, 8 * 6), (16, 4 * 3)])
def test_beta_is_rescaled_to_the_size_of_the_map(catalog, stride, cells):
    images = batch()
    model = build(catalog, backbone={"use": "resnet22", "stride": stride, "width": 2}, crops=1, map_l1=0.01)
    out = model(images)
    assert out.saliency.shape[2:].numel() == cells
    expected = 0.01 * 1380 / cells * out.saliency.sum((1, 2, 3)).mean()
    torch.testing.assert_close(model.losses(out, images)["map_l1"], expected)


def test_the_loss_is_the_sum_of_three_cross_entropies_over_the_classes(catalog):
    model, images = build(catalog), batch()
    out = model(images)
    losses = model.losses(out, images)
    assert list(losses) == ["global", "local", "fusion", "map_l1"]
    for name in ("global", "local", "fusion"):
        expected = nn.functional.binary_cross_entropy(out.heads[name], images.labels, reduction="none").sum(1).mean()
        torch.testing.assert_close(losses[name], expected)


def test_an_unknown_label_counts_for_its_class_alone(catalog):
    model, images = build(catalog), batch()
    out, known = model(images), model.losses(model(images), images)["fusion"]
    images.labels[0, 1] = math.nan
    left_out = -torch.log(1 - out.probs[0, 1]) / 4
    torch.testing.assert_close(model.losses(out, images)["fusion"], known - left_out)


def test_the_global_score_is_the_mean_of_the_maps_highest_cells(catalog):
    out = build(catalog)(batch())
    highest = out.saliency.flatten(2).sort(descending=True).values[..., : round(48 * 0.2)]
    torch.testing.assert_close(out.heads["global"], highest.mean(2))


def test_heads_are_global_local_their_mean_and_the_fusion(catalog):
    out = build(catalog)(batch())
    assert list(out.heads) == ["global", "local", "mean", "fusion"]
    torch.testing.assert_close(out.heads["mean"], (out.heads["global"] + out.heads["local"]) / 2)
    assert torch.equal(out.heads["fusion"], out.probs)
    torch.testing.assert_close(out.probs, out.logits.sigmoid())


def test_attention_sums_to_one_and_with_zero_scores_is_uniform(catalog):
    model, images = build(catalog), batch()
    torch.testing.assert_close(model(images).parts["attention"].sum(1), torch.ones(4))
    nn.init.zeros_(model.local_pooling.score.weight)
    torch.testing.assert_close(model(images).parts["attention"], torch.full((4, 3), 1 / 3))


def test_crops_and_boxes_show_where_the_model_looked(catalog):
    out, images = build(catalog)(batch()), batch().images
    x0, y0, x1, y1 = out.parts["boxes"][2, 1].tolist()
    assert (x1 - x0, y1 - y0) == (16, 16)
    assert torch.equal(out.parts["crops"][2, 1, 0], images[2, 0, y0:y1, x0:x1])
    for cell, first, length in zip(out.parts["corners"][2, 1].tolist(), (y0, x0), (64, 48), strict=True):
        middle = 2 + 8 * (cell + 0.5)  # of a window of two cells of this backbone: cell i looks at pixel 2 + 8 i
        assert first == min(max(round(middle - 7.5), 0), length - 16)


def test_uncentred_crops_lie_where_the_cells_are_drawn(catalog):
    out = build(catalog, centred=False)(batch())
    assert torch.equal(out.parts["boxes"][..., :2].flip(2), out.parts["corners"] * 8)
    assert build(catalog, centred=False).grid(batch()) is None
    assert build(catalog).grid(batch()).offset == (2.0, 2.0)


def test_random_crops_change_in_training_and_follow_the_images_id_in_eval(catalog):
    model = build(catalog, crop_choice="random")
    named = batch(ids=("a", "b", "c", "d"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert not torch.equal(model(named).parts["corners"], model(named).parts["corners"])
    model.eval()
    assert torch.equal(model(named).parts["corners"], model(named).parts["corners"])
    turned = batch(ids=("d", "c", "b", "a"))
    assert torch.equal(model(named).parts["corners"], model(turned).parts["corners"].flip(0))
    nameless = model(batch()).parts["corners"]
    assert (nameless == nameless[:1]).all()


@pytest.mark.parametrize(
    "pooling",
    [{"use": name} for name in ("mean", "max", "lse", "noisy_or", "attention", "gated_attention", "uniform")],
    ids=lambda table: table["use"],
)
def test_any_pooling_fits_the_global_slot(catalog, pooling):
    out = build(catalog, pooling=pooling)(batch())
    assert ((out.heads["global"] >= 0) & (out.heads["global"] <= 1)).all()


@pytest.mark.parametrize("name", ["mean", "max", "top_fraction", "lse", "attention", "uniform"])
def test_any_pooling_of_features_fits_the_local_slot(catalog, name):
    out = build(catalog, local_pooling={"use": name})(batch())
    assert out.probs.isfinite().all()


def test_a_pooling_of_probabilities_does_not_fit_the_local_slot(catalog):
    with pytest.raises(InputError, match="'noisy_or' pools probabilities only"):
        build(catalog, local_pooling={"use": "noisy_or"})


def test_colour_images_and_grey_ones_without_replication_are_taken(catalog):
    colour = Task(classes=TASK.classes, channels=3, image_size=TASK.image_size)
    assert build(catalog, colour)(batch(channels=3)).probs.isfinite().all()
    model = build(catalog, replicate_grey=False)
    assert model.local_channels == 1
    assert model(batch()).probs.isfinite().all()


def test_of_exclusive_classes_the_probabilities_sum_to_one(catalog):
    model = build(catalog, Task(kind="multiclass", classes=("a", "b"), image_size=TASK.image_size))
    images = batch()
    images = Batch(images=images.images, labels=torch.eye(2)[torch.tensor([0, 1, 1, 0])])
    out = model(images)
    for scores in out.heads.values():
        torch.testing.assert_close(scores.sum(1), torch.ones(4))
    expected = nn.functional.cross_entropy(out.logits, torch.tensor([0, 1, 1, 0]))
    torch.testing.assert_close(model.losses(out, images)["fusion"], expected)


def test_blank_images_give_finite_scores_and_gradients(catalog):
    model = build(catalog)
    images = Batch(images=torch.zeros(2, 1, 64, 48), labels=torch.tensor([[0.0, 1], [1, 0]]))
    out = model(images)
    sum(model.losses(out, images).values()).backward()
    assert out.probs.isfinite().all()
    assert all(value.grad.isfinite().all() for value in model.parameters())


def test_under_autocast_the_maps_stay_in_single_precision(catalog):
    model, images = build(catalog).eval(), batch()
    with torch.no_grad():
        plain = model(images)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low = model(images)
    assert low.saliency.dtype == low.probs.dtype == torch.float32
    torch.testing.assert_close(low.probs, plain.probs, rtol=0, atol=0.02)


def test_channels_last_changes_nothing_but_the_layout(catalog):
    model, images = build(catalog).eval(), batch()
    with torch.no_grad():
        plain = model(images).probs
        turned = model.to(memory_format=torch.channels_last)
        again = turned(replace(images, images=images.images.contiguous(memory_format=torch.channels_last))).probs
    torch.testing.assert_close(again, plain, rtol=1e-4, atol=1e-5)


def test_the_layer_to_explain_gives_the_last_feature_map(catalog):
    model = build(catalog)
    assert model.explain_layer() is model.backbone


def test_more_crops_than_fit_are_refused_alike_by_plan_build_and_forward(catalog):
    task = Task(classes=TASK.classes, image_size=(64, 48))
    message = (
        r"K = 20: `crops <= 12` must hold for a map of 8x6 cells and a window of 2x2 \(crop_px = 16, image 64x48\)"
    )
    with pytest.raises(ValueError, match=message):
        factory(catalog, **{**SMALL, "crops": 20}).facts(task)
    with pytest.raises(InputError, match=message):
        build(catalog, task, crops=20)
    # Where only the built backbone knows the map, the build finds out; without an image size, the first forward.
    sized = {"backbone": {"use": "timm", "model": "resnet10t", "out_index": 1}, "crops": 20}
    with pytest.raises(InputError, match=r"K = 20: `crops <= \d+` must hold"):
        build(catalog, task, **sized)
    with pytest.raises(ValueError, match=message):
        build(catalog, Task(classes=TASK.classes), crops=20)(batch())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"crops": 0}, "`crops >= 1`"),
        ({"map_l1": -1.0}, "`map_l1 >= 0`"),
        ({"map_l1": math.nan}, "`map_l1 >= 0`"),
        ({"crop_px": 0}, "`crop_px >= 1`"),
        ({"crop_px": 50}, "`crop_px <= 48`"),
        ({"pooling": {"use": "top_fraction", "fraction": 0.0}}, "`0 < fraction <= 1`"),
        ({"pooling": {"use": "top_fraction", "fraction": 1.5}}, "`0 < fraction <= 1`"),
        ({"local_pooling": {"use": "attention", "dim": 0}}, "`dim >= 1`"),
        ({"backbone": {"use": "resnet22", "width": 0}}, "`width >= 1`"),
    ],
)
def test_what_cannot_work_is_refused_by_plan_and_build_alike(catalog, params, message):
    with pytest.raises(ValueError, match=message):
        factory(catalog, **{**SMALL, **params}).facts(TASK)
    with pytest.raises(InputError, match=message):
        build(catalog, **params)


def test_facts_tell_map_window_and_what_the_poolings_come_to(catalog):
    task = Task(classes=TASK.classes, image_size=(2944, 1920))
    facts = factory(catalog).facts(task)
    assert facts == {
        "map": [46, 30],
        "cells": 1380,
        "window": [4, 4],
        "crop_px": 256,
        "most_crops": 77,
        "canonical": {"pooling": {"use": "top_fraction", "kept": 41}, "crop_px": 256},
    }
    small = Task(classes=TASK.classes, image_size=(256, 256))
    one, two = (
        factory(catalog, crops=1, pooling={"use": "top_fraction", "fraction": fraction}).facts(small)["canonical"]
        for fraction in (0.01, 0.02)
    )
    assert one == two
    assert one["local_pooling"] == {"use": "top_fraction", "kept": 1}


def test_facts_leave_the_map_out_where_only_the_built_backbone_knows_it(catalog):
    assert "map" not in factory(catalog, backbone={"use": "timm"}).facts(TASK)
    assert "map" not in factory(catalog).facts(Task(classes=TASK.classes))


def test_another_kind_of_batch_is_refused(catalog):
    with pytest.raises(TypeError, match="gmic reads images"):
        build(catalog)(Batch(features=torch.zeros(2, 3, 4), labels=torch.zeros(2, 2)))


@pytest.mark.parametrize("kind", ["multilabel", "multiclass"])
def test_label_weights_scale_every_cross_entropy(catalog, kind):
    task = Task(kind=kind, classes=("benign", "malignant"), image_size=(64, 48))
    model, plain = build(catalog, task, map_l1=0.0).eval(), batch()
    weighted = replace(plain, weights=torch.full((4, 2), 2.0))
    once, twice = (model.losses(model(images), images) for images in (plain, weighted))
    for name in ("global", "local", "fusion"):
        torch.testing.assert_close(twice[name], 2 * once[name])
