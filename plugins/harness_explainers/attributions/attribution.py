"""Attribution at the image's own pixels through captum: gradients, integrated gradients, SHAP, occlusion."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import captum.attr
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from harness import seed_of
from harness.nn import Batch, Model
from harness_explainers.adapter import Attribution, ClassScores

Sign = Literal["positive", "negative", "absolute"]
Baseline = Literal["zero", "darkest"]


class Saliency(Attribution):
    """The size of the score's gradient, the highest over the image's channels."""

    def _maps(self, model: Model, batch: Batch, classes: list[int]) -> Tensor:
        assert batch.images is not None
        method = captum.attr.Saliency(ClassScores(model, batch))
        return method.attribute(batch.images.requires_grad_(), target=classes).amax(1)


class IntegratedGradients(Attribution):
    """The gradient's mean over the straight way from a baseline to the image, times that way.

    Args:
        name: for errors.
        steps: points of the Gauss-Legendre rule.
        baseline: where the way begins.
        sign: which part is shown.
        chunk: images in one forward pass.
    """

    def __init__(self, name: str, steps: int, baseline: Baseline, sign: Sign, chunk: int) -> None:
        super().__init__(name)
        self._steps, self._baseline, self._sign, self._chunk = steps, baseline, sign, chunk

    def attribute(self, model: Model, batch: Batch, kind: int) -> Float[Tensor, "c h w"]:
        """Signed contributions to the score of the batch's one image; their sum is the score's rise over the way."""
        assert batch.images is not None
        method = captum.attr.IntegratedGradients(ClassScores(model, batch))
        return method.attribute(
            batch.images.requires_grad_(),
            baseline_of(batch.images, self._baseline),
            target=kind,
            n_steps=self._steps,
            internal_batch_size=self._chunk,
        )[0]

    def _maps(self, model: Model, batch: Batch, classes: list[int]) -> Tensor:
        whole = ClassScores(model, batch)
        return torch.stack(
            [part_of(self.attribute(model, whole.of(i).batch, kind), self._sign) for i, kind in enumerate(classes)]
        )


class GradientShap(Attribution):
    """Expected gradients: the mean over noisy images, random baselines and random points between the two.

    Args:
        name: for errors.
        samples: of noise, baseline and point, together.
        noise: standard deviation of the noise on the image.
        spread: standard deviation of the baselines.
        baseline: their mean.
        sign: which part is shown.
        seed: of the draws, which depend on the image's id too, and on nothing else.
    """

    def __init__(
        self, name: str, samples: int, noise: float, spread: float, baseline: Baseline, sign: Sign, seed: int
    ) -> None:
        super().__init__(name)
        self._samples, self._noise, self._spread, self._seed = samples, noise, spread, seed
        self._baseline, self._sign = baseline, sign

    def _maps(self, model: Model, batch: Batch, classes: list[int]) -> Tensor:
        whole = ClassScores(model, batch)
        return torch.stack(
            [part_of(self._attribute(model, whole.of(i).batch, kind), self._sign) for i, kind in enumerate(classes)]
        )

    def _attribute(self, model: Model, batch: Batch, kind: int) -> Float[Tensor, "c h w"]:
        assert batch.images is not None
        images = batch.images.requires_grad_()
        seed = seed_of("gradient_shap", self._seed, *batch.ids)
        chance = torch.Generator().manual_seed(seed)
        drawn = torch.randn((self._samples, *images.shape[1:]), generator=chance).to(images.device)
        with _seeded(seed, images.device):
            return captum.attr.GradientShap(ClassScores(model, batch)).attribute(
                images,
                (baseline_of(images, self._baseline) + self._spread * drawn).detach(),
                n_samples=self._samples,
                stdevs=self._noise,
                target=kind,
            )[0]


class Occlusion(Attribution):
    """How far the score falls when a window of the image is covered; overlapping windows are averaged.

    Args:
        name: for errors.
        window_px: side of the window.
        stride_px: how far it moves.
        baseline: what covers it.
        sign: which part is shown: "positive" where covering lowers the score.
        chunk: covered images in one forward pass.
    """

    def __init__(self, name: str, window_px: int, stride_px: int, baseline: Baseline, sign: Sign, chunk: int) -> None:
        super().__init__(name)
        self._window, self._stride, self._chunk = window_px, stride_px, chunk
        self._baseline, self._sign = baseline, sign

    def _maps(self, model: Model, batch: Batch, classes: list[int]) -> Tensor:
        assert batch.images is not None
        height, width = batch.images.shape[2:]
        if self._window > min(height, width):
            raise ValueError(f"`window_px` is {self._window}, and an image has {height} x {width} pixels.")
        whole = ClassScores(model, batch)
        return torch.stack([self._map(model, whole.of(i).batch, kind) for i, kind in enumerate(classes)])

    def _map(self, model: Model, batch: Batch, kind: int) -> Float[Tensor, "h w"]:
        assert batch.images is not None
        channels = batch.images.shape[1]
        found = captum.attr.Occlusion(ClassScores(model, batch)).attribute(
            batch.images,
            sliding_window_shapes=(channels, self._window, self._window),
            strides=(channels, self._stride, self._stride),
            baselines=baseline_of(batch.images, self._baseline),
            target=kind,
            perturbations_per_eval=self._chunk,
        )
        return part_of(found[0].detach() / channels, self._sign)


def baseline_of(images: Float[Tensor, "b c h w"], kind: Baseline) -> Float[Tensor, "b c h w"]:
    """An image that shows nothing: 0 everywhere as the model is given it, or each image's darkest value."""
    blank = torch.zeros_like(images, requires_grad=False)
    return blank if kind == "zero" else blank + images.detach().amin((1, 2, 3), keepdim=True)


def part_of(contributions: Float[Tensor, "c h w"], sign: Sign) -> Float[Tensor, "h w"]:
    """The sum over channels, as it is, turned round, or its size."""
    total = contributions.detach().sum(0)
    return {"positive": total, "negative": -total, "absolute": total.abs()}[sign]


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Global random numbers, which captum draws from, begin at `seed` inside and go on as before outside."""
    before = np.random.get_state()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(before)
