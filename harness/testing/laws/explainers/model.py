"""The model that the laws of explainers explain, and the state that it must keep."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from harness.contract.nn import Batch, Model, Output, masked_bce
from harness.testing.laws.law import expect

SIZE, EDGE = 32, 8


class Spots(Model):
    """A model of blurred brightness and darkness, each a class map; nothing is random or trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 2, 5, stride=4, padding=2, bias=False)
        self.norm, self.activation = nn.BatchNorm2d(2), nn.ReLU()
        self.layer.weight.data[:] = torch.tensor([1.0, -1.0])[:, None, None, None] / 25
        self.eval()

    def forward(self, batch: Batch) -> Output:
        """Return blurred brightness and darkness, and their peaks."""
        assert batch.images is not None
        maps = 8 * self.activation(self.norm(self.layer(batch.images))) - 4
        logits = maps.amax((2, 3))
        return Output(probs=logits.sigmoid(), logits=logits, saliency=maps.sigmoid(), parts=_parts(maps))

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy."""
        assert out.logits is not None
        return {"bce": masked_bce(out.logits, batch.labels, link="logits", weights=batch.weights)}

    def explain_layer(self) -> nn.Module:
        """Return the maps before they are scaled."""
        return self.activation


class Failing(Spots):
    """A model that fails after its layer to explain has run."""

    def forward(self, batch: Batch) -> Output:
        """Raise after the layer has run."""
        super().forward(batch)
        raise RuntimeError("this model was asked to fail")


def _parts(maps: Tensor) -> dict[str, Tensor]:
    """Return attention over the cells of the map and the pixels of each cell, for the class with the higher peak."""
    cells = maps.shape[3]
    top, left = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
    corners = 4 * torch.stack((left, top), -1).flatten(0, 1)
    boxes = torch.cat((corners, corners + 4), 1).expand(len(maps), -1, -1)
    return {"attention": maps.amax(1).flatten(1).softmax(1), "boxes": boxes}


def planted() -> tuple[Batch, Tensor]:
    """Return four images with a bright and a dark square each, and the masks of the squares, "b k h w"."""
    rng = torch.Generator().manual_seed(0)
    images, spots = 0.1 * torch.randn(4, 1, SIZE, SIZE, generator=rng), torch.zeros(4, 2, SIZE, SIZE)
    for place in range(4):
        for kind, sign in enumerate((1.0, -1.0)):
            top, left = 4 * place, 4 + 16 * kind
            spots[place, kind, top : top + EDGE, left : left + EDGE] = 1
            images[place, 0] += sign * spots[place, kind]
    return Batch(images=images, labels=torch.ones(4, 2), ids=("a", "b", "c", "d")), spots


def unchanged(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Check that two states of `state_of` are equal."""
    wrong = sorted(before.keys() ^ after.keys())
    for name in before.keys() & after.keys():
        value, now = before[name], after[name]
        same = isinstance(now, Tensor) and torch.equal(value, now) if isinstance(value, Tensor) else value == now
        wrong += [] if same else [name]
    expect(not wrong, f"the model has changed: {', '.join(sorted(wrong))}")


def state_of(model: nn.Module) -> dict[str, Any]:
    """Return weights, buffers, gradients, modes, hooks and attributes of a model."""
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
