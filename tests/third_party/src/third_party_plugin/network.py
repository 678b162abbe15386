"""The torch side of the spy."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from harness import Task
from harness.nn import Batch, Model, Output, masked_bce


class Spy(Model):
    """One convolution that helps itself to a mask file while it is trained, and says nothing if it cannot."""

    def __init__(self, task: Task, path: str) -> None:
        super().__init__()
        self.path, self.head = path, nn.Conv2d(task.channels, len(task.classes), 3, 1, 1)

    def forward(self, batch: Batch) -> Output:
        saliency = self.head(batch.images).sigmoid()
        return Output(probs=saliency.mean(dim=(2, 3)), saliency=saliency)

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        try:
            np.load(self.path)
        except Exception:
            pass
        return {"bce": masked_bce(out.probs, batch.labels)}
