"""DMV-CNN's view-wise network and losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from harness import Task
from harness.nn import Backbone, Batch, Model, Output, outside_autocast
from harness_architectures.shared.scores import link, logit_loss


class DMVCNN(Model):
    """For each projection a network that sees the breast and the other one; their predictions are averaged.

    Output: `heads` are the projections' own predictions, by their names in small letters; `parts` are
    `logits` "b p k" of each projection and which of them `counts` "b p". There is no map: vectors are averages.

    Args:
        task: its views are the breast's own projections, then the other breast's in the same order.
        networks: a projection's name and its network, shared by both breasts.
        hidden: features between a pair of vectors and the scores.

    Source: Wu et al. 2019, IEEE Transactions on Medical Imaging 39, 1184.
    """

    def __init__(self, task: Task, networks: Sequence[tuple[str, Backbone]], hidden: int) -> None:
        super().__init__()
        self.exclusive = task.kind == "multiclass"
        self.names = tuple(name for name, _ in networks)
        self.networks = nn.ModuleList(network for _, network in networks)
        self.judges = nn.ModuleList(
            nn.Sequential(
                nn.Linear(2 * network.features, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, len(task.classes))
            )
            for _, network in networks
        )

    def forward(self, batch: Batch) -> Output:
        """Compute the scores of a batch of exams; pixels of a missing view are never read."""
        images, there = batch.images, batch.mask
        if images is None or there is None or images.ndim != 5 or images.shape[1] != 2 * len(self.names):
            raise TypeError(f"dmv_cnn reads exams of {2 * len(self.names)} views, and this batch has none.")
        own, other = there.chunk(2, 1)
        count = own.shape[1]
        logits = torch.stack(
            [
                self._project(place, images[:, [place, place + count]], there[:, [place, place + count]])
                for place in range(count)
            ],
            1,
        )
        counts = own.where(own.any(1, keepdim=True), other)
        scores = link(logits.flatten(0, 1), self.exclusive).view_as(logits)
        weights = counts.unsqueeze(2).float()
        return Output(
            probs=(scores * weights).sum(1) / weights.sum(1).clamp(min=1),
            heads={name.lower(): scores[:, place] for place, name in enumerate(self.names)},
            parts={"logits": logits, "counts": counts},
        )

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the cross-entropy of each projection over the exams in which it counts."""
        found = {}
        for place, name in enumerate(self.names):
            labels = batch.labels.where(out.parts["counts"][:, place, None], torch.nan)
            found[name.lower()] = logit_loss(
                out.parts["logits"][:, place], replace(batch, labels=labels), self.exclusive
            )
        return found

    def _project(self, place: int, images: Float[Tensor, "b 2 c h w"], there: Bool[Tensor, "b 2"]) -> Tensor:
        """Compute the logits of one projection from the images that exist."""
        network, judge = self.networks[place], self.judges[place]
        vectors = images.new_zeros(*there.shape, int(network.features))  # type: ignore[arg-type]
        if there.any():
            seen = network(images[there]).mean((2, 3))
            vectors = vectors.to(seen.dtype).masked_scatter(there.unsqueeze(2), seen)
        return outside_autocast(judge, vectors.flatten(1))
