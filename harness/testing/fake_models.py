"""Models of `fakes`, which need torch: each as small as its kind allows."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from harness.contract.nn import Batch, Model, Output, masked_bce, outside_autocast
from harness.contract.types import Task


class TinyCnn(Model):
    """Two convolutions, a saliency map of each class, and its maximum; the heads are `peak` and `mean`.

    Args:
        width: features of the hidden layer.
        dropout: share of them left out in training.
        fault: what goes wrong: "nan", "raise" and "exit" from the `from_step`-th training step on, "build" at once.
    """

    def __init__(self, task: Task, width: int, dropout: float, fault: str, from_step: int) -> None:
        super().__init__()
        if fault == "build":
            raise ValueError("`fault` is 'build'.")
        self._fault, self._from_step = fault, from_step
        self._multiclass = task.kind == "multiclass"
        self.features = nn.Sequential(
            nn.Conv2d(task.channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.dropout = nn.Dropout(dropout)
        self.saliency = nn.Conv2d(width, len(task.classes), 3, padding=1)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def forward(self, batch: Batch) -> Output:
        """Return saliency maps and their maxima."""
        assert batch.images is not None
        maps = outside_autocast(self.saliency, self.dropout(self.features(batch.images)))
        logits = maps.amax((2, 3))
        mean = maps.mean((2, 3))
        probs = logits.softmax(1) if self._multiclass else logits.sigmoid()
        heads = {"peak": probs, "mean": mean.softmax(1) if self._multiclass else mean.sigmoid()}
        return Output(probs=probs, logits=logits, heads=heads, saliency=maps.sigmoid())

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy, or the fault that was asked for."""
        assert isinstance(self.steps, Tensor) and out.logits is not None
        self.steps += 1
        loss = masked_bce(out.logits, batch.labels, link="logits", weights=batch.weights)
        if self._fault != "none" and int(self.steps) >= self._from_step:
            if self._fault == "raise":
                raise RuntimeError("this model was asked to fail")
            if self._fault == "exit":
                raise SystemExit(0)
            loss = loss * math.nan
        return {"bce": loss}

    def explain_layer(self) -> nn.Module:
        """Return the layer before the saliency map."""
        return self.features


class TinyMil(Model):
    """The highest score of a sample's instances, each scored by a linear layer of pixels or features."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        height, width = task.image_size
        self._multiclass = task.kind == "multiclass"
        self.score = nn.Linear(task.features or task.channels * height * width, len(task.classes))

    def forward(self, batch: Batch) -> Output:
        """Return the highest score; padding has the lowest."""
        assert batch.mask is not None
        scores = outside_autocast(self.score, batch.encoded(lambda images: images.flatten(1)))
        logits = scores.masked_fill(~batch.mask[..., None], -1e4).amax(1)
        return Output(probs=logits.softmax(1) if self._multiclass else logits.sigmoid(), logits=logits)

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy."""
        assert out.logits is not None
        return {"bce": masked_bce(out.logits, batch.labels, link="logits", weights=batch.weights)}


class Empty(Model):
    """One parameter; scores are noise that depends on the image."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(len(task.classes)))

    def forward(self, batch: Batch) -> Output:
        """Return the noise of each image for every class."""
        assert batch.images is not None
        noise = (batch.images.flatten(1).sum(1, keepdim=True) * 1e3).frac().abs()
        return Output(probs=(noise + self.bias.clamp(-1e-6, 1e-6)).clamp(0, 1))

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return a loss that pulls the parameter towards zero."""
        return {"bias": self.bias.square().sum()}
