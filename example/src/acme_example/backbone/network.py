"""The network of `two_convs`. Needs torch."""

from __future__ import annotations

from harness.nn import Backbone
from torch import Tensor, nn


class TwoConvs(Backbone):
    """Two convolutions of stride 2, each with a ReLU."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.features, self.stride = features, 4
        self.body = nn.Sequential(
            nn.Conv2d(channels, features, 3, 2, 1), nn.ReLU(), nn.Conv2d(features, features, 3, 2, 1), nn.ReLU()
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the feature map, "b d i j", of images "b c h w"."""
        maps: Tensor = self.body(images)
        return maps
