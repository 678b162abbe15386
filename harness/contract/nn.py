"""The torch side of the contract: batch, backbone, pooling, model, explainer.

Axes everywhere: b image, n instance, d feature, k class, c channel, h w pixels, i j cells.
Subclass what you write; a subclass is final, vary it by wrapping.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What only a stage that may read masks is handed.

    Args:
        masks: 1 inside a lesion of the class; of layer maps the grey level, 0 to 255.
        known: whether the mask of (image, class) is known; a positive with an empty mask is not.
    """

    masks: Float[Tensor, "b k h w"]
    known: Bool[Tensor, "b k"]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What a model is given.

    Args:
        images: normalised as the study says. Of bags "b n c h w", padded with 0 to the longest of the batch; of
            views in the order of `task.views`, 0 where one is missing.
        features: of feature tables, in place of images; as the data set has them, padded with 0.
        mask: True where an instance is real; None where a sample is a single image.
        coords: where each instance lies, where the data set says it.
        labels: 1, 0, NaN where unknown.
        targets: masks; in training only with "train_masks", in search never of validation images.
        weights: what each label counts in the loss, mean 1 over the training images; there where the study
            says `balance = "weights"`. Pass it on: `masked_bce(out.logits, batch.labels, weights=batch.weights)`;
            a model that ignores it is refused with that setting.
    """

    labels: Float[Tensor, "b k"]
    images: Float[Tensor, "b c h w"] | Float[Tensor, "b n c h w"] | None = None
    features: Float[Tensor, "b n d"] | None = None
    mask: Bool[Tensor, "b n"] | None = None
    coords: Float[Tensor, "b n 2"] | None = None
    targets: Targets | None = None
    weights: Float[Tensor, "b k"] | None = None
    ids: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def only(self, place: int) -> Batch:
        """A batch of one of its images; masks do not come along."""
        rows: dict[str, Any] = {"targets": None}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Tensor | tuple) and len(value):
                rows[item.name] = value[place : place + 1]
        return replace(self, **rows)

    def encoded(self, encode: Callable[[Tensor], Tensor]) -> Float[Tensor, "b n d"]:
        """The instances as vectors: the features, or what `encode` makes of the real images alone; 0 in the padding.

        An encoder with batch-norm thus never sees the padding.

        Args:
            encode: images "m c h w" to vectors "m d".

        Raises:
            ValueError: the batch holds single images.
        """
        if self.features is not None:
            return self.features
        if self.images is None or self.mask is None:
            raise ValueError("a batch of single images has no instances.")
        real = self.mask.flatten().nonzero().squeeze(1)
        vectors = encode(self.images.flatten(0, 1)[real])
        padded = vectors.new_zeros(self.mask.numel(), vectors.shape[1])
        return padded.index_copy(0, real, vectors).view(*self.mask.shape, vectors.shape[1])

    def with_images(self, images: Float[Tensor, n * shape]) -> Batch:
        """The same cases with other images, one each; of a batch of one any number. Masks do not come along.

        Raises:
            ValueError: the numbers do not go together.
        """
        if len(images) == len(self.labels):
            return replace(self, images=images, targets=None)
        if len(self.labels) != 1:
            raise ValueError(f"{len(images)} images do not belong to a batch of {len(self.labels)}.")
        many: dict[str, Any] = {"images": images, "targets": None}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name != "images" and isinstance(value, Tensor):
                many[item.name] = value.expand(len(images), *value.shape[1:])
            elif isinstance(value, tuple):
                many[item.name] = value * len(images)
        return replace(self, **many)


class Backbone(nn.Module, ABC):
    """Images to feature maps: `forward(images "b c h w") -> "b d i j"` with i = ceil(h / stride) or its floor.

    You must set `features` (d) and `stride`, and write `forward`. You may write `stages`
    where the component provides "stages".
    """

    features: int
    stride: int

    @abstractmethod
    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """The last feature map."""

    def stages(self, images: Float[Tensor, "b c h w"]) -> tuple[Tensor, ...]:
        """Feature maps from fine to coarse, each "b d i j"."""
        raise TypeError(f"{type(self).__name__} does not provide stages.")


@dataclass(frozen=True)
class Pooled:
    """What a pooling gives: the value, and the weights where it has them.

    Args:
        value: the instance axis reduced.
        weights: a distribution over n, one for all features or one each.
    """

    value: Float[Tensor, "b d"]
    weights: Float[Tensor, "b n w"] | None = None


class Pooling(nn.Module, ABC):
    """Reduces the instance axis; does not ask whether d is features or class scores.

    Built as `build(features, outputs)`: `features` is the width of what attention looks at
    (`key` where it is given, else `x`), `outputs` the number of weight maps (1, or d).
    """

    @abstractmethod
    def forward(
        self,
        x: Float[Tensor, "b n d"],
        key: Float[Tensor, "b n e"] | None = None,
        mask: Bool[Tensor, "b n"] | None = None,
    ) -> Pooled:
        """Pools `x` over its unmasked instances."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """Everything a model computed; it leaves nothing on itself.

    Args:
        probs: what metrics read: the link's output, in [0, 1].
        logits: before the link, where there is one; what losses prefer.
        heads: further scores of the same model by name (global, local, mean, …), each like `probs`. In eval all of them
            are there from the first epoch on: an objective may name one.
        saliency: a saliency map a class, in [0, 1].
        parts: whatever else is worth showing or is needed by the loss; by convention "attention", "b n w", of
            models over instances: w distributions over the real ones, 0 elsewhere.
    """

    probs: Float[Tensor, "b k"]
    logits: Float[Tensor, "b k"] | None = None
    heads: Mapping[str, Float[Tensor, "b k"]] = field(default_factory=dict)
    saliency: Float[Tensor, "b k i j"] | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of training with its own trainable parameters.

    Args:
        name: its own among the model's phases.
        trainable: whole dotted parts that the names of learning parameters begin with; ("",) is every parameter.
        eval_mode: the same for the modules kept in eval (batch-norm included).
        epochs: None shares what phases of a stated length leave of the study's number.
        select_by: metric whose best epoch is kept when the phase ends, `val/<head>/<metric>`; None is the
            objective. It is computed whether the study asks for it or not.
        mode: whether the highest or the lowest `select_by` is best, whatever the objective's is.
    """

    name: str = "train"
    trainable: tuple[str, ...] = ("",)
    eval_mode: tuple[str, ...] = ()
    epochs: int | None = None
    select_by: str | None = None
    mode: Literal["max", "min"] = "max"


