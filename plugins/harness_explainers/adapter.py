"""The base of the explainers: a model as a function of images, restored afterwards."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from harness.nn import Batch, Explainer, Model, Output


class Attribution(Explainer):
    """Base of explainers that restore the model and name themselves in every error.

    You must write `_maps`. You may write `_shown`; by default it clips values at 0 and divides each map by
    its maximum.

    Args:
        name: as the study writes it, for errors.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> Float[Tensor, "b h w"]:
        """Return the map of `classes[i]` for image i, in [0, 1]; all zero where nothing supports the class.

        Raises:
            TypeError: the model, or the batch, is not of the kind that can be explained so.
            RuntimeError: the map cannot be made. Either message names the explainer, the model and the cause.
        """
        try:
            if batch.images is None:
                raise TypeError("it explains images, and this batch has none.")
            if len(classes) != len(batch.images):
                raise ValueError(f"{len(classes)} classes are given for {len(batch.images)} images.")
            with as_it_was(model), torch.inference_mode(False), torch.enable_grad():
                maps = self._maps(model.eval(), replace(batch, images=batch.images.detach().clone()), list(classes))
            return self._shown(maps.detach().to(batch.images.device), batch)
        except Exception as error:
            unfit = isinstance(error, TypeError)
            cause = str(error) if unfit or isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            message = f"{self._name!r} cannot explain {type(model).__name__}: {cause}"
            raise (TypeError if unfit else RuntimeError)(message) from error

    @abstractmethod
    def _maps(self, model: Model, batch: Batch, classes: list[int]) -> Tensor:
        """Return maps "b i j" or "b h w" of any range; the model is in eval mode and its parameters do not learn."""

    def _shown(self, maps: Tensor, batch: Batch) -> Tensor:
        """Return the result of `_maps` in [0, 1] at the image's size."""
        return unit_interval(maps, batch)


class ClassScores(nn.Module):
    """A model as libraries want it: images in, a score per class out.

    Args:
        model: any.
        batch: what the images came with. Where it is of one image, any number of versions of that image
            may be scored at once.
    """

    def __init__(self, model: Model, batch: Batch) -> None:
        super().__init__()
        self.model, self.batch = model, batch

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Compute logits where the model has them, else probabilities."""
        out: Output = self.model(self.batch.with_images(images))
        return (out.probs if out.logits is None else out.logits).float()

    def of(self, place: int) -> ClassScores:
        """Return the scores of versions of one of the batch's images."""
        return ClassScores(self.model, self.batch.only(place))


@contextmanager
def as_it_was(model: nn.Module) -> Iterator[None]:
    """Freeze all parameters inside; restore modes, gradients and `requires_grad`, whatever happens."""
    modes = {module: module.training for module in model.modules()}
    learned = [(parameter, parameter.requires_grad, parameter.grad) for parameter in model.parameters()]
    try:
        for parameter, _, _ in learned:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for parameter, learns, gradient in learned:
            parameter.requires_grad_(learns)
            parameter.grad = gradient


def unit_interval(maps: Tensor, batch: Batch) -> Float[Tensor, "b h w"]:
    """Clip maps at 0, divide them by their maxima and resize them to the image's size, bilinearly.

    A map without a positive value stays 0 everywhere: the method found nothing for the class.

    Raises:
        ValueError: they are not one map per image, or not finite.
    """
    assert batch.images is not None
    count, size = len(batch.images), tuple(batch.images.shape[2:])
    if maps.ndim != 3 or len(maps) != count:
        raise ValueError(f"{count} maps are due, but a tensor of shape {tuple(maps.shape)} came back.")
    for place, finite in enumerate(maps.isfinite().flatten(1).all(1).tolist()):
        if not finite:
            name = repr(batch.ids[place]) if batch.ids else f"{place} of the batch"
            raise ValueError(f"the map of image {name} is not finite.")
    positive = maps.float().clamp_min(0)
    if positive.shape[1:] != size:
        positive = nn.functional.interpolate(positive[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    highest = positive.amax((1, 2), keepdim=True)
    return torch.where(highest > 0, positive / highest.clamp_min(torch.finfo(torch.float32).tiny), 0.0).clamp(0, 1)
