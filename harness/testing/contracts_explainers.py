"""Laws of explainers. A plugin's whole test file is a subclass with `plugin = my_module`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.contract.components import Component
from harness.contract.nn import Batch, Explainer, Model, Output, masked_bce
from harness.testing.contracts_models import Laws

_SIZE, _EDGE = 32, 8


class ExplainerLaws(Laws):
    """Laws of explainers. Set `plugin`. The model to explain scores bright pixels as class 0, dark ones as class 1."""

    kind = "explainer"
    hook = "harness_explainers"

    def test_a_map_is_in_range_at_the_images_size(self, component: Component[Any]) -> None:
        """Check that each image has one finite map in [0, 1]."""
        maps = self._explainer(component).explain(_Spots(), _planted()[0], [0, 1, 0, 1])
        assert maps.shape == (4, _SIZE, _SIZE)
        assert maps.isfinite().all() and maps.min() >= 0 and maps.max() <= 1

    def test_a_planted_spot_is_found(self, component: Component[Any]) -> None:
        """Check that the spot of the class holds more of the map than a random map would give it."""
        batch, spots = _planted()
        for kind in (0, 1):
            maps = self._explainer(component).explain(_Spots(), batch, [kind] * 4)
            share = (maps * spots[:, kind]).sum((1, 2)) / maps.sum((1, 2)).clamp_min(1e-9)
            assert (share > 2 * _EDGE**2 / _SIZE**2).all(), (kind, share)

    def test_the_model_is_left_as_it_was(self, component: Component[Any]) -> None:
        """Check modes, weights, buffers, gradients and hooks."""
        model, batch = _Spots(), _planted()[0]
        model.train()
        model.norm.eval()
        torch.autograd.backward(model.losses(model(batch), batch)["bce"])
        before = _state(model)
        self._explainer(component).explain(model, batch, [0, 0, 1, 1])
        after = _state(model)
        _assert_same(before, after)

    def test_a_failure_names_explainer_and_cause_and_leaves_the_model_as_it_was(
        self, component: Component[Any]
    ) -> None:
        """Check a model that fails half-way: an empty map would be taken for a result."""
        model, batch = _Failing(), _planted()[0]
        model.train()
        before = _state(model)
        with pytest.raises(Exception, match="(?s)this model was asked to fail") as raised:
            self._explainer(component).explain(model, batch, [0, 0, 1, 1])
        assert component.name in str(raised.value), str(raised.value)
        _assert_same(before, _state(model))

    def test_a_map_depends_on_its_own_image_and_class_only(self, component: Component[Any]) -> None:
        """Check that a map is the same alone and in a batch, after any random draws, and that none are used up."""
        model, explainer, batch = _Spots(), self._explainer(component), _planted()[0]
        whole = explainer.explain(model, batch, [0, 1, 1, 0])
        torch.rand(7)
        state, drawn = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"]
        alone = explainer.explain(model, batch.only(2), [1])
        assert torch.equal(state, torch.get_rng_state()) and np.array_equal(
            drawn, np.random.get_state(legacy=False)["state"]["key"]
        )
        torch.testing.assert_close(alone[0], whole[2], rtol=1e-4, atol=1e-4)

    def test_it_explains_where_gradients_are_off(self, component: Component[Any]) -> None:
        """Check that a caller under `no_grad` gets the same maps and that the images do not change."""
        batch, _ = _planted()
        assert batch.images is not None
        before, explainer = batch.images.clone(), self._explainer(component)
        with torch.no_grad():
            maps = explainer.explain(_Spots(), batch, [0, 1, 0, 1])
        assert torch.equal(batch.images, before) and not batch.images.requires_grad and not maps.requires_grad
        torch.testing.assert_close(maps, explainer.explain(_Spots(), batch, [0, 1, 0, 1]))

    def _explainer(self, component: Component[Any]) -> Explainer:
        explainer: Explainer = self.factory(component)()
        return explainer


class _Spots(Model):
    """A model of blurred brightness and darkness, each a class map; nothing is random or trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 2, 5, stride=4, padding=2, bias=False)
        self.norm, self.activation = nn.BatchNorm2d(2), nn.ReLU()
        self.layer.weight.data[:] = torch.tensor([1.0, -1.0])[:, None, None, None] / 25
        self.eval()

    def forward(self, batch: Batch) -> Output:
        assert batch.images is not None
        maps = 8 * self.activation(self.norm(self.layer(batch.images))) - 4
        logits = maps.amax((2, 3))
        return Output(probs=logits.sigmoid(), logits=logits, saliency=maps.sigmoid(), parts=_parts(maps))

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        assert out.logits is not None
        return {"bce": masked_bce(out.logits, batch.labels, link="logits", weights=batch.weights)}

    def explain_layer(self) -> nn.Module:
        return self.activation


class _Failing(_Spots):
    """A model that fails after its layer to explain has run."""

    def forward(self, batch: Batch) -> Output:
        super().forward(batch)
        raise RuntimeError("this model was asked to fail")


def _parts(maps: Tensor) -> dict[str, Tensor]:
    """Return attention over the cells of the map and the pixels of each cell, for the class with the higher peak."""
    cells = maps.shape[3]
    top, left = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
    corners = 4 * torch.stack((left, top), -1).flatten(0, 1)
    boxes = torch.cat((corners, corners + 4), 1).expand(len(maps), -1, -1)
    return {"attention": maps.amax(1).flatten(1).softmax(1), "boxes": boxes}


def _planted() -> tuple[Batch, Tensor]:
    """Return four images with a bright and a dark square each, and the masks of the squares, "b k h w"."""
    rng = torch.Generator().manual_seed(0)
    images, spots = 0.1 * torch.randn(4, 1, _SIZE, _SIZE, generator=rng), torch.zeros(4, 2, _SIZE, _SIZE)
    for place in range(4):
        for kind, sign in enumerate((1.0, -1.0)):
            top, left = 4 * place, 4 + 16 * kind
            spots[place, kind, top : top + _EDGE, left : left + _EDGE] = 1
            images[place, 0] += sign * spots[place, kind]
    return Batch(images=images, labels=torch.ones(4, 2), ids=("a", "b", "c", "d")), spots


def _assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert before.keys() == after.keys()
    for name, value in before.items():
        same = torch.equal(value, after[name]) if isinstance(value, Tensor) else value == after[name]
        assert same, name


def _state(model: nn.Module) -> dict[str, Any]:
    state: dict[str, Any] = {name: value.clone() for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        state[f"{name} gradient"] = None if parameter.grad is None else parameter.grad.clone()
        state[f"{name} learns"] = parameter.requires_grad
    for name, module in model.named_modules():
        state[f"{name} mode"] = module.training
        state[f"{name} hooks"] = (
            len(module._forward_hooks),
            len(module._forward_pre_hooks),
            len(module._backward_hooks),
        )
        state[f"{name} attributes"] = sorted(vars(module))
        state[f"{name} type"] = type(module)
    return state
