"""The maps of `brightness`. Needs torch."""

from __future__ import annotations

from collections.abc import Sequence

from harness.nn import Batch, Explainer, Model
from torch import Tensor


class Brightness(Explainer):
    """The image itself, scaled to [0, 1]: what any explainer must beat."""

    def __init__(self, power: float) -> None:
        self.power = power

    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> Tensor:
        """Return a map for each image, "b h w" in [0, 1]; `classes` holds one class for each image."""
        assert batch.images is not None
        grey = batch.images.mean(dim=1)
        low, high = grey.amin(dim=(1, 2), keepdim=True), grey.amax(dim=(1, 2), keepdim=True)
        return ((grey - low) / (high - low).clamp_min(1e-6)) ** self.power
