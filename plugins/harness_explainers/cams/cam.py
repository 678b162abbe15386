"""Class-activation maps through pytorch-grad-cam: weighted sums of the channels of `Model.explain_layer()`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy.typing as npt
import torch
from pytorch_grad_cam.base_cam import BaseCAM
from torch import Tensor, nn

from harness.nn import Batch, Model, place
from harness_explainers.adapter import Attribution, ClassScores

Array = npt.NDArray[Any]


class Cam(Attribution):
    """One method of pytorch-grad-cam, from raw activations and gradients to a raw map.

    The library's formulas are used, its shell is not: that one swallows IndexError, stretches every map
    to [0, 1], so that an even map and none look alike, and lets gradients run into the parameters.

    Args:
        name: for errors.
        method: builds the library's object from a module and a list of layers.
    """

    def __init__(self, name: str, method: Callable[[nn.Module, list[nn.Module]], BaseCAM]) -> None:
        super().__init__(name)
        self._method = method

    def _maps(self, model: Model, batch: Batch, classes: list[int]) -> Tensor:
        layer = model.explain_layer()
        if next(model.parameters(), None) is None:
            raise TypeError("it has no parameters.")
        with ExitStack() as closing:
            # Gradients begin at the layer, so that nothing below it is gone through backwards; what follows
            # works on a copy, so that an in-place ReLU cannot change what was recorded.
            closing.callback(layer.register_forward_hook(_begin_here).remove)
            cam = self._method(ClassScores(model, batch), [layer])
            recorded = cam.activations_and_grads
            closing.callback(recorded.release)
            closing.callback(layer.register_forward_hook(_copy).remove)
            scores = recorded(batch.images)
            if cam.uses_gradients:
                _backward(scores, classes)
            activations, gradients = _recorded(recorded.activations, len(classes)), list(recorded.gradients)
        if cam.uses_gradients and len(gradients) != 1:
            raise ValueError("no gradient of the score reaches the layer that is explained.")
        slope = gradients[0].float().numpy() if gradients else None
        maps = torch.from_numpy(cam.get_cam_image(batch.images, layer, classes, activations, slope, False))
        if maps.ndim != 3 or batch.images is None:
            return maps
        size = (batch.images.shape[2], batch.images.shape[3])
        return place(maps.float().clamp_min(0)[:, None], model.grid(batch), size, "bilinear")[:, 0]


def _begin_here(layer: nn.Module, _: Any, output: Any) -> Tensor:
    if not isinstance(output, Tensor) or output.ndim != 4:
        found = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
        raise TypeError(f"its layer {type(layer).__name__} gives {found}, and maps are made of 'b d i j' only.")
    return output.detach().requires_grad_()


def _copy(_: nn.Module, __: Any, output: Tensor) -> Tensor:
    with torch.enable_grad():  # a frozen trunk may run without gradients; what follows it does not
        return output.clone()


def _backward(scores: Tensor, classes: list[int]) -> None:
    chosen = scores[torch.arange(len(classes)), classes].sum()
    if not chosen.requires_grad:
        raise ValueError("no gradient of the score reaches the layer that is explained.")
    torch.autograd.backward(chosen)


def _recorded(activations: list[Tensor], images: int) -> Array:
    if len(activations) != 1:
        raise ValueError(f"its layer to explain ran {len(activations)} times in one forward pass, and must run once.")
    if len(activations[0]) != images:
        raise ValueError(f"its layer to explain gives {len(activations[0])} maps for {images} images.")
    found: Array = activations[0].float().numpy()
    return found
