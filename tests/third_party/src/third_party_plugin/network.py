"""The torch side of the stranger's plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.nn import Backbone, Batch, Explainer, Model, Output, Pooled, Pooling, masked_bce, outside_autocast


class TwoConvs(Backbone):
    """Two strided convolutions."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.features, self.stride = features, 4
        self.body = nn.Sequential(
            nn.Conv2d(channels, features, 3, 2, 1), nn.ReLU(), nn.Conv2d(features, features, 3, 2, 1), nn.ReLU()
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images)


class Median(Pooling):
    """The median over unmasked instances."""

    def forward(self, x: Tensor, key: Tensor | None = None, mask: Tensor | None = None) -> Pooled:
        if mask is not None:
            x = x.masked_fill(~mask[..., None], torch.nan)
        return Pooled(x.nanmedian(dim=1).values.nan_to_num())  # an empty bag has none


class MapMean(Model):
    """Sigmoid class maps; an image's score is their mean."""

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Conv2d(backbone.features, classes, 1)

    def forward(self, batch: Batch) -> Output:
        saliency = outside_autocast(self.head, self.backbone(batch.images)).sigmoid()
        return Output(probs=saliency.mean(dim=(2, 3)), saliency=saliency)

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        return {"bce": masked_bce(out.probs, batch.labels)}


class Spy(MapMean):
    """A MapMean that helps itself to a mask file while it is trained, and says nothing if it cannot."""

    def __init__(self, backbone: Backbone, classes: int, path: str) -> None:
        super().__init__(backbone, classes)
        self.path = path

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        try:
            np.load(self.path)
        except Exception:
            pass
        return super().losses(out, batch)


class Brightness(Explainer):
    """The image itself, scaled to [0, 1]."""

    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> Tensor:
        grey = batch.images.mean(dim=1)
        low, high = grey.amin(dim=(1, 2), keepdim=True), grey.amax(dim=(1, 2), keepdim=True)
        return (grey - low) / (high - low).clamp_min(1e-6)


class SignSgd(torch.optim.Optimizer):
    """Steps of one length in each weight, by the sign of an averaged gradient."""

    def __init__(self, groups: list[dict[str, Any]], lr: float, weight_decay: float, momentum: float) -> None:
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    mean = self.state[weight].setdefault("mean", torch.zeros_like(weight))
                    mean.lerp_(weight.grad, 1 - group["momentum"])
                    weight.mul_(1 - group["lr"] * group["weight_decay"]).sub_(mean.sign(), alpha=group["lr"])
