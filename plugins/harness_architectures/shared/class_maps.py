"""Parts of architectures with a sigmoid map per class: maps, scores, crops for a local network, losses.

For a multi-class task the maps stay one sigmoid per class; only scores made of them are brought to sum to 1.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from harness import Task
from harness.nn import Backbone, Batch, masked_bce, outside_autocast

PUBLISHED_CELLS = 46 * 30
"""Cells of GMIC's published map, for which the weight of the maps' sum was tuned."""
EPS = 1e-6


def class_maps(head: nn.Conv2d, features: Float[Tensor, "b d i j"]) -> Float[Tensor, "b k i j"]:
    """Compute the sigmoid of a 1x1 convolution in fp32, even under autocast: ties would decide on crops."""
    return torch.sigmoid(outside_autocast(head, features))


def cells_of(maps: Float[Tensor, "b d i j"]) -> Float[Tensor, "b n d"]:
    """Return the cells of maps as instances."""
    return maps.flatten(2).transpose(1, 2)


def size_of(images: Float[Tensor, "b c h w"]) -> tuple[int, int]:
    """Return height and width."""
    return images.shape[2], images.shape[3]


def with_channels(crops: Float[Tensor, "b n c y x"], channels: int) -> Float[Tensor, "m e y x"]:
    """Flatten crops into one batch, and repeat grey ones for a network with more channels."""
    flat = crops.flatten(0, 1)
    return flat if flat.shape[1] == channels else flat.expand(-1, channels, -1, -1)


def as_distribution(scores: Float[Tensor, "b k"], exclusive: bool) -> Float[Tensor, "b k"]:
    """Return scores of maps as probabilities: of exclusive classes divided by their sum, else as they are."""
    return scores / scores.sum(1, keepdim=True).clamp(min=EPS) if exclusive else scores


def score_loss(scores: Float[Tensor, "b k"], batch: Batch) -> Float[Tensor, ""]:
    """Compute the binary cross-entropy of the scores of maps."""
    return masked_bce(scores, batch.labels, weights=batch.weights, eps=EPS)


def map_sum(maps: Float[Tensor, "b k i j"], exponent: float = 1.0) -> Float[Tensor, ""]:
    """Sum the maps' cells to the power of `exponent`; mean over images, rescaled to 1,380 cells a class.

    Cells are held at 1e-6 at least where the exponent is below 1: its slope at 0 has no bound.
    """
    cells = maps.float()
    if exponent != 1:
        cells = cells.clamp(min=EPS if exponent < 1 else 0).pow(exponent)
    return PUBLISHED_CELLS / maps[0, 0].numel() * cells.sum((1, 2, 3)).mean()


@torch.no_grad()
def map_shapes(backbone: Backbone, task: Task, *, stages: bool = False) -> list[tuple[int, int, int]]:
    """Return channels, height and width of a backbone's map, or of each stage, by running a blank image."""
    size = task.image_size if task.image_size != (0, 0) else (224, 224)
    training, blank = backbone.training, torch.zeros(1, task.channels, *size)
    backbone.eval()
    found = backbone.stages(blank) if stages else (backbone(blank),)
    backbone.train(training)
    return [(maps.shape[1], *size_of(maps)) for maps in found]
