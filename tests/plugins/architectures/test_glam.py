import math

import pytest
import torch
from torch.nn import functional as F

from harness import InputError, Task
from harness.contract.errors import Problems
from harness.nn import Batch
from harness_architectures.glam.model import combine, merge
from harness_architectures.shared.geometry import Geometry
from harness_architectures.shared.regions import retrieve_roi

TASK = Task(classes=("benign", "malignant"), image_size=(64, 48))
SMALL = {
    "backbone": {"use": "resnet22", "stride": 16, "width": 2},
    "local_backbone": {"use": "resnet22", "stride": 4, "width": 2},
    "pooling": {"use": "top_fraction", "fraction": 0.2},
    "patch_px": 24,
}


def build(catalog, task=TASK, **params):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return catalog.build("architecture", {"use": "glam", **SMALL, **params}, task)


def factory(catalog, **params):
    problems = Problems("")
    made = catalog.factory("architecture", {"use": "glam", **params}, problems, "model")
    problems.raise_if_any()
    return made


def batch(count=4):
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([[number % 2, number // 2 % 2] for number in range(count)]).float()
    return Batch(images=torch.randn(count, 1, 64, 48, generator=generator), labels=labels)


def gradients(loss, module):
    found = torch.autograd.grad(loss, list(module.parameters()), retain_graph=True, allow_unused=True)
    return sum(float(value.abs().sum()) for value in found if value is not None)


def test_the_default_networks_start_as_the_released_ones(catalog):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = catalog.build("architecture", "glam", Task(classes=TASK.classes))
    last = model.backbone.blocks[-1][1].conv2.weight  # 256 to 256, 3x3: Xavier's normal over what comes in and goes out
    assert float(last.detach().std()) == pytest.approx((2 / (2 * 256 * 9)) ** 0.5, rel=0.02)
    norms = [layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert all((layer.weight == 1).all() for layer in norms)


def test_the_combined_map_weighs_the_middle_scale_three_times_each_other():
    fine, middle, coarse = (torch.full((1, 2, side, side), level) for side, level in ((8, 0.5), (4, 1.0), (2, 0.25)))
    torch.testing.assert_close(combine([fine, middle, coarse]), torch.full((1, 2, 8, 8), 0.2 * 0.5 + 0.6 + 0.2 * 0.25))


@pytest.mark.parametrize("maps", ["released", "smooth"])
def test_the_global_score_is_the_mean_over_scales_of_the_highest_cells(catalog, maps):
    model, images = build(catalog, maps=maps).eval(), batch()
    with torch.no_grad():
        out, stages = model(images), model.backbone.stages(images.images)[-3:]
        expected = []
        for head, stage in zip(model.saliency, stages, strict=True):
            own = torch.sigmoid(head(stage))
            own = F.interpolate(own, stages[0].shape[2:]) if maps == "released" else own
            cells = own.flatten(2).sort(descending=True).values
            expected.append(cells[..., : max(1, round(0.2 * cells.shape[2]))].mean(2))
    torch.testing.assert_close(out.heads["global"], torch.stack(expected).mean(0))
    assert torch.equal(out.probs, out.heads["global"])


def test_the_released_maps_of_three_scales_are_combined_by_nearest_neighbour():
    fine, middle, coarse = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 1, 1)
    fine[0, 0, 0, 0], middle[0, 0, 1, 1] = 1, 0.5
    expected = torch.full((4, 4), 0.2)
    expected[0, 0] += 0.2
    expected[2:, 2:] += 0.3
    torch.testing.assert_close(combine([fine, middle, coarse])[0, 0], expected)


def test_the_released_map_is_half_of_the_pasted_local_and_of_the_global_map_everywhere():
    place = Geometry.of((64, 48), (8, 6), 16)
    combined, local = torch.rand(1, 2, 8, 6), torch.rand(1, 2, 4, 4)
    found = merge(combined, local, torch.tensor([[48, 32]]), place)
    whole = combined.repeat_interleave(2, 2).repeat_interleave(2, 3)
    expected = whole / 2
    expected[:, :, 12:, 8:] += local / 2
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("score", ["global", "local", "mean", "fusion"])
def test_the_named_head_is_the_score(catalog, score):
    out = build(catalog, score=score)(batch())
    assert torch.equal(out.probs, out.heads[score])
    assert (out.logits is None) == (score != "fusion")


def test_the_local_score_is_the_mean_of_the_patchs_highest_30_percent(catalog):
    out = build(catalog)(batch())
    cells = out.parts["local_map"].flatten(2).sort(descending=True).values
    torch.testing.assert_close(out.heads["local"], cells[..., : round(0.3 * cells.shape[2])].mean(2))


def test_the_patch_is_the_window_that_the_combined_map_chooses(catalog):
    out = build(catalog)(batch())
    maps = out.parts["global_map"]
    place = Geometry.of((64, 48), tuple(maps.shape[2:]), 24)
    assert torch.equal(out.parts["corners"], retrieve_roi(maps, place.window, 1))
    x0, y0, x1, y1 = out.parts["boxes"].unbind(2)
    assert ((x1 - x0 == 24) & (y1 - y0 == 24)).all()


def test_smooth_maps_have_the_patchs_own_map_in_its_place_and_the_global_one_everywhere_else():
    place = Geometry.of((64, 48), (8, 6), 16)
    combined, local = torch.rand(2, 2, 8, 6), torch.rand(2, 2, 4, 4)
    corners = torch.tensor([[0, 0], [48, 32]])
    pasted = merge(combined, local, corners, place, "smooth")
    assert pasted.shape == (2, 2, 16, 12)
    assert torch.equal(pasted[0, :, :4, :4], local[0])
    assert torch.equal(pasted[1, :, 12:, 8:], local[1])
    whole = F.interpolate(combined, (16, 12), mode="bilinear")
    outside = torch.ones(16, 12, dtype=torch.bool)
    outside[:4, :4] = False
    assert torch.equal(pasted[0][:, outside], whole[0][:, outside])


def test_no_gradient_of_the_local_loss_reaches_the_global_network(catalog):
    model, images = build(catalog), batch()
    losses = model.losses(model(images), images)
    assert list(losses) == ["global", "local", "fusion", "map_l1"]
    assert gradients(losses["local"], model.backbone) == 0
    assert gradients(losses["local"], model.local_backbone) > 0
    assert gradients(losses["global"], model.local_backbone) == 0
    assert gradients(losses["global"], model.saliency) > 0
    assert gradients(losses["fusion"], model.backbone) > 0
    assert gradients(losses["fusion"], model.saliency) == 0


def test_at_the_published_size_the_patch_covers_32_cells_of_184_by_120(catalog):
    facts = factory(catalog).facts(Task(classes=TASK.classes, image_size=(2944, 1920)))
    assert facts["map"] == [184, 120]
    assert facts["patch_px"] == 512
    assert facts["window"] == [32, 32]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"patch_px": 0}, "`patch_px >= 1`"),
        ({"patch_px": 50}, "`crop_px <= 48`"),
        ({"map_l1": math.nan}, "`map_l1 >= 0`"),
    ],
)
def test_what_cannot_work_is_refused_by_plan_and_build_alike(catalog, params, message):
    with pytest.raises(ValueError, match=message):
        factory(catalog, **{**SMALL, **params}).facts(TASK)
    with pytest.raises(InputError, match=message):
        build(catalog, **params)


def test_blank_images_give_finite_scores_and_gradients(catalog):
    model = build(catalog)
    images = Batch(images=torch.zeros(2, 1, 64, 48), labels=torch.tensor([[0.0, 1], [1, 0]]))
    out = model(images)
    sum(model.losses(out, images).values()).backward()
    assert out.probs.isfinite().all()
    assert all(value.grad.isfinite().all() for value in model.parameters())
