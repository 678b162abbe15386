"""The network and losses of the plain classifier; see `cnn`."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from harness.nn import (
    Backbone,
    Batch,
    Grid,
    Model,
    Output,
    Pooling,
    masked_bce,
    masked_cross_entropy,
    outside_autocast,
)

EPS = 1e-6


class CNN(Model):
    """Features of a backbone, pooled before or after a linear layer over them.

    Args:
        backbone: gives the feature map "b d i j".
        pooling: over cells.
        classes: how many.
        exclusive: exactly one class holds: softmax and cross-entropy, else sigmoids and binary cross-entropy.
        pool_first: the linear layer classifies pooled features; else it draws a map per class, which is pooled.
        dropout, centred: see `harness_architectures.cnn.component.build_cnn`.
    """

    def __init__(
        self,
        backbone: Backbone,
        pooling: Pooling,
        classes: int,
        *,
        exclusive: bool,
        pool_first: bool,
        dropout: float = 0.0,
        centred: bool = True,
    ) -> None:
        super().__init__()
        self.centred = centred
        self.exclusive, self.pool_first = exclusive, pool_first
        self.backbone, self.pooling = backbone, pooling
        self.dropout = nn.Dropout(dropout) if pool_first else nn.Dropout2d(dropout)
        self.head = nn.Linear(backbone.features, classes)

    def forward(self, batch: Batch) -> Output:
        """Compute scores, and a map for each class."""
        if batch.images is None:
            raise TypeError("cnn reads images, and this batch has none.")
        features: Tensor = self.backbone(batch.images)
        return self._features_first(features) if self.pool_first else self._maps_first(self.dropout(features))

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the cross-entropy over exclusive classes, or of each class separately."""
        assert out.logits is not None
        if self.exclusive:
            return {"class": masked_cross_entropy(out.logits, batch.labels, weights=batch.weights)}
        if self.pool_first:
            return {"class": masked_bce(out.logits, batch.labels, link="logits", weights=batch.weights)}
        return {"class": masked_bce(out.probs, batch.labels, weights=batch.weights, eps=EPS)}

    def explain_layer(self) -> nn.Module:
        """Return the backbone, whose output is the last feature map."""
        return self.backbone

    def grid(self, batch: Batch) -> Grid | None:
        """Return where the maps' cells look, if `centred`."""
        return self.backbone.grid(batch.images) if self.centred and batch.images is not None else None

    def _features_first(self, features: Float[Tensor, "b d i j"]) -> Output:
        pooled = self.pooling(_cells(features)).value
        logits = outside_autocast(self.head, self.dropout(pooled))
        maps = self._link(self._of_cells(features.detach()))
        return Output(probs=self._link(logits), logits=logits, saliency=maps)

    def _maps_first(self, features: Float[Tensor, "b d i j"]) -> Output:
        maps = self._of_cells(features).sigmoid()
        scores = self.pooling(_cells(maps), key=_cells(features)).value.float().clamp(0, 1)
        if not self.exclusive:
            return Output(probs=scores, logits=torch.logit(scores, EPS), saliency=maps)
        shares = scores.clamp_min(EPS)
        probs = shares / shares.sum(1, keepdim=True)
        return Output(probs=probs, logits=probs.log(), saliency=maps)

    def _of_cells(self, features: Float[Tensor, "b d i j"]) -> Float[Tensor, "b k i j"]:
        """Apply the linear layer to each cell, as a 1x1 convolution in fp32, so that cells do not tie."""
        return outside_autocast(self.head, features.movedim(1, -1)).movedim(-1, 1)

    def _link(self, logits: Float[Tensor, "b k *cells"]) -> Float[Tensor, "b k *cells"]:
        return logits.softmax(1) if self.exclusive else logits.sigmoid()


def _cells(maps: Float[Tensor, "b d i j"]) -> Float[Tensor, "b n d"]:
    return maps.flatten(2).transpose(1, 2)
