"""CLAM: Lu, Williamson, Chen et al. 2021, Nature Biomedical Engineering 5, 555.

"Data-efficient and weakly supervised computational pathology on whole-slide images".

Gated attention over the instances, one branch for all classes (SB) or one per class (MB). Of each bag the instances
that a class attends to most and least train a two-way classifier of that class, whose vectors thereby part.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from harness import Task
from harness.nn import Batch, Model, Output
from harness_architectures.mil.encoders import Instances, bag_output, over_instances, real
from harness_architectures.shared.scores import logit_loss

MARGIN = 1.0


class GatedAttention(nn.Module):
    """Raw scores "b n w" of w branches that share their hidden layer; everything has a bias."""

    def __init__(self, features: int, dim: int, branches: int, dropout: float) -> None:
        super().__init__()
        self.value = nn.Sequential(nn.Linear(features, dim), nn.Tanh(), nn.Dropout(dropout))
        self.gate = nn.Sequential(nn.Linear(features, dim), nn.Sigmoid(), nn.Dropout(dropout))
        self.score = nn.Linear(dim, branches)

    def forward(self, vectors: Float[Tensor, "b n d"]) -> Float[Tensor, "b n w"]:
        """Compute the scores before the softmax."""
        scores: Tensor = self.score(self.value(vectors) * self.gate(vectors))
        return scores


class Clam(Model):
    """CLAM-SB (one branch) or CLAM-MB (a branch per class).

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
        self.instances = instances
        maps = classes if branches == "multiple" else 1
        self.attention = GatedAttention(instances.width, attention_dim, maps, dropout)
        self.classifier = nn.Linear(instances.width, classes)
        self.clusters = nn.ModuleList(nn.Linear(instances.width, 2) for _ in range(classes))

    def forward(self, batch: Batch) -> Output:
        """Score bags; `parts`: `attention`, and `attention_raw` before the softmax (for heat maps)."""
        vectors = self.instances(batch)
        with torch.autocast(vectors.device.type, enabled=False):
            return self._attend(vectors.float(), real(batch))

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the weighted losses of bag and clustering."""
        assert out.logits is not None
        bag = logit_loss(out.logits, batch, self.exclusive, classes="mean")  # so is the clustering's
        clustering = self._clustering(out, batch.labels)
        return {"bag": self._bag_weight * bag, "clustering": (1 - self._bag_weight) * clustering}

    def _attend(self, vectors: Float[Tensor, "b n d"], mask: Bool[Tensor, "b n"]) -> Output:
        """Attend in fp32 throughout, as published: in bf16 instances tie for the clustered ends."""
        raw = self.attention(vectors)
        attention = over_instances(raw, mask)
        bags: Float[Tensor, "b w d"] = torch.bmm(attention.transpose(1, 2), vectors)
        logits = (bags * self.classifier.weight).sum(2) + self.classifier.bias
        return bag_output(
            self.exclusive, logits, {"attention": attention, "attention_raw": raw, "vectors": vectors, "mask": mask}
        )

    def _clustering(self, out: Output, labels: Float[Tensor, "b k"]) -> Float[Tensor, ""]:
        """Compute the mean over the bags and classes that have pseudo-labels, all at once."""
        vectors, attention, mask = (out.parts[name] for name in ("vectors", "attention", "mask"))
        positive = (labels == 1)[..., None]  # b k 1
        taken = positive | (labels == 0)[..., None] if self._subtyping else positive
        top, bottom = ends(attention.transpose(1, 2), mask, self._clustered)  # b w n
        inside = top & positive
        counted = top & taken | bottom & positive  # of a class that is not there only the top, as out
        against, for_it = torch.stack([layer(vectors) for layer in self.clusters], 1).unbind(3)  # b k n
        lead = for_it - against
        losses = two_way(lead.where(inside, -lead), self._clustering_loss) * counted
        of_bags = losses.sum(2) / counted.sum(2).clamp(min=1)
        return of_bags.sum() / taken.sum().clamp(min=1)


@torch.no_grad()
def ends(
    attention: Float[Tensor, "b w n"], mask: Bool[Tensor, "b n"], count: int
) -> tuple[Bool[Tensor, "b w n"], Bool[Tensor, "b w n"]]:
    """Return masks of the `count` instances of highest attention, and of those of lowest.

    None is in both: a bag of fewer than 2 `count` instances gives half of them each; a single instance is the highest.
    """
    ranked = attention.masked_fill(~mask[:, None], -1.0).argsort(dim=2, descending=True, stable=True)  # padding last
    rank, number = ranked.argsort(2), mask.sum(1)[:, None, None]
    low = (number // 2).clamp(max=count)
    return rank < low.clamp(min=1), (rank >= number - low) & (rank < number)


def two_way(lead: Float[Tensor, "*any"], kind: Literal["svm", "ce"]) -> Float[Tensor, "*any"]:
    """Compute the loss of a right score that leads the wrong one by `lead`.

    Cross-entropy, or the smooth top-1 SVM loss with margin 1 and temperature 1, which for two classes is cross-entropy
    that wants the lead to be one larger.

    Source: Berrada, Zisserman, Kumar 2018, "Smooth loss functions for deep top-k classification", ICLR, eq. 8, k = 1.
    """
    return functional.softplus((MARGIN if kind == "svm" else 0.0) - lead)
