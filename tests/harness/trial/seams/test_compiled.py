"""The checks of parts use no module hooks: models are compiled, exported, copied and pickled as before."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from harness.contract.components import Component, Factory
from harness.contract.errors import ContractError, Origin, origin_of
from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Backbone, Pooled, Pooling


class Grid(Backbone):
    """A convolution of stride 2."""

    features, stride = 4, 2

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Conv2d(1, 4, 3, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images)


class Mean(Pooling):
    def forward(self, x: Tensor, key: Tensor | None = None, mask: Tensor | None = None) -> Pooled:
        return Pooled(x.mean(1))


class Wider(Mean):
    """A subclass that pools through its base; what it returns is checked, not what the base returns."""

    def forward(self, x: Tensor, key: Tensor | None = None, mask: Tensor | None = None) -> Pooled:
        return Pooled(super().forward(x[:, :, :1]).value.expand(-1, x.shape[2]))


class Net(nn.Module):
    """Both parts, as in an architecture."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.pooling = built("backbone", Grid), built("pooling", Mean)

    def forward(self, images: Tensor) -> Tensor:
        value: Tensor = self.pooling(self.backbone(images).flatten(2).transpose(1, 2)).value
        return value


def built(kind: str, make: type[nn.Module]) -> nn.Module:
    component = Component(name=make.__name__.lower(), build=lambda: make(), summary="a part")
    module: nn.Module = Factory(component, {}, Origin(kind, component.name, "acme-parts", "1.2"))()
    return module


IMAGES = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_there_are_no_hooks() -> None:
    for module in Net().modules():
        assert not module._forward_hooks and not module._forward_pre_hooks


def compile_net() -> None:
    """Compile the network to one graph, and compare its values."""
    net, graphs = Net().eval(), []

    def backend(graph: torch.fx.GraphModule, _: object) -> object:
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(net, backend=backend, fullgraph=True)
    torch.testing.assert_close(compiled(IMAGES), net(IMAGES))
    assert len(graphs) == 1


def test_a_compiled_model_has_one_graph_and_the_same_values() -> None:
    """Check in a process without the checks of shapes that are there in tests only: dynamo cannot trace those."""
    code = f"from {__name__} import compile_net; compile_net()"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[4], timeout=120)


def test_an_exported_model_has_the_same_values() -> None:
    net = Net().eval()
    exported = torch.export.export(net, (IMAGES,)).module()
    torch.testing.assert_close(exported(IMAGES), net(IMAGES))


@pytest.mark.parametrize("again", [copy.deepcopy, lambda part: pickle.loads(pickle.dumps(part))])
def test_a_copy_is_checked_and_named_like_the_original(again) -> None:
    part = again(built("backbone", Grid))
    assert str(origin_of(part)) == "backbone 'grid' (acme-parts 1.2)"
    part.stride = 4
    with pytest.raises(ContractError, match=r"backbone 'grid' \(acme-parts 1.2\) gave the feature map float32"):
        part(IMAGES)


def test_a_part_that_calls_its_base_is_checked_once() -> None:
    x = torch.rand(2, 5, 3)
    assert built("pooling", Wider)(x=x).value.shape == (2, 3)


def test_a_part_may_run_before_it_is_whole() -> None:
    class Measured(Grid):
        """A backbone that finds its features by a run."""

        def __init__(self) -> None:
            super().__init__()
            self.features = 0
            self.features = self(torch.zeros(1, 1, 8, 8)).shape[1]

    assert built("backbone", Measured)(IMAGES).shape == (2, 4, 4, 4)


def test_all_built_in_poolings_and_backbones_carry_their_provider(catalog: Catalog) -> None:
    for name in catalog.names("pooling"):
        origin = origin_of(catalog.build("pooling", name, 4, 1))
        assert (origin.kind, origin.name, origin.distribution) == ("pooling", name, "mil-harness")
