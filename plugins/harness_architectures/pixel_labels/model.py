"""A patch classifier, followed by any architecture that reads images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from harness import InputError, Task
from harness.nn import Backbone, Batch, Grid, Model, Output, Phase, masked_bce, outside_autocast
from harness_architectures.pixel_labels.sizes import starts
from harness_architectures.pixel_labels.windows import draw_corners, grid, patch_labels, spread_out
from harness_architectures.shared.class_maps import as_distribution
from harness_architectures.shared.regions import take_crops

BEHIND = "architecture"
CLASSIFIER = ("classifier", "head")


class PixelLabels(Model):
    """First a patch classifier learns from outlines, then the inner model from images with its heat maps.

    A classifier that is `ready` learns nothing, needs no outlines, and may look at the views of an exam too.

    Output: the inner model's, with the head `patches` (the highest value of each heat map) and, in `parts`,
    `heat_maps` "b k h w" ("b n k h w" of views). While the classifier alone learns, scores are those of the
    patches drawn.

    Which part is in training mode tells the phases apart; `losses` are of all parts that are.

    Source: Shen et al. 2021, Medical Image Analysis 68, 101908; Wu et al. 2019, IEEE TMI.
    """

    def __init__(
        self,
        task: Task,
        *,
        architecture: Model,
        classifier: Backbone,
        window: int,
        stride: int,
        patches: int,
        epochs: int | None,
        ready: bool = False,
    ) -> None:
        super().__init__()
        self.exclusive = task.kind == "multiclass"
        self.window, self.stride, self.patches = window, stride, patches
        self.epochs, self.ready = epochs, ready
        self.classifier = classifier
        self.head = nn.Linear(classifier.features, len(task.classes))
        self.architecture = architecture

    def phases(self) -> tuple[Phase, ...]:
        """Return the classifier's phase, then the inner model's with the classifier and its batch-norm frozen."""
        first = Phase(
            name="patch_classifier",
            trainable=CLASSIFIER,
            eval_mode=(BEHIND,),
            epochs=self.epochs,
            select_by="val/patches/auroc",
        )
        later = [
            replace(
                phase,
                trainable=tuple(map(_within, phase.trainable)),
                eval_mode=(*CLASSIFIER, *map(_within, phase.eval_mode)),
            )
            for phase in self.architecture.phases()
        ]
        return tuple(later) if self.ready else (first, *later)

    def begin_epoch(self, predict: Callable[[], Iterable[tuple[Batch, Output]]]) -> None:
        """Begin the inner model's epoch, on images with heat maps."""
        self.architecture.begin_epoch(lambda: ((self._with_maps(batch), out) for batch, out in predict()))

    def forward(self, batch: Batch) -> Output:
        """Compute heat maps and the inner model's output; drawn patches while the classifier learns."""
        lesson = self._lesson(batch) if self.classifier.training and not self.ready else {}
        if lesson and not self.architecture.training:
            best = lesson["patch_logits"].detach().sigmoid().amax(1)
            return Output(probs=as_distribution(best, self.exclusive), parts=lesson)
        wider = self._with_maps(batch)
        assert wider.images is not None and batch.images is not None
        maps = wider.images[..., batch.images.shape[-3] :, :, :]
        best = maps.amax((-2, -1))
        out: Output = self.architecture(wider)
        return replace(
            out,
            heads={**out.heads, "patches": as_distribution(best if best.ndim == 2 else best.amax(1), self.exclusive)},
            parts={**out.parts, "heat_maps": maps, **lesson},
        )

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the cross-entropy of the patches and the inner model's losses, of whichever learns."""
        found = dict[str, Tensor]()
        if "patch_logits" in out.parts:
            logits, labels = out.parts["patch_logits"].flatten(0, 1), out.parts["patch_labels"].flatten(0, 1)
            found["patches"] = masked_bce(logits, labels, link="logits")
        return found | self.architecture.losses(out, batch) if "heat_maps" in out.parts else found

    def explain_layer(self) -> nn.Module:
        """Return the inner model's layer."""
        return self.architecture.explain_layer()

    def grid(self, batch: Batch) -> Grid | None:
        """Return the inner model's, of images with room for heat maps."""
        if batch.images is None or batch.images.ndim != 4:
            return None
        images = batch.images[:1]
        room = images.new_zeros(1, self.head.out_features, *images.shape[2:])
        return self.architecture.grid(replace(batch.only(0), images=torch.cat((images, room), 1)))

    @torch.no_grad()
    def heat_maps(self, images: Float[Tensor, "m c h w"]) -> Float[Tensor, "m k h w"]:
        """Slide the classifier over the images: its sigmoids in [0, 1], at the images' size."""
        size = (images.shape[2], images.shape[3])
        rows, columns = (starts(length, self.window, self.stride) for length in size)
        corners = grid(rows, columns, images.device).expand(len(images), -1, -1)
        scores = self._classify(take_crops(images, corners, self.window)).sigmoid()  # b n k
        cells = scores.transpose(1, 2).unflatten(2, (len(rows), len(columns)))
        return spread_out(cells, rows, columns, self.window, size)

    def _with_maps(self, batch: Batch) -> Batch:
        if batch.images is None:
            raise TypeError("pixel_labels reads images, and this batch has none.")
        if batch.images.ndim == 4:
            maps = self.heat_maps(batch.images)
        else:  # views: 0 where one is missing
            assert batch.mask is not None
            seen = self.heat_maps(batch.images[batch.mask])
            maps = seen.new_zeros(*batch.mask.shape, *seen.shape[1:])
            maps[batch.mask] = seen
        return replace(batch, images=torch.cat((batch.images, maps), -3))

    def _lesson(self, batch: Batch) -> dict[str, Tensor]:
        """Draw patches of the batch; return the classifier's logits "b n k" and their labels."""
        if batch.targets is None or batch.images is None:
            raise TypeError("pixel_labels is trained on images with outlines, and this batch has none.")
        masks, known = batch.targets.masks, batch.targets.known & ~batch.labels.isnan()
        corners = draw_corners(masks, self.window, self.patches)
        logits = self._classify(take_crops(batch.images, corners, self.window))
        return {"patch_logits": logits, "patch_labels": patch_labels(masks, known, corners, self.window)}

    def _classify(self, patches: Float[Tensor, "b n c y x"]) -> Float[Tensor, "b n k"]:
        features = self.classifier(patches.flatten(0, 1)).mean((2, 3))
        logits: Tensor = outside_autocast(self.head, features).unflatten(0, patches.shape[:2])
        return logits


def _within(prefix: str) -> str:
    return f"{BEHIND}.{prefix}" if prefix else BEHIND


def load_classifier(model: PixelLabels, path: str) -> None:
    """Load the patch classifier of a confirmed `pixel_labels` model, without its inner architecture.

    Raises:
        InputError: the file cannot be read, or its classifier is not of this kind.
    """
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"weights = {path!r}: no weights could be read from it: {error}") from error
    for name in CLASSIFIER:
        prefix = f"{name}."
        own = {key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)}
        try:
            model.get_submodule(name).load_state_dict(own)
        except RuntimeError as error:
            raise InputError(f"weights = {path!r}: not a patch classifier of this kind: {error}") from error
