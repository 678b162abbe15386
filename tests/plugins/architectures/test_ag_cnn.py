"""AG-CNN: where it looks, what each phase trains, and what its parameters make of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from harness import InputError, Task, TrialSpec
from harness.contract.errors import Problems
from harness.contract.types import Objective, Workspace
from harness.nn import Batch
from harness.trial.fit.phases import choose, set_modes
from harness.trial.trial import run_trial
from harness_architectures.ag_cnn.regions import crop_and_resize, heat_map, largest_region

TASK = Task(classes=("nodule", "effusion"), image_size=(64, 48))
SMALL = {"backbone": {"use": "resnet22", "stride": 8, "width": 2}}


def build(catalog, **params):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return catalog.build("architecture", {"use": "ag_cnn", **SMALL, **params}, TASK)


def batch(count=4):
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([[number % 2, number // 2 % 2] for number in range(count)]).float()
    return Batch(images=torch.randn(count, 1, 64, 48, generator=generator), labels=labels)


def blobs(*boxes, size=(40, 50)):
    heat = torch.zeros(1, *size)
    for x0, y0, x1, y1 in boxes:
        heat[0, y0:y1, x0:x1] = 1
    return heat


def test_the_box_holds_the_larger_of_two_blobs_whichever_comes_first():
    small, large = (3, 2, 9, 7), (20, 10, 33, 29)
    assert largest_region(blobs(small, large), 0.7).tolist() == [list(large)]
    assert largest_region(blobs((3, 2, 16, 21), (20, 30, 26, 35)), 0.7).tolist() == [[3, 2, 16, 21]]


def test_the_larger_blob_has_more_pixels_not_the_larger_box():
    heat = blobs((30, 10, 38, 18))
    heat[0, range(0, 20), range(0, 20)] = 1  # a diagonal: one region, 20 pixels, a box of 20 x 20
    assert largest_region(heat, 0.5).tolist() == [[30, 10, 38, 18]]
    assert largest_region(heat * (torch.arange(50) < 25), 0.5).tolist() == [[0, 0, 20, 20]]


def test_blobs_of_neighbouring_images_are_not_connected():
    heat = torch.cat([blobs((0, 0, 9, 9)), blobs((0, 0, 9, 9), (20, 20, 32, 32)), blobs((20, 20, 32, 32))])
    assert largest_region(heat, 0.5).tolist() == [[0, 0, 9, 9], [20, 20, 32, 32], [20, 20, 32, 32]]


@pytest.mark.parametrize("heat", [blobs(), blobs((7, 7, 8, 20)), blobs((7, 7, 20, 8))], ids=["empty", "thin", "flat"])
def test_an_empty_mask_or_a_line_shows_the_whole_image(heat):
    assert largest_region(heat, 0.7).tolist() == [[0, 0, 50, 40]]


def test_heat_is_compared_strictly_with_tau():
    assert largest_region(0.7 * blobs((4, 4, 12, 12)), float(torch.tensor(0.7))).tolist() == [[0, 0, 50, 40]]


def test_the_three_statistics_are_those_of_the_paper():
    features = torch.randn(3, 6, 5, 4, generator=torch.Generator().manual_seed(0))
    by_hand = {
        "max": torch.linalg.vector_norm(features, torch.inf, 1),
        "l1": torch.linalg.vector_norm(features, 1, 1) / 6,
        "l2": torch.linalg.vector_norm(features, 2, 1) / 6,
    }
    for name, values in by_hand.items():
        fine = functional.interpolate(values.unsqueeze(1), (40, 32), mode="bilinear").squeeze(1)
        low, high = fine.amin((1, 2), keepdim=True), fine.amax((1, 2), keepdim=True)
        torch.testing.assert_close(heat_map(features, (40, 32), name), (fine - low) / (high - low))


def test_a_constant_map_has_no_heat():
    assert (heat_map(torch.ones(2, 3, 4, 4), (16, 16)) == 0).all()


def test_a_crop_is_what_is_in_the_box_enlarged_to_the_image():
    images = torch.rand(3, 2, 40, 50, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[0, 0, 50, 40], [10, 8, 35, 28], [30, 0, 40, 10]])
    crops = crop_and_resize(images, boxes)
    torch.testing.assert_close(crops[0], images[0], rtol=0, atol=1e-5)
    inside = functional.interpolate(images[1:2, :, 8:28, 10:35], (40, 50), mode="bilinear")[0]
    torch.testing.assert_close(crops[1, :, 2:-2, 2:-2], inside[:, 2:-2, 2:-2], rtol=0, atol=1e-5)


def _learns(model, phase):
    """Two steps of a phase; the names of what has changed, batch-norm's statistics included."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimiser = torch.optim.SGD(choose(model, phase), 0.1, momentum=0.9, weight_decay=0.1)
    set_modes(model, phase)
    images = batch()
    for _ in range(2):
        losses = model.losses(model(images), images)
        optimiser.zero_grad()
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        optimiser.step()
    after = model.state_dict()
    return {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}, list(losses)


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("G", [["global"]]),
        ("G_L_F", [["global"], ["local"], ["fusion"]]),
        ("G_L_F*", [["global"], ["local"], ["global", "local", "fusion"]]),
        ("GL_F", [["global", "local"], ["fusion"]]),
        ("G_LF", [["global"], ["local", "fusion"]]),
        ("GLF", [["global", "local", "fusion"]]),
    ],
)
def test_a_phase_trains_its_own_branches_and_leaves_the_others_and_their_batch_norm(catalog, scheme, expected):
    model, parts = build(catalog, scheme=scheme), {"global": "global_branch", "local": "local_branch"}
    for phase, heads in zip(model.phases(), expected, strict=True):
        changed, losses = _learns(model, phase)
        assert (changed, losses) == ({parts.get(head, head) for head in heads}, heads)