class Model(nn.Module, ABC):
    """One system, from a batch to scores and saliency, with its own losses.

    You must write `forward` and `losses`. You may write `phases`, `begin_epoch`, `explain_layer`.
    """

    @abstractmethod
    def forward(self, batch: Batch) -> Output:
        """Everything, computed once."""

    @abstractmethod
    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Scalar losses by name, summed by the loop and logged by name.

        Called in fp32 outside autocast; unknown labels (NaN) must not count.
        """

    def phases(self) -> tuple[Phase, ...]:
        """How training is staged; one phase over every parameter unless you say otherwise."""
        return (Phase(),)

    def begin_epoch(self, predict: Callable[[], Iterable[tuple[Batch, Output]]]) -> None:
        """For systems that re-select data before each epoch; `predict` runs over the training split."""

    def explain_layer(self) -> nn.Module:
        """The layer where class-activation methods look."""
        raise TypeError(f"{type(self).__name__} names no layer to explain.")


class Explainer(ABC):
    """Gives a map of what a model looked at."""

    @abstractmethod
    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> Float[Tensor, "b h w"]:
        """One map in [0, 1] at image size for `classes[i]` of image i; leaves the model as it was.

        Raises:
            TypeError: it does not explain models of this kind: it is left out for this one.
            Exception: the map cannot be made. Either message names the explainer and the cause.
        """


def outside_autocast(layer: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Calls `layer` in fp32 whatever autocast is on: for what ranks images, patches or cells.

    In bf16 a score has eight significant bits, so that scores tie, and ties decide on AUC, selection and crops.
    """
    with torch.autocast(inputs[0].device.type, enabled=False):
        return layer(*(values.float() for values in inputs))


def masked_bce(
    probs_or_logits: Float[Tensor, "b k"],
    labels: Float[Tensor, "b k"],
    *,
    link: Literal["probs", "logits"] = "probs",
    weights: Float[Tensor, "b k"] | None = None,
    eps: float = 1e-6,
) -> Float[Tensor, ""]:
    """Binary cross-entropy, summed over classes, averaged over images; unknown labels do not count.

    Probabilities are clamped to [eps, 1 - eps]; `weights` are those of the batch, one a label.
    """
    known = ~labels.isnan()
    counted = known.float() if weights is None else known * weights
    target, values = labels.nan_to_num(0.0), probs_or_logits.float()
    if link == "logits":
        loss = functional.binary_cross_entropy_with_logits(values, target, counted, reduction="sum")
    else:  # by its formula: torch's own stops at a NaN, on a GPU so that nothing can go on there
        clamped = values.clamp(eps, 1 - eps)
        loss = -(counted * (target * clamped.log() + (1 - target) * (1 - clamped).log())).sum()
    return loss / max(1, labels.shape[0])


def masked_cross_entropy(
    logits: Float[Tensor, "b k"], labels: Float[Tensor, "b k"], *, weights: Float[Tensor, "b k"] | None = None
) -> Float[Tensor, ""]:
    """Cross-entropy over exclusive classes, averaged over images; one with an unknown label does not count.

    `labels` are one-hot; `weights` are those of the batch, one a label.
    """
    known = ~labels.isnan().any(1)
    loss = -labels.nan_to_num(0.0) * logits.float().log_softmax(1)
    if weights is not None:
        loss = loss * weights
    return (loss.sum(1) * known).sum() / max(1, labels.shape[0])
