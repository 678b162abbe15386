"""Expected gradients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import captum.attr
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from harness import seed_of
from harness.nn import Batch, Model, generator
from harness_explainers.adapter import Attribution, ClassScores
from harness_explainers.attributions.choices import Baseline, Sign
from harness_explainers.attributions.parts import baseline_of, part_of


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
        chance = generator("gradient_shap", self._seed, *batch.ids)
        drawn = torch.randn((self._samples, *images.shape[1:]), generator=chance).to(images.device)
        with _seeded(seed, images.device):
            found: Tensor = captum.attr.GradientShap(ClassScores(model, batch)).attribute(
                images,
                (baseline_of(images, self._baseline) + self._spread * drawn).detach(),
                n_samples=self._samples,
                stdevs=self._noise,
                target=kind,
            )[0]
        return found


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global random numbers that captum uses inside, and restore their state afterwards."""
    before = np.random.get_state()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(before)
