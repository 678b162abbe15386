"""Patches of an image: cut, stitched, placed; and A-MIL, which looks at all of them."""

import pytest
import torch

from harness import InputError, Task
from harness.contract.errors import Problems
from harness.nn import Batch
from harness_architectures.shared.patches.grid import PatchGrid
from harness_architectures.shared.patches.tensors import boxes, cut, flatness, relative, saliency_map, stitch, unfold
from harness_explainers.attention.explainer import Attention
from harness_explainers.cams.cam import Cam

TASK = Task(classes=("tumour",), channels=3, image_size=(48, 64))
SMALL = {"use": "a_mil", "patch_px": 16, "features": 12, "width": 4}


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def bag(count=2, size=(48, 64)):
    return Batch(images=noise(count, 3, *size), labels=torch.ones(count, 1), ids=tuple(map(str, range(count))))


def build(catalog, task=TASK, **changed):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return catalog.build("architecture", {**SMALL, **changed}, task).eval()


def test_the_published_image_gives_400_patches_that_stitch_to_it_again():
    grid = PatchGrid.of((460, 700), 28, (448, 700))
    assert (grid.count, grid.rows, grid.columns, grid.corner) == (400, 16, 25, (6, 0))
    image = noise(1, 3, 448, 700)
    patches = unfold(image, 28)
    assert patches.shape == (1, 400, 3, 28, 28)
    assert torch.equal(stitch(patches, 16), image)
    assert torch.equal(patches[0, 26], image[0, :, 28:56, 28:56])  # row by row


def test_boxes_lie_where_patches_were_cut():
    grid = PatchGrid.of((50, 70), 16, (48, 64))
    images = noise(1, 3, 50, 70)
    patches, places = cut(images, grid), boxes(grid, images.device)
    assert len(places) == patches.shape[1] == grid.count
    for patch, (x0, y0, x1, y1) in zip(patches[0], places.tolist(), strict=True):
        assert torch.equal(patch, images[0, :, y0:y1, x0:x1])


def test_evidence_stands_where_the_patch_is_and_is_nothing_around_a_crop():
    scores = noise(1, 12, 2)
    assert torch.equal(saliency_map(scores, PatchGrid.of((48, 64), 16)).flatten(2).transpose(1, 2), scores)
    grid = PatchGrid.of((51, 65), 16, (48, 64))
    found = saliency_map(scores, grid)
    assert found.shape == (1, 2, 51, 65)
    assert (found[0, 1, 1 + 16 : 1 + 32, 16:32] == scores[0, 5, 1]).all()
    assert (found[:, :, 0] == 0).all() and (found[:, :, 49:] == 0).all() and (found[:, :, :, 64:] == 0).all()


def test_flatness_of_equal_weights_is_one_and_of_a_single_one_is_none():
    even = flatness(torch.full((1, 400), 1 / 400))
    torch.testing.assert_close(even["attention_entropy"], torch.ones(1))
    torch.testing.assert_close(even["attention_peak"], torch.ones(1))
    single = flatness(torch.eye(400)[:1])
    assert single["attention_entropy"].item() == pytest.approx(0, abs=1e-6)
    assert single["attention_peak"].item() == pytest.approx(400)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"patch_px": 28}, r"patches of 28 px do not fill images of 48x64.*crop = \[28, 56\]"),
        ({"crop": [64, 64]}, "a crop of 64x64 does not fit into images of 48x64"),
        ({"patch_px": 8}, "patch_px >= 16"),
        ({"pooling": {"use": "noisy_or"}}, "noisy_or"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_built(catalog, given, told):
    with pytest.raises(InputError, match=told):
        build(catalog, **given)


def test_evidence_is_attention_times_what_the_classifier_says_of_the_patch_alone(catalog):
    out = build(catalog)(bag())
    attention, alone = out.parts["attention"], out.parts["patch_probs"]
    assert attention.shape == (2, 12) and torch.allclose(attention.sum(1), torch.ones(2))
    expected = (relative(attention)[:, :, None] * alone).transpose(1, 2).unflatten(2, (3, 4))
    torch.testing.assert_close(out.saliency, expected)


@pytest.mark.parametrize("use", ["mean", "max", "gated_attention", "lse"])
def test_other_poolings_take_the_place_of_attention(catalog, use):
    out = build(catalog, pooling={"use": use})(bag())
    assert ("attention" in out.parts) == (use != "lse")
    assert out.saliency.shape == (2, 1, 3, 4)


def test_one_patch_is_all_of_the_attention(catalog):
    task = Task(classes=("tumour",), channels=3, image_size=(16, 16))
    out = build(catalog, task)(bag(size=(16, 16)))
    assert torch.equal(out.parts["attention"], torch.ones(2, 1))
    torch.testing.assert_close(out.saliency.flatten(1), out.probs)
    assert out.parts["attention_entropy"].isfinite().all()


def test_attention_and_grad_cam_draw_beside_each_other(catalog):
    from pytorch_grad_cam import GradCAM

    model, batch = build(catalog), bag()
    drawn = Attention("attention").explain(model, batch, [0, 0])
    seen = Cam("gradcam", GradCAM).explain(model, batch, [0, 0])
    assert drawn.shape == seen.shape == (2, 48, 64)
    expected = relative(model(batch).parts["attention"]).unflatten(1, (3, 4))
    torch.testing.assert_close(drawn[:, ::16, ::16], expected)


def test_the_published_network_has_the_published_shapes(catalog):
    task = Task(classes=("malignant",), channels=3, image_size=(56, 84))
    model = build(catalog, task, patch_px=28, features=500, width=20)
    assert model.cells == 4
    assert model.project[0].weight.shape == (500, 800)
    assert model.pooling.value.weight.shape == (128, 500)
    published = Task(classes=("malignant",), channels=3, image_size=(460, 700))
    made = catalog.factory("architecture", {"use": "a_mil", "crop": [448, 700]}, Problems(""), "model")
    assert made.facts(published)["patches"] == 400
