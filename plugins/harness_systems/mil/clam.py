"""CLAM: Lu, Williamson, Chen et al. 2021, Nature Biomedical Engineering 5, 555.

"Data-efficient and weakly supervised computational pathology on whole-slide images".

Gated attention over the instances, one branch for all classes (SB) or one a class (MB). Of each bag the instances that
a class attends to most and least train a two-way classifier of that class, whose vectors thereby part.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from harness import Task
from harness.nn import Batch, Model, Output
from harness_systems.mil.encoders import Instances, bag_output, over_instances, real
from harness_systems.scores import logit_loss

MARGIN = 1.0
TEMPERATURE = 1.0


class GatedAttention(nn.Module):
    """Raw scores "b n w" of w branches that share their hidden layer; everything has a bias."""

    def __init__(self, features: int, dim: int, branches: int, dropout: float) -> None:
        super().__init__()
        self.value = nn.Sequential(nn.Linear(features, dim), nn.Tanh(), nn.Dropout(dropout))
        self.gate = nn.Sequential(nn.Linear(features, dim), nn.Sigmoid(), nn.Dropout(dropout))
        self.score = nn.Linear(dim, branches)

    def forward(self, vectors: Float[Tensor, "b n d"]) -> Float[Tensor, "b n w"]:
        """Before the softmax."""
        scores: Tensor = self.score(self.value(vectors) * self.gate(vectors))
        return scores


class Clam(Model):
    """CLAM-SB (one branch) or CLAM-MB (a branch a class).

    Args:
        task: bags.
        instances: makes the vectors.
        branches: "single" or "multiple".
        attention_dim: width of the attention's hidden layer.
        dropout: in the attention.
        clustered: B, how many instances at either end are given a pseudo-label.
        clustering_loss: "svm" is the smooth top-1 SVM loss, "ce" cross-entropy.
        bag_weight: share of the bag's loss; the rest is the clustering's.
        subtyping: whether the top instances of a class that the bag has not are pseudo-labelled out.
    """

    def __init__(
        self,
        task: Task,
        instances: Instances,
        *,
        branches: Literal["single", "multiple"],
        attention_dim: int,
        dropout: float,
        clustered: int,
        clustering_loss: Literal["svm", "ce"],
        bag_weight: float,
        subtyping: bool,
    ) -> None:
        super().__init__()
        classes = len(task.classes)
        self.exclusive, self._clustered, self._subtyping = task.kind == "multiclass", clustered, subtyping
        self._bag_weight, self._clustering_loss = bag_weight, clustering_loss
        self._many = branches == "multiple"
        self.instances = instances
        self.attention = GatedAttention(instances.width, attention_dim, classes if self._many else 1, dropout)
        self.classifier = nn.Linear(instances.width, classes)
        self.clusters = nn.ModuleList(nn.Linear(instances.width, 2) for _ in range(classes))

    def forward(self, batch: Batch) -> Output:
        """`parts`: `attention`, `attention_raw` before the softmax (heat maps are drawn from its percentiles)."""
        vectors = self.instances(batch)
        with torch.autocast(vectors.device.type, enabled=False):
            return self._attend(vectors.float(), real(batch))

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """The bag's and the clustering's, weighted."""
        assert out.logits is not None
        bag = logit_loss(out.logits, batch, self.exclusive)
        clustering = self._clustering(out, batch.labels)
        return {"bag": self._bag_weight * bag, "clustering": (1 - self._bag_weight) * clustering}

    def _attend(self, vectors: Float[Tensor, "b n d"], mask: Bool[Tensor, "b n"]) -> Output:
        """In fp32 throughout, as published: in bf16 instances tie for the ends that are clustered."""
        raw = self.attention(vectors)
        attention = over_instances(raw, mask)
        bags = torch.einsum("bnw,bnd->bwd", attention, vectors)
        if self._many:
            logits = torch.einsum("bkd,kd->bk", bags, self.classifier.weight) + self.classifier.bias
        else:
            logits = self.classifier(bags[:, 0])
        return bag_output(
            self.exclusive, logits, {"attention": attention, "attention_raw": raw, "vectors": vectors, "mask": mask}
        )

    def _clustering(self, out: Output, labels: Float[Tensor, "b k"]) -> Float[Tensor, ""]:
        """Mean over the bags and classes that have pseudo-labels; all of them at once."""
        vectors, attention, mask = (out.parts[name] for name in ("vectors", "attention", "mask"))
        positive, negative = labels == 1, labels == 0
        taken = positive | negative if self._subtyping else positive  # b k
        places, real = ends(attention.transpose(1, 2), mask, self._clustered)  # b w 2m
        top, bottom = real.expand(-1, labels.shape[1], -1).chunk(2, 2)
        counted = torch.cat([top, bottom & positive[..., None]], 2)  # of a class that is not there only the top
        pseudo = torch.cat([positive[..., None].expand_as(top), torch.zeros_like(bottom)], 2).long()
        losses = self._two_way(self._scores(vectors, places).flatten(0, 2), pseudo.flatten()).view_as(counted) * counted
        of_bags = losses.sum(2) / counted.sum(2).clamp(min=1)
        return (of_bags * taken).sum() / taken.sum().clamp(min=1)

    def _scores(self, vectors: Float[Tensor, "b n d"], places: Int[Tensor, "b w m"]) -> Float[Tensor, "b k m 2"]:
        """Each class's two-way scores of the instances at its branch's places."""
        count, width = len(self.clusters), vectors.shape[2]
        chosen = vectors.gather(1, places.flatten(1)[..., None].expand(-1, -1, width)).view(*places.shape, width)
        weight, bias = (torch.stack([getattr(layer, name) for layer in self.clusters]) for name in ("weight", "bias"))
        scores = torch.einsum("bkmd,ksd->bkms", chosen.expand(-1, count, -1, -1), weight)
        return scores + bias[:, None]

    def _two_way(self, scores: Float[Tensor, "m 2"], labels: Int[Tensor, " m"]) -> Float[Tensor, " m"]:
        if self._clustering_loss == "ce":
            return functional.cross_entropy(scores, labels, reduction="none")
        return smooth_svm(scores, labels)


def ends(
    attention: Float[Tensor, "b w n"], mask: Bool[Tensor, "b n"], count: int
) -> tuple[Int[Tensor, "b w m"], Bool[Tensor, "b 1 m"]]:
    """Places of the `count` instances of highest and then of lowest attention, and which of them are meant.

    None is in both: a bag of fewer than 2 `count` instances gives half of them each; a single instance is the highest.
    """
    order = (
        attention.detach().masked_fill(~mask[:, None], -1.0).argsort(dim=2, descending=True, stable=True)
    )  # padding last
    number, rank = mask.sum(1, keepdim=True), torch.arange(count, device=attention.device)
    low = (number // 2).clamp(max=count)
    high = low.clamp(min=1)
    places = torch.cat([rank.expand(len(order), -1), number - low + rank], 1).clamp(max=order.shape[2] - 1)
    real = torch.cat([rank < high, rank < low], 1)
    return order.gather(2, places[:, None].expand(-1, order.shape[1], -1)), real[:, None]


def smooth_svm(scores: Float[Tensor, "m k"], labels: Int[Tensor, " m"]) -> Float[Tensor, " m"]:
    """The smooth top-1 SVM loss with margin 1 and temperature 1.

    Source: Berrada, Zisserman, Kumar 2018, "Smooth loss functions for deep top-k classification", ICLR, eq. 8, k = 1.
    """
    margins = MARGIN * (1 - functional.one_hot(labels, scores.shape[1]))
    own = scores.gather(1, labels[:, None])
    return TEMPERATURE * ((scores - own + margins) / TEMPERATURE).logsumexp(1)
