"""GMIC of 2019, and the sizes of the published networks."""

import math

import pytest
import torch

from harness import InputError, Task
from harness.nn import Batch
from harness_architectures.shared.class_maps import EPS, PUBLISHED_CELLS, map_sum

TASK = Task(classes=("benign", "malignant"), image_size=(64, 48))
SMALL = {
    "backbone": {"use": "resnet22", "stride": 8, "width": 2},
    "local_backbone": {"use": "resnet22", "stride": 8, "width": 2},
    "pooling": {"use": "top_fraction", "fraction": 0.2},
    "crops": 2,
    "crop_px": 16,
}


def build(catalog, name="gmic_2019", task=TASK, **params):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return catalog.build("architecture", {"use": name, **SMALL, **params}, task)


def batch():
    images = torch.randn(4, 1, 64, 48, generator=torch.Generator().manual_seed(0))
    return Batch(images=images, labels=torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1]]))


@pytest.mark.parametrize(
    ("model", "parameters"), [("resnet18", 14_110_322), ("resnet34", 24_218_482), ("resnet50", 26_841_202)]
)
def test_gmic_has_as_many_parameters_as_published(catalog, model, parameters):
    table = {"use": "gmic", "local_backbone": {"use": "timm", "model": model}}
    with torch.device("meta"):
        net = catalog.build("architecture", table, Task(classes=TASK.classes))
    assert sum(value.numel() for value in net.parameters()) == parameters


def test_glams_local_network_has_the_parameters_of_resnet_34_without_its_last_layer(catalog):
    with torch.device("meta"):
        net = catalog.build("backbone", "unit_resnet", 3)
    assert sum(value.numel() for value in net.parameters()) == 21_284_672


def test_a_resnet_with_unit_strides_has_a_map_of_a_quarter_of_the_image(catalog):
    net = catalog.build("backbone", {"use": "unit_resnet", "depth": 18, "width": 2}, 1)
    assert [tuple(maps.shape[2:]) for maps in net.stages(torch.zeros(1, 1, 64, 48))] == [(16, 12)] * 4


@pytest.mark.parametrize("name", ["gmic", "gmic_2019"])
def test_the_default_local_network_starts_as_the_released_one(catalog, name):
    net = catalog.build("architecture", name, Task(classes=TASK.classes)).local_backbone
    norms = [layer for layer in net.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert len(norms) == 20 and all((layer.weight == 1).all() and (layer.bias == 0).all() for layer in norms)
    kernel = net.net.layer1[0].conv1.weight  # 64 3x3 kernels: Kaiming over what goes out
    assert float(kernel.detach().std()) == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.05)


def test_timms_own_start_is_left_to_other_networks(catalog):
    norm = catalog.build("backbone", {"use": "timm", "model": "resnet18"}, 1).net.layer1[0].bn2
    assert not norm.weight.any()


def test_only_a_resnet_has_a_last_norm_to_start_at_zero(catalog):
    with pytest.raises(InputError, match="`zero_init_last` is of ResNets"):
        catalog.build("backbone", {"use": "timm", "model": "densenet121", "zero_init_last": False}, 1)


def test_in_2019_the_score_is_the_mean_of_the_heads_and_nothing_is_fused(catalog):
    model, images = build(catalog), batch()
    out = model(images)
    assert list(out.heads) == ["global", "local", "mean"]
    assert torch.equal(out.probs, (out.heads["global"] + out.heads["local"]) / 2)
    assert list(model.losses(out, images)) == ["global", "local", "map_l1"]
    assert not any(name.startswith("fusion") for name, _ in model.named_parameters())


def test_in_2019_and_2021_the_same_weights_give_the_same_heads(catalog):
    old, new = build(catalog).eval(), build(catalog, "gmic").eval()
    missing, unexpected = old.load_state_dict(new.state_dict(), strict=False)
    assert (missing, unexpected) == ([], ["fusion.weight", "fusion.bias"])
    with torch.no_grad():
        first, second = old(batch()), new(batch())
    for head in ("global", "local", "mean"):
        assert torch.equal(first.heads[head], second.heads[head])


@pytest.mark.parametrize("exponent", [0.25, 1.0, 2.0])
def test_the_maps_sum_has_its_exponent(exponent):
    maps = torch.rand(3, 2, 5, 4, generator=torch.Generator().manual_seed(0)) + 0.01
    expected = sum(float(cell) ** exponent for cell in maps.flatten()) / 3 * PUBLISHED_CELLS / 20
    assert float(map_sum(maps, exponent)) == pytest.approx(expected, rel=1e-4)


def test_an_exponent_below_one_leaves_gradients_finite_at_zero():
    maps = torch.zeros(1, 1, 2, 2, requires_grad=True)
    map_sum(maps, 0.2).backward()
    assert maps.grad.isfinite().all()
    assert map_sum(maps, 0.2).item() == pytest.approx(PUBLISHED_CELLS * EPS**0.2, rel=1e-4)


@pytest.mark.parametrize("exponent", [0.0, -1.0, math.inf])
def test_an_exponent_that_is_not_positive_is_refused(catalog, exponent):
    with pytest.raises(InputError, match="`map_exponent > 0`"):
        build(catalog, map_exponent=exponent)
