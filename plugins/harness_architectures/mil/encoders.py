"""Parts of the architectures over bags: instances to vectors, vectors of a bag to scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from harness import Task
from harness.nn import Batch, Output
from harness_architectures.mil.sizes import LENET_CHANNELS, lenet_cells
from harness_architectures.shared.scores import link


class LeNet(nn.Sequential):
    """The encoder of Ilse et al. 2018 up to its fully connected layer: images to "m f"."""

    def __init__(self, channels: int) -> None:
        first, second = LENET_CHANNELS
        super().__init__(
            nn.Conv2d(channels, first, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(first, second, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )


class Averaged(nn.Module):
    """A backbone and the mean of its last map: images to "m d"."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Float[Tensor, "m c h w"]) -> Float[Tensor, "m d"]:
        """Average the last map over space."""
        maps: Tensor = self.backbone(images)
        return maps.mean((2, 3))


class Instances(nn.Module):
    """The instances of a batch as vectors, "b n d": of images by the encoder, of feature tables as they are.

    Args:
        task: bags of images, views or feature tables.
        backbone: builds the encoder's network; None is the LeNet of Ilse et al.
        dim: d: one fully connected layer and a ReLU bring the vectors to it; None leaves them as they are.
        dropout: after that.
    """

    def __init__(
        self, task: Task, backbone: Callable[[int], Any] | None, dim: int | None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.encoder: nn.Module | None = None
        width = task.features
        if task.sample != "features":
            rows, columns = (lenet_cells(side) for side in task.image_size)
            net = None if backbone is None else backbone(task.channels)
            self.encoder = LeNet(task.channels) if net is None else Averaged(net)
            width = LENET_CHANNELS[1] * rows * columns if net is None else net.features
        self.width = width if dim is None else dim
        self.project = (
            nn.Identity() if dim is None else nn.Sequential(nn.Linear(width, dim), nn.ReLU(), nn.Dropout(dropout))
        )

    def forward(self, batch: Batch) -> Float[Tensor, "b n d"]:
        """Encode instances; values in the padding have no meaning."""
        found: Tensor = self.project(batch.encoded(self._encode))
        return found

    def _encode(self, images: Tensor) -> Tensor:
        assert self.encoder is not None
        vectors: Tensor = self.encoder(images)
        return vectors


def real(batch: Batch) -> Tensor:
    """Return the mask "b n" of a batch of bags."""
    assert batch.mask is not None, "the plan lets no other batch come here"
    return batch.mask


def bag_output(exclusive: bool, logits: Float[Tensor, "b k"], parts: dict[str, Any]) -> Output:
    """Return the scores of a bag with its parts."""
    return Output(probs=link(logits, exclusive), logits=logits, parts=parts)


def over_instances(scores: Float[Tensor, "b n w"], mask: Tensor) -> Float[Tensor, "b n w"]:
    """Return the softmax over the real instances of each bag, in fp32; 0 in the padding."""
    return scores.float().masked_fill(~mask[..., None], torch.finfo(torch.float32).min).softmax(1)
