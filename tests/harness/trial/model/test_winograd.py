"""Convolutions with fewer products: the same numbers, only where they are faster, and never under gradients."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from harness import Task
from harness.contract.loading.catalog import Catalog
from harness.testing.fakes import tiny_spec
from harness.trial.model import winograd
from harness.trial.model.build import build_model
from harness.trial.model.winograd import LEAST_CELLS, LEAST_CHANNELS, convolve, use_winograd
from harness.trial.settings.training import TrainSettings


def fits(channels: int, size: tuple[int, int], images: int = 1, **options: Any) -> tuple[nn.Conv2d, torch.Tensor]:
    torch.manual_seed(0)
    options = {"kernel_size": 3, "padding": 1, **options}
    return nn.Conv2d(channels, 40, **options), torch.randn(images, channels, *size)


def swapped(convolution: nn.Conv2d) -> nn.Conv2d:
    model = nn.Sequential(copy.deepcopy(convolution))
    use_winograd(model)
    return model[0]  # type: ignore[no-any-return]


def changed(module: nn.Module) -> bool:
    return vars(module).get("_conv_forward") is convolve


@pytest.fixture
def faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor on which the swap is made: its results hold on any that NNPACK runs on."""
    if not torch._nnpack_available():
        pytest.skip("torch has no NNPACK here")
    monkeypatch.setattr(winograd, "_is_faster", lambda: True)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The shapes that NNPACK was given."""
    calls: list[int] = []
    nnpack = torch._nnpack_spatial_convolution
    counted = lambda image, *others: (calls.append(len(image)), nnpack(image, *others))[1]  # noqa: E731
    monkeypatch.setattr(torch, "_nnpack_spatial_convolution", counted)
    return calls


@pytest.mark.usefixtures("faster")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("channels", "size"), [(32, (32, 32)), (33, (41, 57)), (64, (7, 200)), (128, (46, 30))])
def test_it_is_the_convolution_in_fp64_but_for_roundings(
    channels: int, size: tuple[int, int], layout: torch.memory_format, bias: bool, taken: list[int]
) -> None:
    plain, images = fits(channels, size, images=2, bias=bias)
    expected = copy.deepcopy(plain).double()(images.double()).detach()
    mine = swapped(plain).to(memory_format=layout)
    with torch.no_grad():
        found = mine(images.contiguous(memory_format=layout))
    assert taken == [1, 1]
    assert (found - expected).abs().max() < 5e-5 * expected.abs().max()


@pytest.mark.usefixtures("faster")
def test_an_image_counts_the_same_alone_and_in_company(taken: list[int]) -> None:
    plain, images = fits(32, (40, 40), images=3)
    mine = swapped(plain)
    with torch.no_grad():
        together = mine(images)
        assert all(torch.equal(mine(image[None])[0], row) for image, row in zip(images, together, strict=True))
    assert len(taken) == 6


@pytest.mark.usefixtures("faster")
def test_its_class_stays_and_a_copy_has_its_own_weights(taken: list[int]) -> None:
    plain, images = fits(32, (32, 32))
    mine = swapped(plain)
    other = copy.deepcopy(mine)
    assert type(mine) is type(other) is nn.Conv2d and changed(other)
    with torch.no_grad():
        other.weight.zero_()
        assert not (other(images) - other.bias[:, None, None]).any() and mine(images).std() > 0.1
    assert len(taken) == 2


@pytest.mark.usefixtures("faster")
def test_elsewhere_it_is_torchs_own_bit_for_bit(taken: list[int]) -> None:
    plain, images = fits(32, (32, 32))
    mine = swapped(plain)
    assert torch.equal(mine(images), plain(images))  # gradients are recorded
    with torch.no_grad():
        assert torch.equal(mine(images[..., 1:]), plain(images[..., 1:]))  # a cell too few
        assert torch.equal(mine(images[:0]), plain(images[:0]))
        assert torch.equal(mine(images[0]), plain(images[0]))  # an image without its batch
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(mine(images), plain(images))
        assert torch.equal(mine.double()(images.double()), plain.double()(images.double()))
    assert not taken and images.shape[2] * images.shape[3] == LEAST_CELLS


@pytest.mark.usefixtures("faster")
@pytest.mark.parametrize(
    "other",
    [
        {"stride": 2}, {"padding": 0}, {"dilation": 2, "padding": 2}, {"groups": 8}, {"kernel_size": 1, "padding": 0},
        {"kernel_size": 5, "padding": 2}, {"kernel_size": (3, 1)}, {"padding_mode": "circular"}, {"padding": "same"},
    ],
)  # fmt: skip
def test_other_convolutions_are_left_alone(other: dict[str, Any]) -> None:
    assert changed(swapped(fits(32, (8, 8))[0]))
    assert not changed(swapped(fits(32, (8, 8), **other)[0]))
    assert not changed(swapped(fits(LEAST_CHANNELS - 1, (8, 8))[0]))


class Own(nn.Conv2d):
    """A plugin's convolution."""


@pytest.mark.usefixtures("faster")
def test_what_a_plugin_derives_is_left_alone() -> None:
    assert not changed(swapped(Own(32, 32, 3, padding=1)))


def test_where_it_was_not_measured_to_be_faster_nothing_is_swapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "_is_faster", lambda: False)
    assert not changed(swapped(fits(32, (8, 8))[0]))


@pytest.mark.usefixtures("faster")
def test_every_model_of_a_trial_has_them_and_keeps_its_names(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(classes=("a",), image_size=(64, 48))
    spec = tiny_spec(model={"use": "cnn", "backbone": {"use": "resnet22", "stride": 16, "width": 16}})
    made = build_model(spec, catalog, task, TrainSettings(), torch.device("cpu"))
    monkeypatch.setattr(winograd, "_is_faster", lambda: False)
    plain = build_model(spec, catalog, task, TrainSettings(), torch.device("cpu"))
    torch.testing.assert_close(made.state_dict(), plain.state_dict(), rtol=0, atol=0)
    fitting = {
        name
        for name, module in plain.named_modules()
        if isinstance(module, nn.Conv2d)
        if (module.kernel_size, module.stride) == ((3, 3), (1, 1)) and module.in_channels >= LEAST_CHANNELS
    }
    assert {name for name, module in made.named_modules() if changed(module)} == fitting
    assert len(fitting) > 10
