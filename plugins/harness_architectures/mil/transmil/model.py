"""TransMIL: Shao, Bian, Chen et al. 2021, NeurIPS.

"TransMIL: transformer based correlated multiple instance learning for whole slide image classification".

Instances and a class token through two layers of Nyström attention, with convolutions over a square grid of the
instances between them. The grid is an arbitrary fold of the list of instances: their order matters, their places on
the slide do not.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from harness import Task
from harness.nn import Batch, Model, Output, outside_autocast
from harness_architectures.mil.encoders import Instances, bag_output, real
from harness_architectures.mil.transmil.nystrom import NystromAttention
from harness_architectures.shared.scores import logit_loss


class Layer(nn.Module):
    """Pre-norm attention with a residual."""

    def __init__(self, attention: NystromAttention, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attention = attention

    def forward(self, tokens: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Attend, with a residual connection."""
        found: Tensor = tokens + self.attention(self.norm(tokens))
        return found


class Ppeg(nn.Module):
    """Pyramid position encoding: three depth-wise convolutions over the grid, summed with what they see."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(dim, dim, size, padding=size // 2, groups=dim) for size in (7, 5, 3)
        )

    def forward(self, tokens: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Encode positions of all tokens but the first, the class token."""
        side = math.isqrt(len(tokens) - 1)
        grid = tokens[1:].T.reshape(1, -1, side, side)
        found = torch.stack([grid, *(convolution(grid) for convolution in self.convolutions)]).sum(0)
        return torch.cat([tokens[:1], found.flatten(2)[0].T])


class TransMil(Model):
    """One bag at a time, as published with a batch of 1; the padding of a batch is never seen.

    Args:
        task: bags.
        instances: makes the vectors.
        attentions: the two layers', of the vectors' width.
    """

    def __init__(self, task: Task, instances: Instances, attentions: tuple[NystromAttention, NystromAttention]) -> None:
        super().__init__()
        self.exclusive, dim = task.kind == "multiclass", instances.width
        self.instances = instances
        self.token = nn.Parameter(torch.randn(1, dim))
        self.first, self.second = (Layer(attention, dim) for attention in attentions)
        self.position = Ppeg(dim)
        self.norm = nn.LayerNorm(dim)
        self.classifier = nn.Linear(dim, len(task.classes))

    def forward(self, batch: Batch) -> Output:
        """Score bags; there is no attention over instances alone to show, because two layers mix them."""
        vectors, mask = self.instances(batch), real(batch)
        bags = torch.stack([self._bag(own[there]) for own, there in zip(vectors, mask, strict=True)])
        return bag_output(self.exclusive, outside_autocast(self.classifier, self.norm(bags)), {})

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the cross-entropy of the bag."""
        assert out.logits is not None
        return {"bag": logit_loss(out.logits, batch, self.exclusive)}

    def _bag(self, vectors: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
        tokens = torch.cat([self.token.to(vectors.dtype), squared(vectors)])
        found: Tensor = self.second(self.position(self.first(tokens)))
        return found[0]


def squared(vectors: Float[Tensor, "n d"]) -> Float[Tensor, "m d"]:
    """Repeat the first members of the list up to the next square number."""
    count = len(vectors)
    side = math.isqrt(count - 1) + 1
    return torch.cat([vectors, vectors[: side * side - count]])
