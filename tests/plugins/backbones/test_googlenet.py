"""GoogLeNet against torchvision's own, and what its files of weights may hold."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import InputError
from harness_backbones.googlenet.component import build_googlenet


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A network of torchvision with its heads, auxiliary ones too, and its weights as a file."""
    from torchvision.models import googlenet

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = googlenet(weights=None, aux_logits=True, transform_input=False, init_weights=False).eval()
    path = tmp_path_factory.mktemp("weights") / "googlenet.pth"
    torch.save(net.state_dict(), path)
    return net, path


@pytest.mark.parametrize(("stride", "last"), [(8, "inception3b"), (16, "inception4e"), (32, "inception5b")])
def test_the_trunk_is_torchvisions(published: tuple[Any, Path], stride: Any, last: str) -> None:
    net, path = published
    own, seen = build_googlenet(3, stride=stride, weights=str(path)).eval(), []
    hook = getattr(net, last).register_forward_hook(lambda _, __, out: seen.append(out))
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        net(images)
        found = own(images)
    hook.remove()
    torch.testing.assert_close(found, seen[0])
    assert (found.shape[1], own.stride) == (own.features, stride)
    assert [len(maps) for maps in own.stages(images)] == [1] * {8: 1, 16: 2, 32: 3}[stride]


def test_grey_images_see_the_sum_of_the_first_filters(published: tuple[Any, Path]) -> None:
    net, path = published
    own = build_googlenet(1, stride=8, weights=str(path))
    expected = net.conv1.conv.weight.sum(1, keepdim=True)
    torch.testing.assert_close(own.net["conv1"].conv.weight, expected)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="layer.weight is not a weight of this network"):
        build_googlenet(3, stride=8, weights=str(tmp_path / "other.pth"))
    with pytest.raises(ValueError, match="exclude each other"):
        build_googlenet(3, pretrained=True, weights=str(tmp_path / "other.pth"))


def test_pretrained_weights_see_the_range_they_were_trained_with(
    published: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.models import GoogLeNet_Weights

    net, _ = published
    monkeypatch.setattr(GoogLeNet_Weights, "get_state_dict", lambda self, **_: net.state_dict())
    own, images = build_googlenet(3, stride=8, pretrained=True).eval(), torch.rand(2, 3, 64, 96)
    monkeypatch.setattr(net, "transform_input", True)  # as torchvision sets it for these weights
    with torch.no_grad():
        seen, expected = own.net["conv1"](own._seen(images)), net.conv1(net._transform_input(images))
    torch.testing.assert_close(seen, expected)
    assert build_googlenet(1, stride=8, pretrained=True)(images[:, :1]).isfinite().all()
