"""Attention MIL: the embedding approach of Ilse, Tomczak and Welling 2018, "Attention-based Deep MIL", ICML.

z = sum_k a_k h_k (eq. 7), a_k a softmax over the bag's instances of w tanh(V h_k) (eq. 8), or gated (eq. 9).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from harness import Task
from harness.nn import Batch, Model, Output, outside_autocast
from harness_architectures.mil.encoders import Instances, bag_output, real
from harness_architectures.shared.scores import logit_loss


class AttentionMil(Model):
    """Instances to vectors, one pooled vector per bag, one linear classifier.

    Args:
        task: bags.
        instances: makes the vectors.
        pooling: builds what pools them: `pooling(features, 1)`.
    """

    def __init__(self, task: Task, instances: Instances, pooling: Callable[[int, int], Any]) -> None:
        super().__init__()
        self.exclusive = task.kind == "multiclass"
        self.instances = instances
        self.pooling = pooling(instances.width, 1)
        self.classifier = nn.Linear(instances.width, len(task.classes))

    def forward(self, batch: Batch) -> Output:
        """Score bags; `parts` hold the attention of poolings that have weights."""
        pooled = self.pooling(self.instances(batch), mask=real(batch))
        parts = {} if pooled.weights is None else {"attention": pooled.weights}
        return bag_output(self.exclusive, outside_autocast(self.classifier, pooled.value), parts)

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the negative log-likelihood of the bag's label."""
        assert out.logits is not None
        return {"bag": logit_loss(out.logits, batch, self.exclusive)}
