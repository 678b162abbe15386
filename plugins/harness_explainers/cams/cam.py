"""Class-activation maps through pytorch-grad-cam: weighted sums of the channels of `Model.explain_layer()`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pytorch_grad_cam import AblationCAM, EigenGradCAM, ScoreCAM
from pytorch_grad_cam.base_cam import BaseCAM
from torch import Tensor, nn

from harness.nn import Batch, Model
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
        return torch.from_numpy(cam.get_cam_image(batch.images, layer, classes, activations, slope, False))


class SignedEigenGradCam(EigenGradCAM):  # type: ignore[misc]
    """EigenGrad-CAM with a sign: a principal component has none of its own, so it takes that of the plain sum."""

    def get_cam_image(self, images: Any, layer: Any, classes: Any, activations: Any, gradients: Any, *_: Any) -> Array:
        """The first principal component of activation times gradient, "b i j"."""
        component: Array = super().get_cam_image(images, layer, classes, activations, gradients, False)
        agreement = (component * (activations * gradients).sum(1)).sum((1, 2), keepdims=True)
        return np.where(agreement < 0, -component, component)


class BoundedScoreCam(ScoreCAM):  # type: ignore[misc]
    """Score-CAM whose masked images are made and scored `chunk` at a time, without a progress bar."""

    chunk = 16

    @torch.no_grad()
    def get_cam_weights(self, images: Tensor, layer: Any, classes: list[int], activations: Array, _: Any) -> Array:
        """The softmax over channels of the score of the image seen through each channel, "b d"."""
        enlarge = nn.UpsamplingBilinear2d(size=tuple(images.shape[2:]))
        weights = []
        for place, kind in enumerate(classes):
            score, maps = self.model.of(place), torch.from_numpy(activations[place]).to(images.device)
            found = []
            for part in maps.split(self.chunk):
                masks = enlarge(part[None])[0]  # n h w
                low, high = masks.amin((1, 2), keepdim=True), masks.amax((1, 2), keepdim=True)
                masks = (masks - low) / (high - low + 1e-8)
                found.append(score(images[place] * masks[:, None])[:, kind])
            weights.append(torch.cat(found).softmax(0).cpu())
        return torch.stack(weights).numpy()


class BoundedAblationCam(AblationCAM):  # type: ignore[misc]
    """Ablation-CAM by letting the layer answer with one channel at 0, as the paper does, `chunk` at a time.

    The library puts another layer in its place, which stays there if a forward pass fails, takes -1e7 for
    "absent" where activations may be negative, and divides by the score with its sign, which turns the map of
    a negative logit inside out.
    """

    chunk = 16

    @torch.no_grad()
    def get_cam_weights(self, images: Tensor, layer: Any, classes: list[int], activations: Array, _: Any) -> Array:
        """How far the score falls without each channel, "b d"."""
        weights = []
        for place, kind in enumerate(classes):
            score, maps = self.model.of(place), torch.from_numpy(activations[place]).to(images.device)
            whole = _score_with(score, layer, images[place], maps[None], kind)
            found = []
            for channels in torch.arange(len(maps), device=maps.device).split(self.chunk):
                ablated = maps.repeat(len(channels), 1, 1, 1)
                ablated[torch.arange(len(channels)), channels] = 0
                found.append(whole - _score_with(score, layer, images[place], ablated, kind))
            weights.append(torch.cat(found).cpu())
        return torch.stack(weights).numpy()


def _score_with(score: ClassScores, layer: nn.Module, image: Tensor, maps: Tensor, kind: int) -> Tensor:
    with _answering(layer, maps):
        return score(image.expand(len(maps), *image.shape))[:, kind]


@contextmanager
def _answering(layer: nn.Module, value: Tensor) -> Iterator[None]:
    """The layer gives a copy of `value` whatever it is asked; it computes nothing."""
    before = vars(layer).get("forward")
    layer.forward = lambda *_, **__: value.clone()  # type: ignore[method-assign]
    try:
        yield
    finally:
        del layer.forward
        if before is not None:
            layer.forward = before  # type: ignore[method-assign]


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
