"""Two models in two phases: a patch scorer, then a network with attention over the patches ranked highest and lowest.

Nothing here is random: what is selected depends on the weights alone, so that a resumed training selects the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from harness import Task
from harness.nn import Backbone, Batch, Model, Output, Phase, Pooled, Pooling, masked_bce, outside_autocast
from harness_architectures.attention_pooling.scorer import PatchScorer, Selection, ends, take, top
from harness_architectures.attention_pooling.settings import Settings
from harness_architectures.shared.patches.grid import PatchGrid
from harness_architectures.shared.patches.tensors import boxes, cut, flatness, relative, saliency_map, share
from harness_architectures.shared.scores import link, logit_loss


class PooledNetwork(nn.Module):
    """Model B: a vector for each selected patch, attention over them, a linear classifier."""

    def __init__(self, backbone: Backbone, features: int, pooling: Pooling, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.embed = nn.Sequential(
            nn.Linear(backbone.features, features), nn.ReLU(), nn.Linear(features, features), nn.ReLU()
        )
        self.pooling = pooling
        self.classifier = nn.Linear(features, classes)

    def forward(self, patches: Float[Tensor, "b m c y x"]) -> tuple[Tensor, Tensor, Pooled]:
        """Compute the image's logits "b k", those of each patch alone "b m k", and the pooled vector."""
        maps = self.backbone(patches.flatten(0, 1))
        bag = self.embed(maps.mean((2, 3))).unflatten(0, patches.shape[:2])
        pooled = self.pooling(bag)
        scores = (outside_autocast(self.classifier, vectors) for vectors in (pooled.value, bag))
        return *scores, pooled


class AttentionPooling(Model):
    """Phase `scorer`: before each epoch every image's k highest patches are selected again, and take its label.

    Phase `pooling`: the scorer is frozen; of each image the m highest and the m lowest patches go through a second
    network and attention pooling, trained together. Selecting is not differentiable, so that "end to end" means
    this network alone. While only the scorer learns, `probs` are its own, so that its best epoch can be selected.

    Output: `heads` has `scorer`, in the second phase also `pooled`, which `probs` is. `parts`: `patch_scores`
    "b n k" of all patches, `selected` "b t k" those the scorer learns from, and of the second network `boxes`
    "b m 4" of its patches and, where its pooling has weights, their `attention` "b m", its entropy and its peak.

    Source: Liu et al. 2024; US patent 12,008,076.
    """

    def __init__(self, task: Task, settings: Settings, *, scorer: PatchScorer, pooled: PooledNetwork) -> None:
        super().__init__()
        self.exclusive = task.kind == "multiclass"
        self.settings = settings
        self.scorer, self.pooled = scorer, pooled
        self.selection = Selection()

    def phases(self) -> tuple[Phase, ...]:
        """Return the scorer's phase and that of the network over its selection; the scorer's batch-norm is frozen."""
        return (
            Phase(name="scorer", trainable=("scorer",), epochs=self.settings.scorer_epochs),
            Phase(name="pooling", trainable=("pooled",), eval_mode=("scorer",)),
        )

    def begin_epoch(self, predict: Callable[[], Iterable[tuple[Batch, Output]]]) -> None:
        """Select the training images' patches by the current scorer, while the scorer learns."""
        self.selection.clear()
        if _learns(self.scorer):
            for batch, out in predict():
                self.selection.add(batch, out.parts["selected"])

    def forward(self, batch: Batch) -> Output:
        """Compute scores of patches, and of the image from them and from the selected patches."""
        images = batch.images
        if images is None:
            raise TypeError("attention_pooling reads images, and this batch has none.")
        grid = PatchGrid.of((images.shape[2], images.shape[3]), self.settings.patch_px, self.settings.crop)
        patches = cut(images, grid)
        chosen = self.selection.of(batch) if self.training and _learns(self.scorer) else None
        if chosen is not None and self._scorer_alone():
            return self._learn_from(patches, chosen)
        with torch.no_grad():
            logits = self.scorer(patches)  # b n k
        chosen = top(logits, self.settings.kept) if chosen is None else chosen
        learning = self.training and _learns(self.scorer)
        selected = self._score(patches, chosen) if learning else logits.gather(1, chosen)  # b t k
        probs = self._image_score(selected)
        parts: dict[str, Any] = {"patch_scores": logits.sigmoid(), "selected": chosen, "selected_logits": selected}
        if self._scorer_alone():
            saliency = saliency_map(parts["patch_scores"], grid)
            return Output(probs=probs, heads={"scorer": probs}, saliency=saliency, parts=parts)
        return self._pool(patches, ends(logits, self.settings.highest, self.settings.lowest), grid, probs, parts)

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the losses of selected patches and of the pooled image, each while its network learns."""
        found = {}
        if _learns(self.scorer):
            logits: Tensor = out.parts["selected_logits"]
            number = logits.shape[1]
            found["scorer"] = masked_bce(
                logits.flatten(0, 1),
                batch.labels.repeat_interleave(number, 0),
                link="logits",
                weights=None if batch.weights is None else batch.weights.repeat_interleave(number, 0),
            )
        if out.logits is not None:
            found["pooled"] = logit_loss(out.logits, batch, self.exclusive)
        return found

    def _scorer_alone(self) -> bool:
        return _learns(self.scorer) and not _learns(self.pooled)

    def _learn_from(self, patches: Float[Tensor, "b n c y x"], chosen: Int[Tensor, "b t k"]) -> Output:
        """Run a training step of the scorer on the chosen patches only."""
        selected = self._score(patches, chosen)
        return Output(probs=self._image_score(selected), parts={"selected": chosen, "selected_logits": selected})

    def _score(self, patches: Float[Tensor, "b n c y x"], chosen: Int[Tensor, "b t k"]) -> Float[Tensor, "b t k"]:
        """Compute the logits of each class's own patches for that class."""
        seen = self.scorer(take(patches, chosen.flatten(1)))  # b (t k) k
        found: Tensor = seen.unflatten(1, tuple(chosen.shape[1:])).diagonal(dim1=2, dim2=3)
        return found

    def _image_score(self, logits: Float[Tensor, "b t k"]) -> Float[Tensor, "b k"]:
        probs = logits.sigmoid().mean(1)
        return probs / probs.sum(1, keepdim=True).clamp_min(1e-6) if self.exclusive else probs

    def _pool(
        self,
        patches: Float[Tensor, "b n c y x"],
        places: Int[Tensor, "b m"],
        grid: PatchGrid,
        scorer: Float[Tensor, "b k"],
        parts: dict[str, Any],
    ) -> Output:
        """Run the second network over the patches at these places."""
        logits, alone, pooled = self.pooled(take(patches, places))
        probs, scores = link(logits, self.exclusive), link(alone, self.exclusive)
        parts["boxes"] = boxes(grid, patches.device)[places]
        if pooled.weights is not None:
            attention = share(pooled.weights)
            parts |= {"attention": attention, **flatness(attention)}
            scores = scores * relative(attention).unsqueeze(2)
        cells = scores.new_zeros(len(patches), grid.count, scores.shape[2])
        cells = cells.scatter(1, places.unsqueeze(2).expand_as(scores), scores)
        return Output(
            probs=probs,
            logits=logits,
            heads={"scorer": scorer, "pooled": probs},
            saliency=saliency_map(cells, grid),
            parts=parts,
        )


def _learns(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())
