"""DSMIL: Li, Li, Eliceiri 2021, CVPR.

"Dual-stream multiple instance learning network for whole slide image classification with self-supervised contrastive
learning".

Stream 1 scores each instance; its highest of a class is the critical one. Stream 2 weighs all instances by how alike
their queries are to the critical instance's.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from harness import Task
from harness.nn import Batch, Model, Output
from harness_architectures.mil.encoders import Instances, over_instances, real
from harness_architectures.shared.scores import link, logit_loss


class Dsmil(Model):
    """Both streams, over the same vectors.

    Args:
        task: bags.
        instances: makes the vectors.
        query_dim: width of the queries.
        score: see `harness_architectures.mil.dsmil.component.build_dsmil`.
        initialisation: see there.
    """

    def __init__(
        self,
        task: Task,
        instances: Instances,
        query_dim: int,
        score: Literal["mean", "bag"],
        initialisation: Literal["default", "orthogonal"],
    ) -> None:
        super().__init__()
        self._of_bag = score == "bag"
        classes = len(task.classes)
        self.exclusive = task.kind == "multiclass"
        self.instances = instances
        self.score = nn.Linear(instances.width, classes)
        self.query = nn.Sequential(
            nn.Linear(instances.width, query_dim), nn.ReLU(), nn.Linear(query_dim, query_dim), nn.Tanh()
        )
        self.classifier = nn.Conv1d(classes, classes, instances.width)
        if initialisation == "orthogonal":
            for layer in (self.score, *self.query, self.classifier):
                if isinstance(layer, nn.Linear | nn.Conv1d):
                    nn.init.orthogonal_(layer.weight)
                    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, batch: Batch) -> Output:
        """Score bags by one stream or the mean logit of both, which are the heads `bag` and `max`."""
        vectors = self.instances(batch)
        with torch.autocast(vectors.device.type, enabled=False):
            return self._streams(vectors.float(), real(batch))

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute half of each stream's loss, a mean over classes as in the released code."""
        streams = {name: out.parts[f"{name}_logits"] for name in ("bag", "max")}
        return {name: 0.5 * logit_loss(own, batch, self.exclusive, classes="mean") for name, own in streams.items()}

    def _streams(self, vectors: Float[Tensor, "b n d"], mask: Bool[Tensor, "b n"]) -> Output:
        """Run both streams in fp32, as published: in bf16 instances tie for the critical one."""
        scores = self.score(vectors).masked_fill(~mask[..., None], -math.inf)
        highest, critical = scores.max(1)  # b k
        queries = self.query(vectors)
        own = queries.gather(1, critical[..., None].expand(-1, -1, queries.shape[2]))  # b k q
        alike = torch.bmm(queries, own.transpose(1, 2)) / math.sqrt(queries.shape[2])
        attention = over_instances(alike, mask)
        bags: Float[Tensor, "b k d"] = torch.bmm(attention.transpose(1, 2), vectors)
        # The convolution spans the vectors: it is a linear layer, and faster as one.
        bag = functional.linear(bags.flatten(1), self.classifier.weight.flatten(1), self.classifier.bias)
        logits = bag if self._of_bag else (bag + highest) / 2
        return Output(
            probs=link(logits, self.exclusive),
            logits=logits,
            heads={"bag": link(bag, self.exclusive), "max": link(highest, self.exclusive)},
            parts={"attention": attention, "bag_logits": bag, "max_logits": highest},
        )
