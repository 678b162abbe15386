import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from harness.contract.grids import effective_field, trace
from harness.contract.nn import drawn
from harness.nn import Backbone, Batch, Grid, Output, place


class Stack(Backbone):
    """Any layers in a row."""

    def __init__(self, *layers: nn.Module, stride: int) -> None:
        super().__init__()
        self.layers, self.stride, self.features = nn.Sequential(*layers), stride, 1

    def forward(self, images):
        return self.layers(images)


class Patches(Backbone):
    """Patches merged by reshaping, for which there is no rule."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.stride, self.features = nn.Linear(16, 1), 4, 1

    def forward(self, images):
        b, _, h, w = images.shape
        cut = images.reshape(b, h // 4, 4, w // 4, 4).permute(0, 1, 3, 2, 4).flatten(3)
        return self.mix(cut).permute(0, 3, 1, 2)


def blank(height=64, width=48):
    return torch.zeros(1, 1, height, width)


@pytest.mark.parametrize(
    ("layers", "stride", "offset", "field"),
    [
        ([nn.Conv2d(1, 1, 3, stride=2, padding=1)], 2, 0, 3),
        ([nn.Conv2d(1, 1, 7, stride=2, padding=3), nn.MaxPool2d(3, 2)], 4, 2, 11),
        ([nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, 1, 3, stride=2)], 2, 1, 3),
        ([nn.Conv2d(1, 1, 4, stride=4)], 4, 1.5, 4),
        ([nn.Conv2d(1, 1, 3, padding=2, dilation=2), nn.ReLU(), nn.AvgPool2d(2)], 2, 0.5, 6),
        ([nn.Conv2d(1, 1, 5, padding="same"), nn.LPPool2d(2, 2)], 2, 0.5, 6),
    ],
)
def test_layers_say_where_a_cell_looks_and_how_far(layers, stride, offset, field):
    net = Stack(*layers, stride=stride)
    found = trace(net, blank())
    assert found.grid == net.grid(blank()) == Grid((float(offset),) * 2, (float(stride),) * 2)
    assert found.field == (field, field)


def test_branches_that_join_keep_the_widest_field():
    class Joined(Stack):
        def forward(self, images):
            return self.layers[0](images) + self.layers[1](images)

    net = Joined(nn.Conv2d(1, 1, 1, stride=2), nn.Conv2d(1, 1, 5, stride=2, padding=2), stride=2)
    assert trace(net, blank()).field == (5, 5)


class Cut(Stack):
    """A convolution whose first row and column are cut off."""

    def forward(self, images):
        return super().forward(images)[:, :, 1:, 1:]


def test_without_a_rule_the_gradients_say_it():
    assert trace(Patches(), blank()).grid.stride == (1.0, 1.0)  # reshaping is not followed, which the stride shows
    assert Patches().grid(blank()) == Grid((1.5, 1.5), (4.0, 4.0))
    cut = Cut(nn.Conv2d(1, 1, 3, stride=4, padding=3), stride=4)
    assert trace(cut, blank()) is None
    assert cut.grid(blank()).offset == pytest.approx((2.5, 2.5), abs=1)


def test_asking_for_the_grid_leaves_the_network_as_it_was():
    net = Stack(nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1), nn.Dropout(), stride=1).train()
    net.layers[1].eval()
    before, state = torch.get_rng_state(), {name: value.clone() for name, value in net.state_dict().items()}
    net.grid(blank())
    net.measure_lean(1)
    assert [layer.training for layer in net.layers] == [True, False, True]
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in state.items())


def test_weights_that_look_aside_lean_by_so_many_pixels():
    layer = nn.Conv2d(1, 1, 5, stride=2, padding=2)
    nn.init.zeros_(layer.weight)
    layer.weight.data[0, 0, 1, 4] = 1.0  # one row above the centre, two columns to its right
    net = Stack(layer, stride=2)
    net.measure_lean(1)
    assert net.lean == (-1.0, 2.0)
    assert net.grid(blank()).offset == (-1.0, 2.0)


def test_an_effective_field_holds_the_share_of_the_squared_gradient():
    layer = nn.Conv2d(1, 1, 9, padding=4)
    nn.init.zeros_(layer.weight)
    layer.weight.data[0, 0, 4, 3:6] = 1.0
    layer.weight.data[0, 0, 4, 8] = 0.1  # a thousandth of the energy
    assert effective_field(Stack(layer, stride=1), blank()) == (1, 3)
    assert trace(layer, blank()).field == (9, 9)


def peaks(maps):
    rows, columns = maps[0, 0].max(1).values, maps[0, 0].max(0).values
    return [(side == side.max()).nonzero().flatten().double().mean().item() for side in (rows, columns)]


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("grid", [Grid((2.0, 2.0), (16.0, 16.0)), Grid((15.0, 7.0), (16.0, 8.0))])
def test_a_placed_map_has_its_peak_where_the_cell_looks(mode, grid):
    size = (96, 80)
    for row, column in ((1, 1), (3, 3)):
        maps = torch.zeros(1, 1, 6, 80 // int(grid.stride[1]))
        maps[0, 0, row, column] = 1.0
        full = interpolate(place(maps, grid, size, mode), size)
        centre = [at + step * cell for at, step, cell in zip(grid.offset, grid.stride, (row, column), strict=True)]
        assert all(abs(found - wanted) <= 0.5 for found, wanted in zip(peaks(full), centre, strict=True))


@pytest.mark.parametrize("size", [(736, 480), (61, 75), (64, 64)])
def test_placing_on_few_cells_shows_what_the_nearest_centre_says_at_every_pixel(size):
    grid = Grid((2.0, -1.3), (64.0, 7.0))
    maps = torch.rand(1, 2, -(-size[0] // 64), -(-size[1] // 7), generator=torch.Generator().manual_seed(0))
    shown = interpolate(place(maps, grid, size), size)
    rows, columns = (
        ((torch.arange(length) - offset) / stride + 0.5).floor().long().clamp(0, cells - 1)
        for length, offset, stride, cells in zip(size, grid.offset, grid.stride, maps.shape[2:], strict=True)
    )
    assert torch.equal(shown, maps[:, :, rows][:, :, :, columns])


def test_evenly_placed_cells_stay_as_few_as_they_are():
    maps = torch.rand(1, 1, 16, 12)
    assert torch.equal(place(maps, Grid((1.5, 1.5), (4.0, 4.0)), (64, 48)), maps)
    assert place(maps, None, (64, 48)) is maps


def test_an_output_draws_its_map_by_its_grid():
    maps, images = torch.rand(2, 1, 4, 3), torch.zeros(2, 1, 64, 48)
    batch, grid = Batch(labels=torch.zeros(2, 1), images=images), Grid((0.0, 0.0), (16.0, 16.0))
    out = Output(probs=torch.zeros(2, 1), saliency=maps, grid=grid)
    assert torch.equal(drawn(out, batch), place(maps, grid, (64, 48)))
    with pytest.raises(ValueError, match="without saliency"):
        drawn(Output(probs=torch.zeros(2, 1)), batch)
