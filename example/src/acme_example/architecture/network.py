"""The network of `map_mean`. Needs torch."""

from __future__ import annotations

from harness.nn import Backbone, Batch, Model, Output, masked_bce, outside_autocast
from torch import Tensor, nn


class MapMean(Model):
    """A 1x1 convolution and a sigmoid give a map a class; an image's score is the mean of its map."""

    def __init__(self, backbone: Backbone, classes: int, exclusive: bool, dropout: float) -> None:
        super().__init__()
        self.backbone, self.dropout = backbone, nn.Dropout2d(dropout)
        self.head = nn.Conv2d(backbone.features, classes, 1)
        self.exclusive = exclusive

    def forward(self, batch: Batch) -> Output:
        """Return scores and maps. Labels are for `losses` alone."""
        features = self.dropout(self.backbone(batch.images))
        # Outside autocast, because scores of eight significant bits tie and an AUC depends on ranks.
        saliency = outside_autocast(self.head, features).sigmoid()
        probs = saliency.mean(dim=(2, 3))
        if self.exclusive:
            probs = probs / probs.sum(1, keepdim=True)
        return Output(probs=probs, saliency=saliency)

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the losses by name; their sum is minimised. An unknown label is NaN and costs nothing."""
        return {"bce": masked_bce(out.probs, batch.labels)}

    def explain_layer(self) -> nn.Module:
        """Return the layer that class-activation methods read."""
        return self.backbone