def test_in_eval_every_head_is_there_and_the_fusions_is_the_models(catalog):
    model = build(catalog).eval()
    choose(model, model.phases()[0])
    out = model(batch())
    assert list(out.heads) == ["global", "local", "fusion"]
    torch.testing.assert_close(out.probs, out.heads["fusion"])
    alone = build(catalog, scheme="G").eval()(batch())
    assert list(alone.heads) == ["global"]
    torch.testing.assert_close(alone.probs, out.heads["global"], msg="the first branch is the plain network")


def test_what_is_shown_is_where_the_local_branch_looked(catalog):
    model, images = build(catalog).eval(), batch()
    parts = model(images).parts
    assert (parts["boxes"].shape, parts["attention"].tolist()) == ((4, 1, 4), [[1.0]] * 4)
    torch.testing.assert_close(parts["boxes"][:, 0], largest_region(parts["heat"], 0.7))
    torch.testing.assert_close(parts["crops"][:, 0], crop_and_resize(images.images, parts["boxes"][:, 0]))


def test_the_control_shows_both_branches_the_whole_image(catalog):
    model, images = build(catalog, crop="whole").eval(), batch()
    parts = model(images).parts
    assert parts["boxes"][:, 0].tolist() == [[0, 0, 48, 64]] * 4
    torch.testing.assert_close(parts["crops"][:, 0], images.images, rtol=0, atol=0)


def test_evidence_is_the_global_classifier_at_every_cell(catalog):
    model, images = build(catalog).eval(), batch()
    out = model(images)
    features = model.global_branch.backbone(images.images)
    cell = model.global_branch.classifier(features[2, :, 3, 1]).sigmoid()
    torch.testing.assert_close(out.saliency[2, :, 3, 1], cell)
    assert out.saliency.shape == (4, 2, *features.shape[2:])


def test_the_loss_is_the_cross_entropy_averaged_over_classes_and_known_labels_only(catalog):
    model, images = build(catalog).eval(), batch()
    out = model(images)
    expected = functional.binary_cross_entropy(out.probs, images.labels)
    torch.testing.assert_close(model.losses(out, images)["fusion"], expected)
    unknown = replace(images, labels=images.labels.clone().index_fill_(1, torch.tensor([1]), torch.nan))
    known = functional.binary_cross_entropy(out.probs[:, :1], images.labels[:, :1]) / 2
    torch.testing.assert_close(model.losses(out, unknown)["fusion"], known)


def test_what_makes_no_difference_is_known_to_the_plan(catalog):
    def canonical(**params):
        problems = Problems("")
        made = catalog.factory("architecture", {"use": "ag_cnn", **SMALL, **params}, problems, "model")
        problems.raise_if_any()
        return made.facts(TASK)["canonical"]

    assert canonical() == {}
    assert canonical(crop="whole") == {"heat": None, "tau": None}
    assert canonical(scheme="G") == {"heat": None, "tau": None, "crop": None}


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"tau": 1.0}, "0 < tau < 1"),
        ({"pooling": "noisy_or"}, "pooling pools features, 'noisy_or' pools probabilities only"),
        ({"scheme": "G_F"}, "scheme"),
    ],
)
def test_parameters_that_cannot_work_are_refused(catalog, params, told):
    with pytest.raises(InputError, match=told):
        build(catalog, **params)


def test_its_phases_are_chosen_by_the_auc_also_where_the_study_does_not_ask_for_it(catalog, tmp_path):
    tree = {
        "dataset": {"use": "histology_phantom", "images": [8, 8, 4], "image_size": [64, 64], "nucleus_px": 3},
        "train": {"epochs": 3, "batch_size": 4},
        "model": {"use": "ag_cnn", "backbone": {"use": "resnet22", "stride": 8, "width": 4}},
    }
    spec = TrialSpec(
        study="s", study_id="s", budget="b", variant="v", variant_id="v", stage="search", number=0, seed=0, tree=tree,
        metrics=("brier",), objective=Objective(metric="val/brier", mode="min"),
    )  # fmt: skip
    workspace = Workspace(data=tmp_path, cache=tmp_path / "cache", checkpoints=tmp_path / "c", device="cpu")
    *epochs, result = run_trial(spec, catalog, workspace)
    assert (result.state, result.reason) == ("complete", "")
    assert [epoch.phase for epoch in epochs] == ["global", "local", "fusion"]
    assert all({"val/brier", "val/global/auroc", "val/local/auroc"} <= set(epoch.metrics) for epoch in epochs)
