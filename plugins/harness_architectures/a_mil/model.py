"""The network of A-MIL. Written from the paper's description; see the package for parameters."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from harness import Task
from harness.nn import Batch, Model, Output, Pooling, outside_autocast
from harness_architectures.shared.patches.grid import PatchGrid
from harness_architectures.shared.patches.tensors import (
    Stitched,
    boxes,
    cut,
    flatness,
    relative,
    saliency_map,
    share,
    unfold,
)
from harness_architectures.shared.scores import link, logit_loss


class AMil(Model):
    """Every patch of an image is seen, and weighed; the image's score is that of the weighted mean.

    Output: `saliency` has a cell a patch: the patch's attention over the highest of its image, times what the
    classifier says of that patch alone. `parts`: `patch_probs` "b n k" (the latter factor), `boxes` "b n 4", and,
    where the pooling has weights, `attention` "b n", `attention_entropy` and `attention_peak` "b": how flat it is.

    Source: Patil et al. 2019, arXiv 2003.00823.
    """

    def __init__(
        self,
        task: Task,
        *,
        patch_px: int,
        crop: tuple[int, int] | None,
        pooling: Pooling,
        features: int,
        width: int,
    ) -> None:
        super().__init__()
        self.exclusive = task.kind == "multiclass"
        self.patch_px, self.crop = patch_px, crop
        second = 5 * width // 2
        self.convolutions = nn.Sequential(
            nn.Conv2d(task.channels, width, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, second, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.stitched = Stitched()
        self.cells = ((patch_px - 4) // 2 - 4) // 2  # a side of what the convolutions leave of a patch
        self.project = nn.Sequential(nn.Linear(second * self.cells**2, features), nn.ReLU())
        self.pooling = pooling
        self.classifier = nn.Linear(features, len(task.classes))

    def forward(self, batch: Batch) -> Output:
        """Compute the scores of images and of their patches."""
        images = batch.images
        if images is None:
            raise TypeError("a_mil reads images, and this batch has none.")
        grid = PatchGrid.of((images.shape[2], images.shape[3]), self.patch_px, self.crop)
        bag = self._embed(images, grid)  # b n d
        pooled = self.pooling(bag)
        logits = outside_autocast(self.classifier, pooled.value)
        patch_probs = link(outside_autocast(self.classifier, bag), self.exclusive)  # b n k
        parts: dict[str, Any] = {
            "patch_probs": patch_probs,
            "boxes": boxes(grid, images.device).expand(len(images), -1, -1),
        }
        scores = patch_probs
        if pooled.weights is not None:
            attention = share(pooled.weights)
            parts |= {"attention": attention, **flatness(attention)}
            scores = patch_probs * relative(attention).unsqueeze(2)
        return Output(
            probs=link(logits, self.exclusive), logits=logits, saliency=saliency_map(scores, grid), parts=parts
        )

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the negative log-likelihood of the images' labels."""
        assert out.logits is not None
        return {"bag": logit_loss(out.logits, batch, self.exclusive)}

    def explain_layer(self) -> nn.Module:
        """Return the layer of the last convolution's maps of all patches, stitched."""
        return self.stitched

    def _embed(self, images: Float[Tensor, "b c h w"], grid: PatchGrid) -> Float[Tensor, "b n d"]:
        patches = cut(images, grid)
        maps = self.convolutions(patches.flatten(0, 1)).unflatten(0, patches.shape[:2])  # b n d i j
        whole = self.stitched(maps, grid.rows)
        found: Tensor = self.project(unfold(whole, self.cells).flatten(2))
        return found
